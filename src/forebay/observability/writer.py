"""The thread that owns standard output, so that a reader who does not read cannot stop a heartbeat.

Rules kept here and nowhere else:

1. `write` returns at once and never raises, whatever has become of standard output.
2. When the buffer is full, routine lines are dropped and counted; important ones have a larger bound; vital ones none.
3. Lines leave whole and in the order in which they were written. What was dropped is told by `take_dropped`.
4. Output that is gone for good (broken pipe, closed) swallows everything from then on, without a word.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from typing import Protocol

from forebay.observability.events import Keep

ROUTINE_BYTES_MAX = 1024 * 1024
"""Routine lines are dropped while more than this is waiting to be written. About 5,000 lines."""

IMPORTANT_BYTES_MAX = 16 * 1024 * 1024
"""Important lines are dropped while more than this is waiting: hours of errors at their limited rate."""

CHUNK_BYTES = 32 * 1024
"""Most bytes handed to the system at once; half of a Linux pipe, so that a reader gets them together."""

GATHER_S = 0.01
"""Lines are gathered this long before they are written, so that a busy worker wakes the thread 100 times a second."""

REFUSED_WAIT_S = 0.5
"""How long to wait before trying again where the system refused (a full disk)."""

CLOSING_MAX_S = 4.0
"""How long the last lines may take to leave when the reader is slow."""

_GONE = (errno.EPIPE, errno.EBADF, errno.EIO, errno.ECONNRESET, errno.EINVAL, errno.ENXIO)


class LineWriter(Protocol):
    """Where lines go."""

    def write(self, line: str, keep: Keep = Keep.ROUTINE, /) -> None: ...

    def take_dropped(self, *, at_the_end: bool = False) -> int: ...


class Writer:
    """Writes lines to a file descriptor from a thread of its own."""

    def __init__(
        self,
        descriptor: int = 1,
        *,
        routine_bytes_max: int = ROUTINE_BYTES_MAX,
        important_bytes_max: int = IMPORTANT_BYTES_MAX,
    ) -> None:
        self._routine_max = routine_bytes_max
        self._important_max = important_bytes_max
        self._lines: deque[str] = deque()
        self._waiting = 0
        """Characters in `_lines`; near enough to bytes to bound memory with."""
        self._dropped = 0
        self._written = 0
        """Bytes that the system has taken."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._flushed = threading.Event()
        self._flushed.set()
        self._closing = False
        try:
            # A descriptor of our own: user code may close standard output, and its number may then become a
            # socket's, which must never be sent log lines.
            self._descriptor: int | None = os.dup(descriptor)
        except OSError:
            self._descriptor = None
        self._thread = threading.Thread(target=self._run, name="forebay-log-writer", daemon=True)
        if self._descriptor is not None:
            self._thread.start()

    @property
    def is_broken(self) -> bool:
        """True once standard output is gone for good."""
        return self._descriptor is None

    def write(self, line: str, keep: Keep = Keep.ROUTINE, /) -> None:
        """Have `line` (which ends in a line break) written soon. Callable from any thread."""
        with self._lock:
            if self._descriptor is None:
                return
            if keep is not Keep.VITAL:
                bound = self._routine_max if keep is Keep.ROUTINE else self._important_max
                if self._waiting + len(line) > bound:
                    self._dropped += 1
                    return
            self._lines.append(line)
            self._waiting += len(line)
            self._flushed.clear()
        if not self._wake.is_set():
            self._wake.set()

    def take_dropped(self, *, at_the_end: bool = False) -> int:
        """Return how many lines were dropped since the last call, once there is room again to say so (or it ends)."""
        with self._lock:
            if not self._dropped or (self._waiting > self._routine_max // 2 and not at_the_end):
                return 0
            dropped, self._dropped = self._dropped, 0
            return dropped

    def close(self, timeout_s: float = 1.0, *, longest_s: float = CLOSING_MAX_S) -> bool:
        """Write what waits and stop. Returns whether everything was written.

        A reader that has taken nothing for `timeout_s` is not waited for, and a slow one for `longest_s` in all.
        """
        self._closing = True
        self._wake.set()
        ends_at = time.monotonic() + longest_s
        while not self._flushed.is_set() and (left_s := ends_at - time.monotonic()) > 0:
            written = self._written
            if not self._flushed.wait(min(timeout_s, left_s)) and self._written == written:
                break
        return self._flushed.is_set() and not self.is_broken

    def _run(self) -> None:
        while self._descriptor is not None:
            self._wake.wait()
            if not self._closing:
                time.sleep(GATHER_S)
            self._wake.clear()
            self._write_all()
            with self._lock:
                if self._lines:
                    continue
                self._flushed.set()
                if self._closing:
                    return  # The descriptor is left to the process's end: late lines must not meet a new owner.

    def _write_all(self) -> None:
        while self._descriptor is not None:
            taken = self._take()
            if not taken:
                return
            text = "".join(taken)
            self._send(text.encode("utf-8", "backslashreplace"))
            with self._lock:
                self._waiting = max(0, self._waiting - len(text))

    def _take(self) -> list[str]:
        """Remove up to a chunk of whole lines from the front and return them."""
        taken: list[str] = []
        size = 0
        with self._lock:
            while self._lines and (not taken or size + len(self._lines[0]) <= CHUNK_BYTES):
                taken.append(self._lines.popleft())
                size += len(taken[-1])
        return taken

    def _send(self, batch: bytes) -> None:
        view = memoryview(batch)
        while view and self._descriptor is not None:
            try:
                count = os.write(self._descriptor, view)
                view = view[count:]
                self._written += count
            except BlockingIOError:
                time.sleep(GATHER_S)  # Whoever gave us this pipe made it non-blocking, and it is full.
            except OSError as error:
                if error.errno in _GONE:
                    self._give_up()
                else:
                    time.sleep(REFUSED_WAIT_S)

    def _give_up(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            self._lines.clear()
            self._waiting = 0
            self._flushed.set()
        if descriptor is not None:
            os.close(descriptor)
