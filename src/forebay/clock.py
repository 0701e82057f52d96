"""Time. Instants are monotonic float seconds; wall-clock times are aware UTC datetimes and stay at the edges."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the program gets its time from. Pure modules are given `now` as an argument instead."""

    def now(self) -> float:
        """Monotonic seconds from an arbitrary start."""
        ...

    def utc(self) -> datetime:
        """The wall clock, for people and for AWS."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)


class VirtualClock:
    """Time that moves only when told to, for tests and simulations."""

    def __init__(self, *, start_at: float = 0.0, start_utc: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start_at
        self._start_at = start_at
        self._start_utc = start_utc

    def now(self) -> float:
        return self._now

    def utc(self) -> datetime:
        return self._start_utc + timedelta(seconds=self._now - self._start_at)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, which must not be negative: monotonic time never goes back."""
        assert seconds >= 0, seconds
        self._now += seconds
