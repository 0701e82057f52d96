"""The clock of a test's local cloud: the machine's own, which may leave out the waiting.

Rules kept here and nowhere else:

1. Time never goes back, and never stands still: what is skipped is added to the machine's time for good.
2. It skips only while a worker runs for the test and nothing holds it: what runs in a thread takes the time it takes.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta

from forebay.clock import SystemClock


class SkippingClock:
    """The machine's clocks, and what has been skipped so far. Implements `forebay.clock.Clock`; safe in any thread."""

    def __init__(self, *, is_virtual: bool) -> None:
        self.is_virtual = is_virtual
        self.skipped_s = 0.0
        self.runs = 0
        """Workers that run at the moment; changed on the cloud's own loop only."""
        self._system = SystemClock()
        self._holds: set[Hashable] = set()  # One `add` or `discard` is atomic.

    def now(self) -> float:
        return self._system.now() + self.skipped_s

    def utc(self) -> datetime:
        return self._system.utc() + timedelta(seconds=self.skipped_s)

    @property
    def may_skip(self) -> bool:
        """Whether nothing is going on that takes real time."""
        return self.is_virtual and self.runs > 0 and not self._holds

    def skip(self, seconds: float) -> None:
        """Leave out so many seconds."""
        assert seconds >= 0, seconds
        self.skipped_s += seconds

    def hold(self, what: Hashable) -> None:
        """Keep real time until `what` is let go."""
        self._holds.add(what)

    def let_go(self, what: Hashable) -> None:
        self._holds.discard(what)
