"""What runs in each environment of a manifest.

Rules kept here and nowhere else:

1. An environment is looked at by its names; what AWS does not have, or does not let us see, is empty and not an error,
   but for the stacks themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from forebay.deploy.clients import Clients
from forebay.deploy.kept import COUNTS
from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.stack_values import in_words
from forebay.deploy.stacks import Stacks
from forebay.deploy.trouble import explained


@dataclass(frozen=True, slots=True)
class EnvironmentLine:
    """One environment."""

    name: str
    stack: str
    status: str
    """In words; `not deployed` when there is no stack."""
    changed_utc: datetime | None = None
    running: int | None = None
    desired: int | None = None
    waiting: int | None = None
    """Messages that wait or are in flight."""
    dead: int | None = None


def environment_line(loaded: Loaded, clients: Clients, stacks: Stacks) -> EnvironmentLine:
    """Return what runs in the environment that the manifest was loaded for."""
    names = loaded.names
    with explained(f"looking at stack {names.stack}"):
        state = stacks.state(names.stack)
    if state is None or state.is_empty:
        return EnvironmentLine(loaded.environment, names.stack, "not deployed")
    running, desired = _tasks(clients, loaded.manifest.cluster or names.cluster, names.service)
    return EnvironmentLine(
        loaded.environment, names.stack, in_words(state.status), state.changed_utc, running, desired,
        _depth(clients, names.queue), _depth(clients, names.dead_letter_queue),
    )  # fmt: skip


def _tasks(clients: Clients, cluster: str, service: str) -> tuple[int | None, int | None]:
    with explained("connecting to AWS"):
        try:
            found = clients.ecs.describe_services(cluster=cluster, services=[service]).get("services", [])
        except ClientError:
            return None, None
    active: Sequence[dict[str, object]] = [dict(one) for one in found if one.get("status") != "INACTIVE"]
    return (int(str(active[0]["runningCount"])), int(str(active[0]["desiredCount"]))) if active else (None, None)


def _depth(clients: Clients, queue: str) -> int | None:
    with explained("connecting to AWS"):
        try:
            url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            told = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))  # type: ignore[arg-type]  # pyright: ignore
        except ClientError:
            return None
    return sum(int(number) for number in told.get("Attributes", {}).values())
