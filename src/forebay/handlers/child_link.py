"""A child's end of the pipe to its worker.

Rules kept here and nowhere else:

1. Frames leave whole, from whichever thread, in the order of the calls. What a signal handler or a finalizer says while
   its own thread is in the middle of a frame leaves after that frame.
2. When the worker is gone, so is the child, with everything that it has started.
3. A copy of the child that a handler forks off has no voice here: it would cut our frames in two.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Iterator
from typing import NoReturn

from forebay.handlers.crash import PIPE_CLOSED
from forebay.handlers.pipe import READ_BYTES, Frames, Header, packed
from forebay.platform import leave_now

TAIL_BYTES_MAX = 2**32 - 1
"""The worker is trusted: a batch comes in one frame, however large."""


class ParentLink:
    """The pipe, as the child sees it."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # What the handlers start must not hold the pipe open.
        self._socket = socket.socket(fileno=descriptor)
        self._frames = Frames(header_bytes_max=TAIL_BYTES_MAX, tail_bytes_max=TAIL_BYTES_MAX)
        self._sending = threading.RLock()
        self._is_sending = False
        self._waiting: deque[bytes] = deque()
        self._process_id = os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a copy of this process that a handler has forked off."""
        return os.getpid() == self._process_id

    def send(self, header: Header) -> None:
        """Send one frame; wait until the system has taken it."""
        if not self.is_ours:
            return
        self._waiting.append(packed(header))
        with self._sending:
            if self._is_sending:
                return  # This thread is in the middle of another frame, further out.
            self._is_sending = True
            try:
                while self._waiting:
                    self._send(self._waiting.popleft())
            finally:
                self._is_sending = False

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.sendall(frame)
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ENOTSOCK):
                leave_now(PIPE_CLOSED)  # Some code has closed what was not its own; nobody can be told anything now.
            end_with_everything()

    def frames(self) -> Iterator[tuple[Header, bytes]]:
        """Yield the worker's frames as they come. Does not come back when the worker is gone."""
        while True:
            try:
                received = self._socket.recv(READ_BYTES)
            except OSError:
                received = b""
            if not received:
                end_with_everything()
            yield from self._frames.feed(received)


def end_with_everything() -> NoReturn:
    """Kill this process and whatever it has started: it leads a group of its own."""
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("SIGKILL ends us")
