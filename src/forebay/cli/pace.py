"""What a verb needs that looks again and again: clocks, a wait between two looks, and patience with one that fails."""

from __future__ import annotations

import time
from typing import Protocol

from forebay.cli import console
from forebay.clock import Clock, SystemClock
from forebay.errors import DeployError

FAILURES_MAX = 5


class Pace(Clock, Protocol):
    """A clock that can be waited by."""

    def wait(self, seconds: float) -> None:
        """Return when so many seconds have gone by."""
        ...


class RealPace(SystemClock):
    """The machine's clocks, and a real wait."""

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class Patience:
    """Bears looks that fail, such as one that AWS throttles, until `FAILURES_MAX` of them come in a row."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def bear(self, error: DeployError) -> None:
        """Say that a look failed and that the next one is made. Raises the error when it is one too many."""
        self._in_a_row += 1
        if self._in_a_row >= FAILURES_MAX:
            raise error
        console.complain(f"{error}; trying on")

    def forget(self) -> None:
        """Count anew: a look has succeeded."""
        self._in_a_row = 0
