"""What a manifest says of a service's surroundings: network, schedules, topics, logs, alarms, permissions. Pure."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from forebay.deploy.manifest import cron
from forebay.deploy.manifest.section import Section
from forebay.deploy.manifest.values import Contradiction, ListOf, Matching, Text, WholeSeconds, arn_of


class Network(Section):
    """Where the tasks run, and how they reach AWS."""

    type: Literal["default", "existing", "new"] = "default"
    """The account's default VPC, a VPC that exists, or a small one of the stack's own."""
    vpc: Annotated[str, Matching(r"vpc-[0-9a-f]+", "write a VPC's id such as vpc-0a1b2c3d")] | None = None
    """`existing` only: the VPC's id."""
    subnets: ListOf[Annotated[str, Matching(r"subnet-[0-9a-f]+", "write a subnet's id such as subnet-0a1b2c3d")]] = ()
    """`existing` only: subnet ids."""
    security_groups: ListOf[Annotated[str, Matching(r"sg-[0-9a-f]+", "write a group's id such as sg-0a1b2c3d")]] = ()
    """More security groups for the tasks. One of the stack's own lets nothing in and everything out."""
    egress: Literal["public_ip", "nat", "endpoints"] = "public_ip"
    """How tasks reach SQS, ECR, logs and ECS. With `existing`, `nat` and `endpoints` say what is there already.

    USD a month: `public_ip` 3.65 a task, `nat` 36.50 a zone, `endpoints` 7.30 for each of five or more and zone.
    """
    zones: int = Field(default=2, ge=1, le=3)
    """`new` only: availability zones."""
    cidr: Text = "10.0.0.0/20"
    """`new` only: the addresses of the VPC; /16 to /24."""

    @field_validator("cidr")
    @classmethod
    def _addresses_fit(cls, cidr: str) -> str:
        try:
            network = ipaddress.IPv4Network(cidr)
        except ValueError:
            raise ValueError("write a range of IPv4 addresses such as 10.0.0.0/20") from None
        if not 16 <= network.prefixlen <= 24:
            raise ValueError("a VPC here has /16 to /24, such as 10.0.0.0/20")
        return cidr

    @model_validator(mode="after")
    def _type_and_keys_fit(self) -> Self:
        if self.type == "existing" and not (self.vpc and self.subnets):
            raise Contradiction("type", "type: existing needs vpc and subnets")
        if self.type != "existing" and (self.vpc or self.subnets):
            key = "vpc" if self.vpc else "subnets"
            raise Contradiction(key, f"vpc and subnets go with type: existing, not with type: {self.type}")
        if self.type == "default" and self.egress != "public_ip":
            raise Contradiction(
                "egress", "the default VPC has public subnets only: use egress: public_ip, or type: new or existing"
            )
        return self


class Schedule(Section):
    """A job that EventBridge Scheduler puts on the queue."""

    cron: Text | None = None
    """Six fields as EventBridge has them: minute hour day-of-month month day-of-week year, such as `0 6 * * ? *`."""
    every: WholeSeconds | None = Field(default=None, ge=60)
    """A rate; whole minutes."""
    timezone: Annotated[str, Matching(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "write a zone such as Europe/Berlin")] = (
        "UTC"
    )
    """The time zone of `cron`."""
    job: Text | None = None
    """The job's name (attribute `job`)."""
    body: Any = Field(default_factory=dict)
    """The message's body; JSON unless it is text."""
    jitter: WholeSeconds = Field(default=0, ge=0, le=86_400)
    """The job is sent within so long after its time; whole minutes."""
    group: Text | None = None
    """The message group; FIFO queues need one."""
    enabled: bool = True
    """false: it is there, and sends nothing."""

    @field_validator("cron")
    @classmethod
    def _scheduler_takes_it(cls, text: str | None) -> str | None:
        return None if text is None else cron.checked(text)

    @field_validator("every", "jitter")
    @classmethod
    def _whole_minutes(cls, value: int | None) -> int | None:
        if value is not None and value % 60:
            raise ValueError("write whole minutes, such as '5m'")
        return value

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise Contradiction("every", "a schedule needs either cron or every")
        return self


class Subscription(Section):
    """A topic of SNS whose messages come to the queue."""

    arn: Annotated[str, arn_of("sns", "arn:aws:sns:eu-west-1:123456789012:orders")]
    """The topic's ARN."""
    raw: bool = False
    """Without SNS's envelope. With it, `SnsNotification[T]` reads it."""
    filter: dict[str, Any] | None = None
    """SNS's filter policy."""
    filter_on: Literal["attributes", "body"] = "attributes"
    """What the filter looks at."""


class Logs(Section):
    """Where the container's output goes: CloudWatch Logs."""

    retention_days: Literal[
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
    ] = 30
    """How long lines are kept."""
    key: Annotated[str, arn_of("kms", "arn:aws:kms:eu-west-1:123456789012:key/…")] | None = None
    """ARN of a KMS key for the log group."""
    mode: Literal["blocking", "non-blocking"] = "non-blocking"
    """Whether the container waits when lines cannot be sent away, or drops some."""
    buffer_mib: int = Field(default=25, ge=1, le=256)
    """What non-blocking mode holds before it drops lines."""


class Alarms(Section):
    """What rings, and who hears it."""

    enabled: bool = True
    """false: no alarms at all."""
    notify: Annotated[str, arn_of("sns", "arn:aws:sns:eu-west-1:123456789012:alarms")] | None = None
    """ARN of an SNS topic that exists."""
    emails: ListOf[Annotated[str, Matching(r"[^@\s]+@[^@\s]+", "write an address such as ops@example.com")]] = ()
    """Addresses for a topic of the stack's own."""
    wait: WholeSeconds = Field(default=600, ge=60)
    """The objective: the oldest message is younger than this."""
    dead_letters: int = Field(default=1, ge=1)
    """So many messages in the dead-letter queue are too many."""
    no_progress: WholeSeconds = Field(default=600, ge=60, le=86_400)
    """Messages wait and none is deleted for so long."""
    dashboard: bool = True
    """A CloudWatch dashboard. Three are free in an account."""


class Permission(Section):
    """What the user's code may do beyond the worker's own needs: one IAM statement of the task role."""

    actions: ListOf[
        Annotated[str, Matching(r"[a-z0-9-]+:[A-Za-z0-9*?]+", "write an action of IAM such as s3:GetObject")]
    ] = Field(min_length=1)
    """Actions, such as `s3:GetObject`."""
    resources: ListOf[Annotated[str, Matching(r"\*|arn:.+", "write an ARN, or * in quotes")]] = Field(min_length=1)
    """ARNs. `*` alone must be in quotes."""
    conditions: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """IAM's conditions: operator → key → value."""
