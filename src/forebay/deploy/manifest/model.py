"""What a manifest says, as values: every key of `forebay.yml`, its default, bounds and meaning. Pure.

Rules kept here and nowhere else:

1. A key that is not here is an error. The JSON Schema that editors use is made of these classes, docstrings included.
2. What one value cannot be by itself is refused by its type; what two values cannot be together by a validator of the
   class that holds both. Each message says the remedy.
3. What depends on AWS's state, or is merely unwise, is no error here: `forebay doctor` tells it.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from forebay.deploy.manifest.section import Section
from forebay.deploy.manifest.surroundings import Alarms, Logs, Network, Permission, Schedule, Subscription
from forebay.deploy.manifest.values import EnvironmentName, Seconds, ServiceName, Text

Scalar = str | int | float | bool


class Build(Section):
    """How the image is built."""

    dockerfile: Text = "Dockerfile"
    """Path of the Dockerfile, from the manifest's folder."""
    context: Text = "."
    """The folder that is sent to the build, from the manifest's folder."""
    target: Text | None = None
    """The stage to build; the last one when omitted."""
    args: dict[str, str] = Field(default_factory=dict)
    """Values of the Dockerfile's ARGs. They stay readable in the image: no secrets."""
    secrets: dict[str, Text] = Field(default_factory=dict)
    """id → path of a file, from the manifest's folder or `~/…`. `RUN --mount=type=secret,id=…` sees it for one step."""


class Image(Section):
    """Where the container image comes from: built here, or already somewhere."""

    build: Build = Build()
    location: Text | None = None
    """An image that exists, best by digest (`…@sha256:…`). Nothing is built then."""


class Queue(Section):
    """The queue that feeds the service, and its dead-letter queue."""

    type: Literal["standard", "fair", "fifo"] = "standard"
    """`fair`: a standard queue whose producers give message groups; the dashboard shows noisy and quiet ones."""
    visibility: Seconds | None = Field(default=None, ge=0, le=43_200)
    """The queue's visibility timeout. Default: that of `run:`, else 60 s. Workers ask for their own at each receive."""
    retention: Seconds = Field(default=345_600, ge=60, le=1_209_600)
    delay: Seconds = Field(default=0, ge=0, le=900)
    attempts: int = Field(default=5, ge=1, le=990)
    """How often a job may fail. The queue's maxReceiveCount is ten more: SQS counts restarts too."""
    dead_letter_retention: Seconds = Field(default=1_209_600, ge=60, le=1_209_600)
    encryption: Text = "sqs"
    """`sqs` (free), `kms` (a key of the stack's own), or the ARN of a key."""
    content_based_deduplication: bool = False
    high_throughput: bool = False
    producers: tuple[Text, ...] = ()
    """ARNs of roles or accounts that may send, beyond what identity policies of this account allow."""
    keep: bool = True
    """The queues stay when the stack is deleted (`forebay delete` asks)."""

    @property
    def max_receive_count(self) -> int:
        """Ten above the attempts: releases at deployments count as receives, and must never bury a job."""
        return self.attempts + 10


class Scaling(Section):
    """How many tasks: managed target tracking on the backlog of each task."""

    min: int = Field(default=1, ge=0, le=5_000)
    max: int = Field(ge=1, le=5_000)
    latency: Seconds = Field(default=60.0, gt=0)
    """The longest queue wait that is fine."""
    job: Seconds = Field(default=1.0, gt=0)
    """How long one job takes on average. Backlog per task = latency × slots ÷ job."""
    in_cooldown: Seconds = Field(default=120.0, ge=0)
    out_cooldown: Seconds = Field(default=60.0, ge=0)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min={self.min} is above max={self.max}")
        return self


class Spot(Section):
    """Which part of the tasks runs on Fargate Spot."""

    base: int = Field(default=0, ge=0, le=100_000)
    """So many tasks are on demand before any is on Spot."""
    percent: int = Field(default=0, ge=0, le=100)
    """So many of a hundred tasks beyond the base are on Spot. 0: none."""


