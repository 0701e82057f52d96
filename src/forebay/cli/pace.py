"""Time for a verb that looks again and again: the clocks, and waiting between two looks."""

from __future__ import annotations

import time
from typing import Protocol

from forebay.clock import Clock, SystemClock


class Pace(Clock, Protocol):
    """A clock that can be waited by."""

    def wait(self, seconds: float) -> None:
        """Return when so many seconds have gone by."""
        ...


class RealPace(SystemClock):
    """The machine's clocks, and a real wait."""

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
