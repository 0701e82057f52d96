"""What a scaling law is told, what it answers, and what a controller needs around it.

Rules kept here and nowhere else:

1. A law is pure: readings in, a decision out; it keeps its own memory of earlier readings and reads no clock.
2. A decision says why, in words a person can check against the readings.
3. A reading that could not be had is None, and a law then leaves the service as it is (facts/scaling.md section 1,
   missing data).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReading:
    """A queue over one period that ended at `at`."""

    at: float
    """The law's own clock, in seconds."""
    period_s: float
    visible: int
    in_flight: int
    delayed: int
    oldest_age_s: float = 0.0
    sent: int = 0
    """Messages sent within the period; so with the next three."""
    received: int = 0
    deleted: int = 0
    empty_receives: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReading:
    """A service at one moment."""

    desired: int
    running: int
    pending: int
    protected: int
    is_deploying: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a law makes of the readings."""

    desired: int | None
    """The count that is to be wanted from now on; None leaves it."""
    reason: str
    """One sentence with the figures that it rests on."""
    metric: float | None = None
    """What the law measures, for charts; None when it has no value."""


class Law(Protocol):
    """Decides how many tasks there should be. Called once a period."""

    @property
    def name(self) -> str: ...

    @property
    def target(self) -> float:
        """What the metric is to be kept at."""
        ...

    def decide(self, queue: QueueReading | None, service: ServiceReading, *, now: float) -> Decision: ...


class QueueMeter(Protocol):
    """Reads a queue's metrics of the period that has just ended."""

    async def read(self) -> QueueReading | None: ...


class ScalableService(Protocol):
    """A service whose count can be read and set."""

    async def read(self) -> ServiceReading: ...

    async def set_desired(self, count: int) -> None: ...
