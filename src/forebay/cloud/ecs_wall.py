"""The wall clock of instants: what the rules of ECS count in seconds, as people and the AWS API see it.

Rules kept here and nowhere else:

1. The same instant is shown as the same time, call after call; so the distance between the clocks is kept.
2. When they have drifted apart by more than `DRIFT_MAX_S` (a laptop slept, a clock was set), it is taken anew.
"""

from __future__ import annotations

from datetime import UTC, datetime

from forebay.clock import Clock

DRIFT_MAX_S = 0.5


class Wall:
    """Shows instants of one clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_s = self._measured_s()

    def timestamp(self, at: float) -> float:
        """Return seconds since 1970, to the millisecond."""
        ahead_s = self._measured_s()
        if abs(ahead_s - self._ahead_s) > DRIFT_MAX_S:
            self._ahead_s = ahead_s
        return round(at + self._ahead_s, 3)

    def utc(self, at: float) -> datetime:
        return datetime.fromtimestamp(self.timestamp(at), UTC)

    def _measured_s(self) -> float:
        return self._clock.utc().timestamp() - self._clock.now()
