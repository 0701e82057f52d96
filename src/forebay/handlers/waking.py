"""Wakes a thread that waits in a selector: a pipe to itself."""

from __future__ import annotations

import os
import threading


class Waker:
    """One pipe. `wake` may be called from any thread, also after `close`, when it does nothing."""

    def __init__(self) -> None:
        self.descriptor, self._writer = os.pipe()
        """Readable once somebody has called `wake`."""
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writer, False)
        self._is_closed = False
        self._using = threading.Lock()

    def wake(self) -> None:
        """Have the thread wake up, now or when it next waits."""
        with self._using:
            if self._is_closed:
                return
            try:
                os.write(self._writer, b"!")
            except BlockingIOError:
                return  # It has been woken often enough.

    def rest(self) -> None:
        """Forget the calls so far. On the thread itself, once it is awake."""
        try:
            os.read(self.descriptor, 4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        with self._using:
            self._is_closed = True
            os.close(self.descriptor)
            os.close(self._writer)
