"""How fast time passes for a scaling law.

Rules kept here and nowhere else:

1. This is the one place where a time-lapse factor is applied: alarms, cooldowns and periods are all in the law's own
   seconds, of which `time_lapse` pass in each real one. At 60, a minute's datapoint comes every second, and the three
   minutes before a scale-out take three seconds.
2. Jobs, visibility timeouts and the starting of tasks stay as slow as they are.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from forebay.clock import Clock
from forebay.errors import SettingsError
from forebay.scaling.port import QueueMeter, QueueReading


class LawClock:
    """A law's seconds, from 0. Implements `clock.Clock`."""

    def __init__(self, clock: Clock, *, time_lapse: float = 1.0) -> None:
        if not (math.isfinite(time_lapse) and time_lapse > 0):
            raise SettingsError(f"time_lapse={time_lapse} must be above 0: 1 is as AWS, 60 makes seconds of minutes")
        self.time_lapse = time_lapse
        self._clock = clock
        self._began_at = clock.now()

    def now(self) -> float:
        return self.law_at(self._clock.now())

    def law_at(self, at: float) -> float:
        """Return when, on the law's clock, something happened `at` on the real one."""
        return (at - self._began_at) * self.time_lapse

    def utc(self) -> datetime:
        """The wall clock, which no factor changes."""
        return self._clock.utc()

    def real_s(self, law_s: float) -> float:
        """Return how many real seconds so many of the law's take."""
        return law_s / self.time_lapse


class LapsedMeter:
    """Makes a law's readings of those that a meter stamps with the real clock. Implements `port.QueueMeter`."""

    def __init__(self, meter: QueueMeter, clock: LawClock) -> None:
        """`clock` must have been made from the clock that the meter stamps its readings with."""
        self._meter = meter
        self._clock = clock

    async def read(self) -> QueueReading | None:
        reading = await self._meter.read()
        if reading is None:
            return None
        # The age stays as it is: it is measured against a latency, and jobs know nothing of the law's time.
        period_s = reading.period_s * self._clock.time_lapse
        return replace(reading, at=self._clock.law_at(reading.at), period_s=period_s)
