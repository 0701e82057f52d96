"""Waiting for the end of a process without reaping it, so that its number stays its own until we are done with it.

Rules kept here and nowhere else:

1. Linux tells through a descriptor of the process (`pidfd_open(2)`), on the loop itself. Elsewhere a thread waits, with
   `waitid(2)` or kqueue, and tells the loop.
2. Who waits is told once, on the loop, and never after `cancel()`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

from forebay.platform import descriptor_of_process


class ProcessEnd:
    """Calls `on_end` on the running loop when the process `pid`, a child of ours, has ended."""

    def __init__(self, pid: int, on_end: Callable[[], None], *, by_thread: bool = False) -> None:
        """`by_thread`: do as systems without `pidfd_open` do."""
        self._loop = asyncio.get_running_loop()
        self._on_end: Callable[[], None] | None = on_end
        self._descriptor = None if by_thread else descriptor_of_process(pid)
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._tell)
        else:
            threading.Thread(target=self._wait, args=(pid,), name=f"forebay-task-{pid}", daemon=True).start()

    def cancel(self) -> None:
        """Forget it."""
        self._on_end = None
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    def _tell(self) -> None:
        on_end = self._on_end
        self.cancel()
        if on_end is not None:
            on_end()

    def _wait(self, pid: int) -> None:
        _wait_in_thread(pid)
        try:
            self._loop.call_soon_threadsafe(self._tell)
        except RuntimeError:
            return  # The loop has been closed: nobody is left to be told.


def _wait_in_thread(pid: int) -> None:
    """Return when the process has ended, or when somebody else has reaped it."""
    waitid: Callable[..., Any] | None = getattr(os, "waitid", None)
    try:
        if waitid is not None:
            waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        else:
            _wait_by_kqueue(pid)
    except (ChildProcessError, ProcessLookupError):
        return  # It has been reaped.


def _wait_by_kqueue(pid: int) -> None:
    """As `waitid`, on macOS, where Python has that call since 3.13 only."""
    import select

    kq: Any = select
    queue = kq.kqueue()
    try:
        end = kq.kevent(pid, filter=kq.KQ_FILTER_PROC, flags=kq.KQ_EV_ADD, fflags=kq.KQ_NOTE_EXIT)
        queue.control([end], 1)
    finally:
        queue.close()
