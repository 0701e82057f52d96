"""The names of things in the local ECS: ARNs made, and the short names that callers may use instead.

Rules kept here and nowhere else:

1. ARNs are of the long form, with the cluster in them (ECS guide, Amazon Resource Names and IDs).
2. Wherever ECS takes "the short name or full ARN", the last part counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from forebay.cloud.agent_ecs import ACCOUNT, REGION


@dataclass(frozen=True, slots=True)
class Names:
    """The names within one cluster."""

    cluster_name: str

    @property
    def cluster(self) -> str:
        return f"{_ARN}:cluster/{self.cluster_name}"

    def service(self, name: str) -> str:
        return f"{_ARN}:service/{self.cluster_name}/{name}"

    def task(self, task_id: str) -> str:
        return f"{_ARN}:task/{self.cluster_name}/{task_id}"

    def container(self, task_id: str, name: str) -> str:
        return f"{_ARN}:container/{self.cluster_name}/{task_id}/{name}"

    def task_definition(self, family: str, revision: int) -> str:
        return f"{_ARN}:task-definition/{family}:{revision}"


_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


def short(name_or_arn: str) -> str:
    """Return the name, or the id, without what may stand before it."""
    return name_or_arn.rpartition("/")[2]
