"""What a manifest says of a service's surroundings: network, schedules, topics, logs, alarms, permissions. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from forebay.deploy.manifest.section import Section
from forebay.deploy.manifest.values import Seconds, Text


class Network(Section):
    """Where the tasks run, and how they reach AWS."""

    type: Literal["default", "existing", "new"] = "default"
    """The account's default VPC, a VPC that exists, or a small one of the stack's own."""
    vpc: Text | None = None
    """`existing` only: the VPC's id."""
    subnets: tuple[Text, ...] = ()
    """`existing` only: subnet ids."""
    security_groups: tuple[Text, ...] = ()
    """More security groups for the tasks. One of the stack's own lets nothing in and everything out."""
    egress: Literal["public_ip", "nat", "endpoints"] = "public_ip"
    """How tasks reach SQS, ECR, logs and ECS. With `existing`, `nat` and `endpoints` say what is there already."""
    zones: int = Field(default=2, ge=1, le=3)
    """`new` only: availability zones."""
    cidr: Text = "10.0.0.0/20"
    """`new` only: the VPC's addresses. A network of /16 to /24."""

    @model_validator(mode="after")
    def _existing_is_named(self) -> Self:
        if self.type == "existing" and not (self.vpc and self.subnets):
            raise ValueError("type: existing needs vpc and subnets")
        if self.type != "existing" and (self.vpc or self.subnets):
            raise ValueError(f"vpc and subnets go with type: existing, not with type: {self.type}")
        if self.type == "default" and self.egress != "public_ip":
            raise ValueError("the default VPC has public subnets only: use egress: public_ip, or type: new")
        return self

    @model_validator(mode="after")
    def _addresses_are_a_network(self) -> Self:
        try:
            size = IPv4Network(self.cidr).prefixlen
        except ValueError as error:
            raise ValueError(f"cidr={self.cidr!r} is no IPv4 network: {error}") from None
        if not 16 <= size <= 24:
            raise ValueError(f"cidr={self.cidr} must be from /16 to /24: VPCs are no larger, and subnets need room")
        return self


class Schedule(Section):
    """A job that EventBridge Scheduler puts on the queue."""

    cron: Text | None = None
    """Six fields as EventBridge has them: minute hour day-of-month month day-of-week year."""
    every: Seconds | None = Field(default=None, ge=60)
    """A rate; whole minutes."""
    timezone: Text = "UTC"
    job: Text | None = None
    """The job's name (attribute `job`)."""
    body: Any = Field(default_factory=dict)
    """The message's body; JSON unless it is text."""
    jitter: Seconds = Field(default=0, ge=0, le=86_400)
    """The job is sent within so long after its time; whole minutes."""
    group: Text | None = None
    """The message group; FIFO queues need one."""
    enabled: bool = True

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise ValueError("a schedule needs either cron or every")
        return self


class Subscription(Section):
    """A topic of SNS whose messages come to the queue."""

    arn: Text
    raw: bool = False
    """Without SNS's envelope. With it, `SnsNotification[T]` reads it."""
    filter: dict[str, Any] | None = None
    filter_on: Literal["attributes", "body"] = "attributes"


class Logs(Section):
    """Where the container's output goes: CloudWatch Logs."""

    retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653] = 30
    key: Text | None = None
    """ARN of a KMS key for the log group."""
    mode: Literal["blocking", "non-blocking"] = "non-blocking"
    buffer_mib: int = Field(default=25, ge=1, le=256)
    """What non-blocking mode holds before it drops lines."""


class Alarms(Section):
    """What rings, and who hears it."""

    enabled: bool = True
    notify: Text | None = None
    """ARN of an SNS topic that exists."""
    emails: tuple[Text, ...] = ()
    """Addresses for a topic of the stack's own."""
    wait: Seconds = Field(default=600.0, ge=60)
    """The objective: the oldest message is younger than this."""
    dead_letters: int = Field(default=1, ge=1)
    no_progress: Seconds = Field(default=600.0, ge=60)
    """Messages wait and none is deleted for so long."""
    dashboard: bool = True


class Permission(Section):
    """What the user's code may do beyond the worker's own needs: one IAM statement of the task role."""

    actions: tuple[Text, ...] = Field(min_length=1)
    resources: tuple[Text, ...] = Field(min_length=1)
    conditions: dict[str, dict[str, Any]] = Field(default_factory=dict)
