"""What a manifest says of the service itself: its image, queue, tasks, and how versions are replaced. Pure."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from forebay.deploy.manifest.section import Section
from forebay.deploy.manifest.values import Contradiction, ListOf, Matching, Scalar, Seconds, Text, WholeSeconds


class Build(Section):
    """How the image is built."""

    dockerfile: Text = "Dockerfile"
    """Path of the Dockerfile, from the manifest's folder."""
    context: Text = "."
    """The folder that is sent to the build, from the manifest's folder."""
    target: Text | None = None
    """The stage to build; the last one when omitted."""
    args: dict[str, Scalar] = Field(default_factory=dict)
    """Values of the Dockerfile's ARGs. They stay readable in the image: no secrets."""
    secrets: dict[str, Text] = Field(default_factory=dict)
    """id → path of a file, from the manifest's folder or `~/…`. `RUN --mount=type=secret,id=…` sees it for one step."""


class Image(Section):
    """Where the container image comes from: built here, or already somewhere."""

    build: Build = Build()
    """How it is built."""
    location: Text | None = None
    """An image that exists, best by digest (`…@sha256:…`). Nothing is built then."""

    @model_validator(mode="after")
    def _built_or_there(self) -> Self:
        if self.location is not None and "build" in self.model_fields_set:
            raise Contradiction("location", "build and location exclude each other: keep one of them")
        return self


Encryption = Annotated[
    str,
    Matching(
        r"sqs|kms|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+",
        "write sqs (free), kms (a key of the stack's own) or the ARN of a key",
    ),
]
Producer = Annotated[
    str,
    Matching(
        r"[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/.+)",
        "write an account id of 12 digits, or the ARN of a role or user",
    ),
]


RELEASES = 10
"""What the queue's maxReceiveCount has above the attempts: restarts, drains and releases count as receives too."""


class Queue(Section):
    """The queue that feeds the service, and its dead-letter queue."""

    type: Literal["standard", "fair", "fifo"] = "standard"
    """`fair`: a standard queue whose producers give message groups; the dashboard shows noisy and quiet ones."""
    visibility: WholeSeconds | None = Field(default=None, ge=0, le=43_200)
    """The queue's visibility timeout. Default: that of `run:`, else 60 s. Workers ask for their own at each receive."""
    retention: WholeSeconds = Field(default=345_600, ge=60, le=1_209_600)
    """How long a message is kept that nobody does. 4 days."""
    delay: WholeSeconds = Field(default=0, ge=0, le=900)
    """How long each message waits before it is seen."""
    attempts: int = Field(default=5, ge=1, le=990)
    """How often a job may fail. The queue's maxReceiveCount is ten more: SQS counts restarts too."""
    dead_letter_retention: WholeSeconds = Field(default=1_209_600, ge=60, le=1_209_600)
    """How long the dead-letter queue keeps what is buried there. 14 days; a message's age goes on counting there."""
    encryption: Encryption = "sqs"
    """`sqs` (free), `kms` (a key of the stack's own), or the ARN of a key."""
    content_based_deduplication: bool = False
    """`fifo` only: SQS drops a message whose body it has had in the last five minutes."""
    high_throughput: bool = False
    """`fifo` only: deduplicate and limit the rate in each message group instead of in the whole queue."""
    producers: ListOf[Producer] = ()
    """ARNs of roles or users, or accounts, that may send, beyond what identity policies of this account allow."""
    keep: bool = True
    """The queues stay when the stack is deleted (`forebay delete` asks)."""

    @property
    def max_receive_count(self) -> int:
        """Ten above the attempts: releases at deployments count as receives, and must never bury a job."""
        return self.attempts + RELEASES

    @model_validator(mode="after")
    def _fifo_has_its_own_keys(self) -> Self:
        for key in ("content_based_deduplication", "high_throughput"):
            if getattr(self, key) and self.type != "fifo":
                raise Contradiction(key, f"{key} is for type: fifo, and this queue's type is {self.type}")
        return self


class Scaling(Section):
    """How many tasks: managed target tracking on the backlog of each task."""

    min: int = Field(default=1, ge=0, le=5_000)
    """The fewest tasks. 0: none while the queue is empty; the first message starts one."""
    max: int = Field(ge=1, le=5_000)
    """The most tasks."""
    latency: Seconds = Field(default=60.0, gt=0)
    """The longest queue wait that is fine."""
    job: Seconds = Field(default=1.0, gt=0)
    """How long one job takes on average. Backlog per task = latency × slots ÷ job."""
    in_cooldown: WholeSeconds = Field(default=120, ge=0, le=86_400)
    """After tasks have been taken away, so long passes before more are."""
    out_cooldown: WholeSeconds = Field(default=60, ge=0, le=86_400)
    """After tasks have been added, so long passes before more are."""

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min > self.max:
            raise Contradiction("min", f"min: {self.min} is above max: {self.max}")
        return self


class Spot(Section):
    """Which part of the tasks runs on Fargate Spot."""

    base: int = Field(default=0, ge=0, le=100_000)
    """So many tasks are on demand before any is on Spot."""
    percent: int = Field(default=0, ge=0, le=100)
    """So many of a hundred tasks beyond the base are on Spot. 0: none."""

    @model_validator(mode="after")
    def _a_base_is_of_something(self) -> Self:
        if self.base and not self.percent:
            raise Contradiction("base", "base without percent: all tasks are on demand anyway. Add percent, such as 75")
        return self


class Deployment(Section):
    """How a new version takes the place of the old one."""

    minimum_percent: int = Field(default=100, ge=0, le=100)
    """So many of a hundred tasks stay running meanwhile."""
    maximum_percent: int = Field(default=200, ge=100, le=200)
    """So many of a hundred tasks may there be meanwhile, old and new."""
    rollback: bool = True
    """Go back when the new tasks do not start (circuit breaker) or the alarms of `alarms:` ring."""
    zone_rebalancing: bool = False
    """Whether ECS may stop tasks to even out the zones. Long jobs lose by it."""

    @model_validator(mode="after")
    def _something_can_move(self) -> Self:
        if self.minimum_percent == self.maximum_percent:
            raise Contradiction(
                "maximum_percent",
                "minimum_percent and maximum_percent are both 100, so no task may stop and none may start: "
                "raise maximum_percent, or lower minimum_percent",
            )
        if self.zone_rebalancing and self.maximum_percent == 100:
            raise Contradiction(
                "zone_rebalancing", "zone_rebalancing needs maximum_percent above 100: ECS starts the new task first"
            )
        return self
