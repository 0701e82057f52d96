"""SIGTERM and SIGINT as requests to stop, from before the event loop starts until the process has ended.

Rules kept here and nowhere else:

1. The first signal drains, the second leaves at once, more change nothing. None ever kills the process by default
   handling: not before the loop turns, and not while the last lines are written.
2. Wrappers (`timeout`, make, npm) forward a signal that the terminal has sent to the whole group already. What comes
   within a blink of the one that counted is its echo.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

import anyio

from forebay.worker.driver import Driver
from forebay.worker.inbox import soon_on_this_loop

ECHO_S = 0.1
STOPS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Counts the requests to stop. Installed in the main thread, for the rest of the process's life."""

    def __init__(self) -> None:
        self._counted: list[str] = []
        self._last_at = float("-inf")
        self._wake: Callable[[], object] | None = None
        for number in STOPS:
            signal.signal(number, self._arrived)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last_at < ECHO_S or len(self._counted) >= 2:
            return
        self._last_at = now
        self._counted.append(signal.Signals(number).name)
        if self._wake is not None:
            self._wake()

    @staticmethod
    def ignore() -> None:
        """The work is over; what still comes must not kill the interpreter while it shuts down (status -2)."""
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)

    async def obey(self, driver: Driver) -> None:
        """Tell the driver of the signals that have come and of those that will."""
        soon = soon_on_this_loop()
        told = 0
        while True:
            news = anyio.Event()
            self._wake = lambda news=news: soon(news.set)
            for name in self._counted[told:]:
                if told == 0:
                    driver.stop(name)
                else:
                    driver.stop_now(f"second signal ({name})")
                told += 1
            await news.wait()
