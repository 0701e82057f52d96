"""SIGTERM and SIGINT as requests to stop, from before the event loop starts until the process has ended.

Rules kept here and nowhere else:

1. The first signal drains, the second leaves at once, more change nothing. None ever kills the process by default
   handling: not before the loop turns, and not while the last lines are written.
2. Wrappers (`timeout`, make, npm) forward a signal that the terminal has sent to the whole group already, and some
   senders send a burst. So the first one is obeyed a blink later, and what comes before that is its echo. Whoever has
   read `drain.started` and asks again is always heard.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import anyio

from forebay.worker.inbox import soon_on_this_loop

ECHO_S = 0.05
"""From the first signal until it is obeyed."""
STOPS = (signal.SIGTERM, signal.SIGINT)


class Stoppable(Protocol):
    """What can be asked to stop: a driver, or what goes before it."""

    def stop(self, reason: str) -> None:
        """Drain."""
        ...

    def stop_now(self, reason: str) -> None:
        """Leave within a second."""
        ...


class StopSignals:
    """Counts the requests to stop. Installed in the main thread, for the rest of the process's life."""

    def __init__(self) -> None:
        self._counted: list[str] = []
        self._is_obeyed = False
        self._wake: Callable[[], object] | None = None
        for number in STOPS:
            signal.signal(number, self._arrived)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        is_echo = bool(self._counted) and not self._is_obeyed
        if is_echo or len(self._counted) >= 2:
            return
        self._counted.append(signal.Signals(number).name)
        if self._wake is not None:
            self._wake()

    @staticmethod
    def ignore() -> None:
        """The work is over; what still comes must not kill the interpreter while it shuts down (status -2)."""
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)

    async def obey(self, worker: Stoppable) -> None:
        """Tell the worker of the signals that have come and of those that will."""
        soon = soon_on_this_loop()
        told = 0
        while True:
            news = anyio.Event()
            self._wake = lambda news=news: soon(news.set)
            for name in self._counted[told:]:
                if told == 0:
                    await anyio.sleep(ECHO_S)
                    self._is_obeyed = True
                    worker.stop(name)
                else:
                    worker.stop_now(f"second signal ({name})")
                told += 1
            await news.wait()