class Deployment(Section):
    """How a new version takes the place of the old one."""

    minimum_percent: int = Field(default=100, ge=0, le=100)
    maximum_percent: int = Field(default=200, ge=100, le=200)
    rollback: bool = True
    """Go back when the new tasks do not start (circuit breaker) or the alarms of `alarms:` ring."""
    zone_rebalancing: bool = False
    """Whether ECS may stop tasks to even out the zones. Long jobs lose by it."""

    @model_validator(mode="after")
    def _there_is_room(self) -> Self:
        if self.minimum_percent == self.maximum_percent == 100:
            raise ValueError(
                "minimum_percent and maximum_percent are both 100, so no task may stop and none may start: "
                "raise maximum_percent, or lower minimum_percent"
            )
        if self.zone_rebalancing and self.maximum_percent == 100:
            raise ValueError("zone_rebalancing needs maximum_percent above 100: ECS starts the new task first")
        return self


class Run(Section):
    """The settings of `forebay run`, as in `forebay.yml` for a worker on this machine; the container gets them too."""

    queue: Text | tuple[Text, ...] | None = None
    """For a worker started by hand. A deployed one works the stack's own queue."""
    slots: int | None = None
    visibility: int | None = None
    margin: float | None = None
    drain: float | None = None
    """Default when deployed: 110 s, with stopTimeout 120."""
    protect: Literal["auto", "always", "never"] | None = None
    linger: float | None = None
    log: Literal["text", "json"] | None = None
    """Default when deployed: json."""
    buffer_bytes: int | Text | None = None
    processes: int | None = None
    stuck: Literal["replace", "wait"] | None = None
    exit_when_empty: bool | None = None
    error_detail: Literal["frames", "full"] | None = None
    dead_letter_detail: Literal["frames", "full"] | None = None
    dead_letter: Text | None = None
    health: Text | None = None


class Manifest(Section):
    """One service: a worker, its queue, and how it is run. One environment's overrides are merged in already."""

    name: ServiceName
    handler: Text | None = None
    """`module:attribute` of the Worker, as `forebay run` takes it. Omitted: the sample worker of the article."""
    image: Image = Image()
    cpu: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    """CPU units: 1,024 are one vCPU."""
    memory: int = Field(default=512, ge=512, le=122_880)
    """MiB; Fargate has a range for each `cpu`."""
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    disk: int | None = Field(default=None, ge=21, le=200)
    """GiB of ephemeral storage; 20 when omitted."""
    queue: Queue = Queue()
    count: int | None = Field(default=None, ge=0, le=5_000)
    """A fixed number of tasks. 1 when neither this nor `scaling` is given."""
    scaling: Scaling | None = None
    spot: Spot = Spot()
    deployment: Deployment = Deployment()
    stop_timeout: Seconds = Field(default=120.0, ge=2, le=120)
    """Seconds between SIGTERM and SIGKILL; Fargate allows 2 to 120."""
    network: Network = Network()
    cluster: Text | None = None
    """A cluster that exists. Omitted: one of the stack's own."""
    insights: Literal["off", "on", "enhanced"] | None = None
    """Container Insights of the stack's own cluster. Default: on when scaled: the law needs RunningTaskCount."""
    exec: bool = False
    """ECS Exec. It needs a writable root file system, so the container's is not read-only then."""
    variables: dict[str, Scalar] = Field(default_factory=dict)
    secrets: dict[str, Text] = Field(default_factory=dict)
    """Variable → `/name` of an SSM parameter, or the ARN of a parameter or secret (`…:json-key::` is allowed)."""
    secrets_keys: tuple[Text, ...] = ()
    """ARNs of the KMS keys that the secrets are encrypted with, where these are not AWS's own."""
    schedules: dict[str, Schedule] = Field(default_factory=dict)
    topics: dict[str, Subscription] = Field(default_factory=dict)
    payload_bucket: bool | Text = False
    """true: a bucket of the stack's own; or the name of one that exists. The container gets PAYLOAD_BUCKET."""
    logs: Logs = Logs()
    alarms: Alarms = Alarms()
    permissions: tuple[Permission, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    run: Run = Run()

    @model_validator(mode="after")
    def _count_or_scaling(self) -> Self:
        if self.count is not None and self.scaling is not None:
            raise ValueError("count and scaling exclude each other: keep one of them")
        return self

    @model_validator(mode="after")
    def _scaling_knows_the_slots(self) -> Self:
        if self.scaling is not None and self.run.slots is None:
            raise ValueError("scaling needs `run: slots:`, since a task's backlog is latency × slots ÷ job")
        return self

    @property
    def is_scaled(self) -> bool:
        return self.scaling is not None

    @property
    def tasks_at_first(self) -> int:
        """How many tasks a first deployment starts."""
        return self.scaling.min if self.scaling else 1 if self.count is None else self.count


EnvironmentNames = tuple[EnvironmentName, ...]
