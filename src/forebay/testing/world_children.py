"""The child processes in the simulated world: how many are up, and what becomes of those that crash.

Rules kept here and nowhere else:

1. A child counts once it has come up, which takes a while. One that crashed or was killed is replaced by another.
2. The worker is told of every change, a moment later, as an executor would tell it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forebay.testing.world_time import Time

COMES_UP_S = 3.0


class Children:
    """The children of one worker."""

    def __init__(self, count: int, time: Time, rng: Random, tell: Callable[[int], None]) -> None:
        self._time = time
        self._rng = rng
        self._tell = tell
        self._up = 0
        for _ in range(count):
            self._begin()

    def lost(self) -> None:
        """One has crashed, or was killed."""
        self._up -= 1
        self._tell(self._up)
        self._begin()

    def recycled_at(self, at: float) -> None:
        """An idle one will be replaced at `at`, if there is any then."""

        def replace() -> None:
            if self._up:
                self.lost()

        self._time.at(at, replace)

    def _begin(self) -> None:
        self._time.after(COMES_UP_S * self._rng.random(), self._come_up)

    def _come_up(self) -> None:
        self._up += 1
        self._tell(self._up)
