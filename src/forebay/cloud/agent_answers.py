"""The words of the ECS agent's endpoints: every answer's status, shape and text.

Rules kept here and nowhere else (facts/ecs-task-protection.md sections 1 and 5):

1. Every answer of the protection endpoint is one JSON object with one of `protection`, `failure` and `error`; inner
   names are PascalCase. What ECS refuses comes with a `requestID`, what the agent refuses without.
2. Times are RFC 3339 in UTC. A write's has milliseconds unless they are zero, a look's has whole seconds: as the
   documentation shows them, so that clients meet both.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from forebay.cloud.agent_ecs import AgentTask, EcsError, Failure

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: str = ""
    """Further lines, each ended by CR LF."""
    outcome: str = ""
    """The one word for the log of calls: a reason, a code, `held`, `unheld`."""


def as_json(status: int, content: Mapping[str, Any] | str, *, outcome: str) -> AgentAnswer:
    return AgentAnswer(status, json.dumps(content, separators=(",", ":")).encode(), outcome=outcome)


def protection(task: AgentTask, expires: datetime | None, *, is_write: bool) -> AgentAnswer:
    """Return what ECS answers when it has done what it was asked."""
    state = {
        "ExpirationDate": None if expires is None else rfc3339(expires, with_fraction=is_write),
        "ProtectionEnabled": expires is not None,
        "TaskArn": task.arn,
    }
    return as_json(200, {"protection": state}, outcome="unheld" if expires is None else "held")


def failure(task: AgentTask, said: Failure) -> AgentAnswer:
    """Return ECS's refusal: HTTP 200."""
    content = {"failure": {"Arn": task.arn, "Detail": said.detail, "Reason": said.reason}}
    return as_json(200, content, outcome=said.reason)


def ecs_error(task: AgentTask, error: EcsError) -> AgentAnswer:
    """Return an exception of ECS, under its own status."""
    content = {
        "requestID": str(uuid.uuid4()),
        "error": {"Arn": task.arn, "Code": error.code, "Message": error.message},
    }
    return as_json(error.status, content, outcome=error.code)


def agent_error(status: int, code: str, message: str, *, task: AgentTask | None = None) -> AgentAnswer:
    """Return an error of the agent's own making."""
    error = {"Code": code, "Message": message} if task is None else {"Arn": task.arn, "Code": code, "Message": message}
    return as_json(status, {"error": error}, outcome=code)


def undecodable(operation: str) -> AgentAnswer:
    return agent_error(400, "InvalidParameterException", f"{operation}: failed to decode request")


def field_missing(task: AgentTask) -> AgentAnswer:
    text = "Invalid request: does not contain 'ProtectionEnabled' field"
    return agent_error(400, "InvalidParameterException", text, task=task)


def task_unknown() -> AgentAnswer:
    return agent_error(404, "ResourceNotFoundException", "Failed to find a task for the request")


def task_not_fetched() -> AgentAnswer:
    return agent_error(500, "ServerException", "Failed to find a task for the request")


def no_role(task: AgentTask) -> AgentAnswer:
    text = "Invalid Request: no task IAM role credentials available for task"
    return agent_error(403, "AccessDeniedException", text, task=task)


def denied(task: AgentTask, operation: str) -> AgentAnswer:
    text = (
        f"User: arn:aws:sts::000000000000:assumed-role/task/{task.task_id} is not authorized to perform: "
        f"ecs:{operation} on resource: {task.arn} because no identity-based policy allows the ecs:{operation} action"
    )
    return ecs_error(task, EcsError(400, "AccessDeniedException", text))


def canceled(task: AgentTask) -> AgentAnswer:
    return agent_error(504, "RequestCanceled", "Timed out calling ECS Task Protection API", task=task)


def limited(rate: float) -> AgentAnswer:
    """Return the agent's own limiter's answer (didip/tollbooth)."""
    headers = f"X-Rate-Limit-Limit: {rate:.2f}\r\nX-Rate-Limit-Duration: 1\r\n"
    return AgentAnswer(429, b"You have reached maximum request limit.", TEXT_TYPE, headers, "limited")


def page_missing() -> AgentAnswer:
    return AgentAnswer(404, b"404 page not found\n", TEXT_TYPE, outcome="no_page")


def method_missing() -> AgentAnswer:
    return AgentAnswer(405, content_type="", outcome="no_method")


def moved(path: str, *, is_get: bool) -> AgentAnswer:
    """Return the redirect to the cleaned `path` that a doubled slash earns."""
    body = f'<a href="{path}">Moved Permanently</a>.\n\n'.encode() if is_get else b""
    return AgentAnswer(301, body, "text/html; charset=utf-8" if is_get else "", f"Location: {path}\r\n", "moved")


def task_metadata(task: AgentTask) -> dict[str, Any]:
    """Return the document behind `/v4/<id>/task`."""
    document: dict[str, Any] = {
        "Cluster": f"arn:aws:ecs:us-east-1:000000000000:cluster/{task.cluster}",
        "TaskARN": task.arn,
        "Family": task.family,
        "Revision": task.revision,
        "DesiredStatus": task.desired_status,
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": task.cpu} | ({} if task.memory_mib is None else {"Memory": task.memory_mib}),
        "PullStartedAt": rfc3339(task.started_utc),
        "PullStoppedAt": rfc3339(task.started_utc),
        "AvailabilityZone": "us-east-1a",
        "LaunchType": "FARGATE",
        "Containers": [container_metadata(task)],
        "ClockDrift": {"ClockErrorBound": 0.5, "ClockSynchronizationStatus": "SYNCHRONIZED"},
        "FaultInjectionEnabled": False,
    }
    return document | ({"ServiceName": task.service} if task.service else {})


def container_metadata(task: AgentTask) -> dict[str, Any]:
    """Return the document behind `/v4/<id>`."""
    return {
        "DockerId": task.endpoint_id,
        "Name": "worker",
        "DockerName": "worker",
        "Image": "worker:latest",
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": task.family,
            "com.amazonaws.ecs.task-definition-version": task.revision,
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 2},
        "CreatedAt": rfc3339(task.started_utc),
        "StartedAt": rfc3339(task.started_utc),
        "Type": "NORMAL",
        "ContainerARN": f"{task.arn.replace(':task/', ':container/')}/{task.endpoint_id}",
    }


def rfc3339(instant: datetime, *, with_fraction: bool = True) -> str:
    """Return `instant` as Go writes it: no fraction at all when it is zero, and no zeros at its end."""
    utc = instant.astimezone(UTC)
    fraction = f"{utc.microsecond // 1000:03d}".rstrip("0") if with_fraction else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}Z"
