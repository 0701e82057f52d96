"""What ECS says of a service: its deployments, tasks, protection and stopped tasks.

Rules kept here and nowhere else:

1. A task is alive until its last status is STOPPED: one that is draining is listed by ECS under "desired STOPPED", and
   still has jobs.
2. Calls take as many tasks as the API allows: 100 for DescribeTasks and for GetTaskProtection.
3. Stopped tasks are read up to a bound: a service that crashes all day has thousands, for few reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from forebay.deploy.live.values import Happening, Protected, ServiceState, Tasks, TaskState
from forebay.deploy.live.where import Where
from forebay.deploy.rollout import deployments_of, stops_of
from forebay.deploy.trouble import code_of
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

TASKS_A_CALL_MAX = 100
STOPPED_MAX = 300
EVENTS_MAX = 10
ALWAYS, LATER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def read_service(clients: Clients, where: Where) -> ServiceState:
    """Return the service. Raises `DeployError` when there is none, and botocore's errors."""
    from botocore.exceptions import ClientError

    try:
        answer = clients.ecs.describe_services(cluster=where.cluster, services=[where.service])
    except ClientError as error:
        if code_of(error) == "ClusterNotFoundException":
            raise DeployError(f"there is no cluster {where.cluster}{_remedy(where)}") from error
        raise
    services: Sequence[Any] = answer["services"]
    if not services:
        raise DeployError(f"there is no service {where.address}{_remedy(where)}")
    if services[0].get("status") == "INACTIVE":
        raise DeployError(f"the service {where.address} has been deleted{_remedy(where)}")
    return _service(services[0])


def _remedy(where: Where) -> str:
    if where.environment is None:
        return ": look at --cluster, --service, AWS_REGION and AWS_ENDPOINT_URL"
    return f": `forebay deploy --env {where.environment}` makes it; or look at --env, AWS_PROFILE and AWS_REGION"


def _service(one: Any) -> ServiceState:
    return ServiceState(
        status=one.get("status", ""),
        desired=one.get("desiredCount", 0),
        running=one.get("runningCount", 0),
        pending=one.get("pendingCount", 0),
        revision=_revision(one.get("taskDefinition", "")),
        has_exec=one.get("enableExecuteCommand", False),
        deployments=deployments_of(one),
        events=tuple(
            Happening(_utc(event["createdAt"]), event["message"]) for event in one.get("events", ())[:EVENTS_MAX]
        ),
    )


def read_tasks(clients: Clients, where: Where) -> Tasks:
    """Return the service's tasks, those that stopped within about the last hour included."""
    wanted = list(_listed(clients, where, "RUNNING"))
    leaving = list(islice(_listed(clients, where, "STOPPED"), STOPPED_MAX))
    described = [one for arns in _batches([*wanted, *leaving]) for one in _described(clients, where, arns)]
    alive = [_task(one) for one in described if one.get("lastStatus") != "STOPPED"]
    stopped = [one for one in described if one.get("lastStatus") == "STOPPED"]
    return Tasks(
        tuple(sorted(alive, key=lambda task: (task.started_utc or LATER, task.task_id))),
        stops_of(stopped, since_utc=ALWAYS),
    )


def _listed(clients: Clients, where: Where, desired: Any) -> Iterator[str]:
    pages = clients.ecs.get_paginator("list_tasks").paginate(
        cluster=where.cluster, serviceName=where.service, desiredStatus=desired
    )
    for page in pages:
        yield from page["taskArns"]


def _described(clients: Clients, where: Where, arns: Sequence[str]) -> list[Any]:
    return list(clients.ecs.describe_tasks(cluster=where.cluster, tasks=list(arns))["tasks"])


def _batches(arns: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(arns), TASKS_A_CALL_MAX):
        yield arns[start : start + TASKS_A_CALL_MAX]


def _task(one: Any) -> TaskState:
    return TaskState(
        task_id=short(one["taskArn"]),
        status=one.get("lastStatus", ""),
        revision=_revision(one.get("taskDefinitionArn", "")),
        created_utc=_maybe_utc(one.get("createdAt")),
        started_utc=_maybe_utc(one.get("startedAt")),
        health=one.get("healthStatus", "UNKNOWN"),
        capacity=one.get("capacityProviderName") or one.get("launchType", ""),
        has_exec=one.get("enableExecuteCommand", False),
        is_stopping=one.get("desiredStatus") == "STOPPED",
    )


def read_protected(clients: Clients, where: Where, tasks: Sequence[TaskState]) -> tuple[Protected, ...]:
    """Return which of the tasks are protected, and until when."""
    found: list[Protected] = []
    for ids in _batches([task.task_id for task in tasks]):
        answer: Any = clients.ecs.get_task_protection(cluster=where.cluster, tasks=list(ids))
        found += [
            Protected(short(one["taskArn"]), _maybe_utc(one.get("expirationDate")))
            for one in answer.get("protectedTasks", ())
            if one.get("protectionEnabled")
        ]
    return tuple(found)


def short(arn: str) -> str:
    """Return the last part of an ARN: a task's id, a service's name."""
    return arn.rpartition("/")[2]


def _revision(task_definition: str) -> int:
    revision = task_definition.rpartition(":")[2]
    return int(revision) if revision.isdigit() else 0


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _maybe_utc(at: datetime | None) -> datetime | None:
    return None if at is None else _utc(at)
