"""What is known of one deployment, in one shape, whether read from a template or from what is live. Pure.

Rules kept here and nowhere else:

1. A value is what AWS would act on: a property that a template leaves out has AWS's default, not one of ours.
2. None says that it is not known, or that there is no such thing where the comment says so; checks are silent then.
3. Everything has a `place`, so that a finding can say where it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.deploy.policies import Statement
from forebay.deploy.template.resolving import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue's attributes."""

    place: str
    name: str
    arn: str
    is_fifo: bool = False
    visibility_s: float = 30.0
    retention_s: float = 345_600.0
    delay_s: float = 0.0
    wait_s: float = 0.0
    is_deduplicated_by_content: bool = False
    is_fast_fifo: bool = False
    """Throughput for each message group."""
    dead_letter_arn: str | None = None
    """None: it has no dead-letter queue."""
    receive_count_max: int | None = None
    allowed_sources: tuple[str, ...] | None = None
    """Of a dead-letter queue: which queues may name it. None: any of the account."""
    kms_key: str | None = None
    """None: no key of KMS."""
    is_encrypted_by_sqs: bool = True
    policy: tuple[Statement, ...] = ()
    is_kept: bool | None = None
    """Whether the messages outlive a replacement of the resource. None: not known."""

    @property
    def account(self) -> Account | None:
        """Where the queue is; None when its ARN does not say."""
        parts = self.arn.split(":")
        return Account(parts[3], parts[4], parts[1]) if len(parts) == 6 and all(parts[1:5]) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The worker's container, as the task definition has it."""

    place: str
    name: str
    image: str
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variable → the parameter or secret that it comes from."""
    stop_timeout_s: float = 30.0
    user: str | None = None
    """None: the image's own."""
    is_read_only: bool = False
    writable_paths: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    is_privileged: bool = False
    health: tuple[str, ...] | None = None
    """None: no health check."""
    log_driver: str | None = None
    log_options: Mapping[str, str] = field(default_factory=dict[str, str])
    restarts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The task definition."""

    place: str
    cpu: int | None
    memory_mib: int | None
    container: Container


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role, and what it may do."""

    place: str
    name: str
    trust: tuple[Statement, ...] = ()
    statements: tuple[Statement, ...] = ()
    is_whole: bool = True
    """False: some policies could not be read, so that what is not granted here may be granted there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The ECS service."""

    place: str
    cluster: str
    name: str
    desired: int | None = None
    """None: the template leaves it to who scales."""
    minimum_percent: int = 100
    maximum_percent: int = 200
    breaks_circuit: bool | None = False
    rolls_back: bool | None = False
    rebalances: bool | None = True
    """ECS's default for new services since September 2025."""
    has_exec: bool = False
    platform: str = "LATEST"
    spot_weight: int = 0
    on_demand_weight: int = 0
    on_demand_base: int = 0
    has_public_ip: bool | None = None
    running: int | None = None
    """Live only."""
    active_deployments: int | None = None
    """Live only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of Application Auto Scaling."""

    place: str
    kind: str
    """`TargetTrackingScaling` or `StepScaling`."""
    target: float | None = None
    predefined: str | None = None
    metrics: tuple[tuple[str, str], ...] = ()
    """(namespace, metric), in the order of the policy."""
    expressions: tuple[str, ...] = ()
    adds_from_zero: bool = False
    """A step policy that sets or adds at least one task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The scalable target and its policies."""

    place: str
    minimum: int
    maximum: int
    policies: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm on metrics of SQS."""

    place: str
    name: str
    metrics: tuple[tuple[str, str], ...]
    """(queue, metric)."""
    threshold: float | None
    actions: int
    """How many it tells or starts when it rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the tasks reach AWS."""

    place: str
    to_internet: bool | None = None
    """Their subnets send the internet's traffic to an internet gateway. None: not known."""
    to_nat: bool | None = None
    endpoints: frozenset[str] | None = None
    """Services that have an endpoint, such as `ecr.api`. None: not known."""
    open_from: tuple[str, ...] = ()
    """Address ranges that the tasks' security group lets in."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule whose target is a queue."""

    place: str
    every_s: float | None
    """None: it is no rate."""
    queue: str
    group: str | None
    has_deduplication_id: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A topic's subscription to a queue."""

    place: str
    topic: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """Where the container's output goes."""

    place: str
    name: str
    retention_days: int | None
    """None: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One deployment. What is missing here could not be read or is not there."""

    origin: str
    """`template` or `live`."""
    queue: Queue | None = None
    dead_letter: Queue | None = None
    task: Task | None = None
    task_role: Role | None = None
    execution_role: Role | None = None
    service: Service | None = None
    scaling: Scaling | None = None
    alarms: tuple[Alarm, ...] | None = None
    """None: not known."""
    network: Network | None = None
    schedules: tuple[Schedule, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    log_group: LogGroup | None = None
    insights: str | None = None
    """Container Insights of the cluster: `disabled`, `enabled`, `enhanced`. None: not known."""
    depth: Mapping[str, int] = field(default_factory=dict[str, int])
    """Live only: queue name → messages that wait in it."""
    unread: Mapping[str, str] = field(default_factory=dict[str, str])
    """Live only: what could not be read → why."""
