"""What a manifest says, as values: every key of `forebay.yml`, its default, bounds and meaning. Pure.

Rules kept here and nowhere else:

1. A key that is not here is an error. The JSON Schema that editors use is made of these classes, docstrings included.
2. What one value cannot be by itself is refused by its type; what two values cannot be together by a validator of the
   class that holds both. Each message says the remedy.
3. What depends on AWS's state, or is merely unwise, is no error here: `forebay doctor` tells it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from forebay.deploy.manifest import fargate
from forebay.deploy.manifest.running import Run
from forebay.deploy.manifest.section import Section
from forebay.deploy.manifest.surroundings import Alarms, Logs, Network, Permission, Schedule, Subscription
from forebay.deploy.manifest.values import (
    Contradiction,
    EnvironmentName,
    Gibibytes,
    ListOf,
    Matching,
    Mebibytes,
    Scalar,
    ServiceName,
    VariableName,
    WholeSeconds,
    arn_of,
)
from forebay.deploy.manifest.workload import Build, Deployment, Image, Queue, Scaling, Spot

__all__ = [
    "Build", "Deployment", "EnvironmentName", "Image", "Manifest", "Queue", "Run", "Scalar", "Scaling", "Spot",
]  # fmt: skip

TAGS_MAX = 45
"""AWS allows 50 and the stack has some of its own."""

Handler = Annotated[
    str,
    Matching(
        r"[A-Za-z_][\w]*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?",
        "write module:attribute such as shop.jobs:worker, as `forebay run` takes it",
    ),
]
Secret = Annotated[
    str,
    Matching(
        r"/[\w./-]+|arn:aws[a-z-]*:(ssm|secretsmanager):[a-z0-9-]+:[0-9]{12}:.+",
        "write the /name of an SSM parameter, or the ARN of a parameter or secret (a name without / needs its ARN); "
        "never the secret itself",
    ),
]
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


def _bucket(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(_BUCKET, value):
        return value
    if isinstance(value, bool):
        return value
    raise ValueError("write true, false or the name of a bucket")


Bucket = Annotated[
    bool | str,
    BeforeValidator(_bucket),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^{_BUCKET}$"}]}),
]
Cluster = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9_-]{1,255}|arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+",
        "write the name or the ARN of a cluster, such as shop",
    ),
]
Tag = Annotated[
    str, Matching(r"(?!aws:)[\w\s.:/=+@-]{1,128}", "a tag has letters, digits and . : / = + @ _ -, not aws:")
]


class Manifest(Section):
    """One service: a worker, its queue, and how it is run. One environment's overrides are merged in already."""

    name: ServiceName
    """The service's name, of which the names of everything else are made."""
    handler: Handler | None = None
    """`module:attribute` of the Worker, as `forebay run` takes it. Omitted: the sample worker of the article."""
    image: Image = Image()
    """Where the container image comes from."""
    cpu: fargate.Cpu = 256
    """CPU units: 1,024 are one vCPU."""
    memory: Mebibytes = 512
    """MiB, or such as `2GiB`; Fargate has a range for each `cpu`."""
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    """The processor. arm64 costs a fifth less; the image must be built for it."""
    disk: Gibibytes | None = Field(default=None, ge=21, le=200)
    """GiB of ephemeral storage; 20 when omitted."""
    queue: Queue = Queue()
    """The queue, and its dead-letter queue."""
    count: int | None = Field(default=None, ge=0, le=5_000)
    """A fixed number of tasks. 1 when neither this nor `scaling` is given."""
    scaling: Scaling | None = None
    """As many tasks as the queue needs, instead of `count`. Needs `run: slots:`."""
    spot: Spot = Spot()
    """Which part of the tasks runs on Fargate Spot."""
    deployment: Deployment = Deployment()
    """How a new version takes the place of the old one."""
    stop_timeout: WholeSeconds = Field(default=120, ge=2, le=120)
    """Seconds between SIGTERM and SIGKILL; Fargate allows 2 to 120."""
    network: Network = Network()
    """Where the tasks run, and how they reach AWS."""
    cluster: Cluster | None = None
    """A cluster that exists and has the capacity provider FARGATE (FARGATE_SPOT, too, with `spot:`).
    Each environment of an account needs another one: its service has the manifest's name.
    Omitted: one of the stack's own."""
    insights: Literal["off", "on", "enhanced"] | None = None
    """Container Insights of the stack's own cluster. Default: on when scaled: the law needs RunningTaskCount."""
    exec: bool = False
    """ECS Exec. It needs a writable root file system, so the container's is not read-only then."""
    variables: dict[VariableName, Scalar] = Field(default_factory=dict)
    """Environment variables of the container, as text. They can be read by anybody who may look at the stack."""
    secrets: dict[VariableName, Secret] = Field(default_factory=dict)
    """Variable → `/name` of an SSM parameter, or the ARN of a parameter or secret (`…:json-key::` is allowed)."""
    secrets_keys: ListOf[Annotated[str, arn_of("kms", "arn:aws:kms:eu-west-1:123456789012:key/…")]] = ()
    """ARNs of the KMS keys that the secrets are encrypted with, where these are not AWS's own."""
    schedules: dict[ServiceName, Schedule] = Field(default_factory=dict)
    """Name → a job that is sent at given times."""
    topics: dict[ServiceName, Subscription] = Field(default_factory=dict)
    """Name → an SNS topic whose messages come to the queue."""
    payload_bucket: Bucket = False
    """true: a bucket of the stack's own; or the name of one that exists. The container gets PAYLOAD_BUCKET."""
    logs: Logs = Logs()
    """Where the container's output goes."""
    alarms: Alarms = Alarms()
    """What rings, and who hears it."""
    permissions: ListOf[Permission] = ()
    """What the code may do beyond the worker's own needs."""
    tags: dict[Tag, Scalar] = Field(default_factory=dict, max_length=TAGS_MAX)
    """Tags of everything in the stack, such as a cost centre."""
    run: Run = Run()
    """The settings of `forebay run`."""

    @property
    def is_scaled(self) -> bool:
        return self.scaling is not None

    @property
    def tasks_at_first(self) -> int:
        """How many tasks a first deployment starts."""
        return self.scaling.min if self.scaling else 1 if self.count is None else self.count

    @model_validator(mode="after")
    def _count_or_scaling(self) -> Self:
        if self.count is not None and self.scaling is not None:
            raise Contradiction("count", "count and scaling exclude each other: keep one of them")
        if self.scaling is not None and self.run.slots is None:
            raise Contradiction(
                "scaling", "scaling needs `run: slots:`, since a task's backlog is latency × slots ÷ job"
            )
        return self

    @model_validator(mode="after")
    def _scaling_has_its_figures(self) -> Self:
        if self.scaling is not None and self.insights == "off":
            raise Contradiction(
                "insights", "scaling needs the number of tasks that run, which only Container Insights tells: use on"
            )
        return self

    @model_validator(mode="after")
    def _fargate_has_it(self) -> Self:
        if (refusal := fargate.refusal(self.cpu, self.memory)) is not None:
            raise Contradiction("memory" if "memory" in self.model_fields_set else "cpu", refusal)
        return self

    @model_validator(mode="after")
    def _the_drain_ends_before_the_kill(self) -> Self:
        if self.run.drain is not None and self.run.drain >= self.stop_timeout:
            raise Contradiction(
                "run.drain",
                f"drain: {self.run.drain:g} is not below stop_timeout: {self.stop_timeout} s, at which ECS kills: "
                "leave some seconds to hand back what is unfinished, or omit drain",
            )
        return self

    @model_validator(mode="after")
    def _fifo_gets_what_it_needs(self) -> Self:
        if self.queue.type != "fifo":
            return self
        for name, schedule in self.schedules.items():
            if schedule.group is None:
                raise Contradiction(f"schedules.{name}", "a FIFO queue takes no message without a group: add group")
        for name, topic in self.topics.items():
            if not topic.arn.endswith(".fifo"):
                raise Contradiction(f"topics.{name}.arn", "only a FIFO topic (….fifo) can feed a FIFO queue")
        return self

    @model_validator(mode="after")
    def _a_topic_is_subscribed_once(self) -> Self:
        found: dict[str, str] = {}
        for name, topic in self.topics.items():
            if (other := found.setdefault(topic.arn, name)) != name:
                raise Contradiction(
                    f"topics.{name}.arn",
                    f"this is the topic of {other} too, and SNS has one subscription for a topic and a queue: "
                    "make one of both, with a filter that fits both",
                )
        return self

    @model_validator(mode="after")
    def _variables_are_named_once(self) -> Self:
        for name in self.variables:
            if name in self.secrets:
                raise Contradiction(f"secrets.{name}", f"{name} is among variables too: ECS takes a name once")
        for section, names in (("variables", self.variables), ("secrets", self.secrets)):
            for name in names:
                if name.startswith("FOREBAY_"):
                    raise Contradiction(
                        f"{section}.{name}", "settings of the worker go under `run:`, the queue's URL is set for you"
                    )
        return self
