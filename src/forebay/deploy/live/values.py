"""What is known of a live service at one moment, as values. Pure.

Rules kept here and nowhere else:

1. What could not be read is `Unread`, with its reason, in the place of the value: a missing permission hides no more
   than what it is for.
2. Instants are wall-clock times of AWS, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forebay.deploy.live.where import Where
from forebay.deploy.rollout import Deployment, StopGroup


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read, and why, in one sentence."""

    reason: str
    is_elsewhere: bool = False
    """Whether it was not asked for: a local ECS stands alone."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the scheduler or the scaling has told."""

    at_utc: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """The service as ECS describes it."""

    status: str
    desired: int
    running: int
    pending: int
    revision: int
    has_exec: bool
    deployments: tuple[Deployment, ...]
    """PRIMARY first."""
    events: tuple[Happening, ...]
    """The newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task that has not stopped."""

    task_id: str
    status: str
    revision: int
    created_utc: datetime | None
    started_utc: datetime | None
    health: str
    capacity: str
    """FARGATE or FARGATE_SPOT."""
    has_exec: bool
    is_stopping: bool
    """ECS wants it stopped; it may still run for its stop timeout."""


@dataclass(frozen=True, slots=True)
class Protected:
    """A task that ECS does not stop before `until_utc`."""

    task_id: str
    until_utc: datetime | None


@dataclass(frozen=True, slots=True)
class Tasks:
    """The service's tasks."""

    alive: tuple[TaskState, ...]
    stopped: tuple[StopGroup, ...]
    """What stopped within about the last hour and was not meant to, by reason, the largest group first."""


@dataclass(frozen=True, slots=True)
class Age:
    """How long the oldest message had waited when CloudWatch last looked."""

    oldest_s: float
    at_utc: datetime


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The queue of messages that failed too often."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The queue's depth. SQS's counts are approximate."""

    name: str
    url: str
    visible: int
    in_flight: int
    delayed: int
    oldest: Age | Unread | None
    """None: CloudWatch knows of none in the last minutes."""
    dead: DeadLetters | Unread | None
    """None: the queue has no dead-letter queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between how many tasks Application Auto Scaling moves the service, and what of it is suspended."""

    least: int
    most: int
    suspended: tuple[str, ...] = ()
    """Of `in`, `out` and `scheduled`."""

    @property
    def is_paused(self) -> bool:
        """Whether no policy changes the count, in neither direction."""
        return {"in", "out"} <= set(self.suspended)


@dataclass(frozen=True, slots=True)
class ScalingState:
    """The scaling of the service."""

    bounds: Bounds
    activities: tuple[Happening, ...] | Unread
    """What was done, or why it was not; the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState:
    """An alarm of CloudWatch."""

    name: str
    label: str
    """What the template calls it: the name without the stack's and without CloudFormation's ending."""
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    since_utc: datetime | None
    about: str
    """Its description: what is wrong, and what to do first."""
    is_signal: bool = False
    """True of those that start and stop tasks: they ring all day, and nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that `forebay status` shows."""

    where: Where
    read_utc: datetime
    service: ServiceState | Unread
    tasks: Tasks | Unread
    protected: tuple[Protected, ...] | Unread
    queue: QueueState | Unread
    scaling: ScalingState | Unread | None
    """None: the count is fixed."""
    alarms: tuple[AlarmState, ...] | Unread
