"""Virtual time: what is to happen when, in an order that follows from the seed alone.

Rules kept here and nowhere else:

1. Time moves only from one planned happening to the next, and never goes back.
2. Of two happenings at one instant, the dice say which comes first: no order may be relied on that is not promised.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random


class Time:
    """The simulation's clock and calendar."""

    def __init__(self, rng: Random) -> None:
        self.now = 0.0
        self._rng = rng
        self._planned: list[tuple[float, float, int, Callable[[], None]]] = []
        self._serial = 0

    def at(self, instant: float, happen: Callable[[], None]) -> None:
        """Let something happen at `instant`, which is not in the past."""
        assert instant >= self.now, (instant, self.now)
        self._serial += 1
        heappush(self._planned, (instant, self._rng.random(), self._serial, happen))

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let something happen in `seconds`."""
        self.at(self.now + seconds, happen)

    @property
    def next_at(self) -> float:
        """When the next planned thing happens; infinity for never."""
        return self._planned[0][0] if self._planned else float("inf")

    def turn(self) -> None:
        """Let the next planned thing happen."""
        instant, _, _, happen = heappop(self._planned)
        self.now = instant
        happen()
