"""A local service's timers: one alarm for the rules' next event, and answers that are held back.

Rules kept here and nowhere else:

1. The alarm is only ever moved forward: a later event needs no timer while an earlier one is set.
2. Nothing fires after `cancel()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from forebay.clock import Clock

NEVER = float("inf")

_SHORTEST_S = 0.001
"""uvloop counts in milliseconds: a shorter timer would fire early, and be set again and again."""


class Timers:
    """The timers of one service, on the running event loop."""

    def __init__(self, clock: Clock, on_alarm: Callable[[], None]) -> None:
        self._clock = clock
        self._on_alarm = on_alarm
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = NEVER
        self._delayed: set[asyncio.TimerHandle] = set()

    def alarm_by(self, at: float) -> None:
        """See that `on_alarm` is called at `at`, or earlier."""
        if at >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        delay_s = max(_SHORTEST_S, at - self._clock.now())
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, NEVER
        self._on_alarm()

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do it now if there is no delay, else after it."""
        if delay_s <= 0:
            action()
            return

        def act() -> None:
            self._delayed.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(delay_s, act)
        self._delayed.add(handle)

    def cancel(self) -> None:
        """Forget everything that has not happened yet."""
        if self._alarm is not None:
            self._alarm.cancel()
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
