"""How fast time passes for a scaling law.

Rules kept here and nowhere else:

1. This is the one place where a time-lapse factor is applied: alarms, cooldowns and periods are all in the law's own
   seconds, of which `time_lapse` pass in each real one. At 60, a minute's datapoint comes every second, and the three
   minutes before a scale-out take three seconds.
2. Jobs, visibility timeouts and the starting of tasks stay as slow as they are.
"""

from __future__ import annotations

import math
from datetime import datetime

from forebay.clock import Clock
from forebay.errors import SettingsError


class LawClock:
    """A law's seconds, from 0. Implements `clock.Clock`; a queue meter stamps its readings with it."""

    def __init__(self, clock: Clock, *, time_lapse: float = 1.0) -> None:
        if not (math.isfinite(time_lapse) and time_lapse > 0):
            raise SettingsError(f"time_lapse={time_lapse} must be above 0: 1 is as AWS, 60 makes seconds of minutes")
        self.time_lapse = time_lapse
        self._clock = clock
        self._began_at = clock.now()

    def now(self) -> float:
        return (self._clock.now() - self._began_at) * self.time_lapse

    def utc(self) -> datetime:
        """The wall clock, which no factor changes."""
        return self._clock.utc()

    def real_s(self, law_s: float) -> float:
        """Return how many real seconds so many of the law's take."""
        return law_s / self.time_lapse
