"""When the next child may be started: at once, or after a pause that doubles while children do not come up.

Rules kept here and nowhere else:

1. Who dies at work is replaced at once. Pauses are for children that do not come up, or die with nothing to do.
2. Those that fail together, fail once. The first that comes up ends it.
3. After `failures_max` in a row nobody should count on there ever being one.
"""

from __future__ import annotations

from time import monotonic

PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 30.0


class Comeback:
    """The pauses of one set of children."""

    def __init__(self, failures_max: int) -> None:
        self._failures_max = failures_max
        self.due_at = 0.0
        """Nothing is started before."""
        self._failures = 0

    @property
    def is_hopeless(self) -> bool:
        return self._failures >= self._failures_max

    def succeeded(self) -> None:
        """A child has come up: what went wrong before is over."""
        self._failures = 0

    def failed(self) -> float:
        """A child has not come up, or died with nothing to do. Return the pause before the next, in seconds."""
        now = monotonic()
        if now >= self.due_at:
            self.due_at = now + min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(self._failures, 10))
            self._failures += 1
        return round(self.due_at - now, 3)
