"""Virtual time for verbs that look again and again: a wait moves the clock on, and lets the next thing happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from forebay.clock import VirtualClock

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class VirtualPace(VirtualClock):
    """Nobody sleeps: what happens meanwhile is given, one thing for each wait."""

    def __init__(self, *meanwhile: Callable[[], object], start_utc: datetime = NOW) -> None:
        super().__init__(start_utc=start_utc)
        self._meanwhile = list(meanwhile)

    def wait(self, seconds: float) -> None:
        self.advance(seconds)
        if self._meanwhile:
            self._meanwhile.pop(0)()
