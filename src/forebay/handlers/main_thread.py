"""The main thread of a child process, lent to an executor of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import cast


class MainThread:
    """The main thread as `ThreadExecutor` wants one to be made: its work is done where `work` is called."""

    def __init__(self) -> None:
        self._targets: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._is_idle = threading.Event()

    def __call__(self, *, target: Callable[[], object], name: str, daemon: bool) -> threading.Thread:
        """Return what can be started, asked and joined, as a thread can. There is only one of it."""
        del name, daemon
        self._target = target
        return cast("threading.Thread", self)

    def start(self) -> None:
        self._targets.put(self._target)

    def is_alive(self) -> bool:
        return not self._is_idle.is_set()

    def join(self, timeout: float | None = None) -> None:
        self._is_idle.wait(timeout)

    def work(self) -> None:
        """Do what there is to do until `leave`."""
        while (target := self._targets.get()) is not None:
            target()
            self._is_idle.set()

    def leave(self) -> None:
        self._targets.put(None)
