"""What an ECS service is doing while it is deployed: deployments, complaints, stopped tasks, all as values. Pure.

Rules kept here and nowhere else:

1. Stopped tasks are told in groups of one reason, with how many and the ids of some; a task's own id, address or digest
   in a reason makes no group of its own.
2. A task that ECS stopped because it was to go is no failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forebay.deploy.hints import task_hint

LinesOf = Callable[[str], tuple[str, ...]]
"""What the task of an id wrote last."""

SAMPLES_MAX = 3
EXPECTED = ("Scaling activity initiated by", "Task stopped by user", "Service deleted", "Cluster deleted")
COMPLAINT = re.compile(
    r"unable|fail|unhealthy|error|rolling back|not (?:reach|authorized)|circuit breaker", re.IGNORECASE
)
OWN_WORDS = re.compile(
    r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|sha256:[0-9a-f]+|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|"
    r"(?i:request ?id: ?)[\w-]+"
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One row of the rolling table."""

    deployment_id: str
    status: str
    """PRIMARY: the newest; ACTIVE: an older one that is going."""
    revision: str
    rollout: str
    """completed, in progress, failed; empty when ECS does not say."""
    desired: int
    running: int
    failed: int
    pending: int

    @property
    def figures(self) -> tuple[str, ...]:
        numbers = (self.desired, self.running, self.failed, self.pending)
        return (self.status, self.revision, f"[{self.rollout or '-'}]", *map(str, numbers))


HEADINGS = ("", "Revision", "Rollout", "Desired", "Running", "Failed", "Pending")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One event of the service that is no good news."""

    event_id: str
    message: str
    at_utc: datetime
    hint: str | None


@dataclass(frozen=True, slots=True)
class StopGroup:
    """Tasks that stopped for one reason."""

    reason: str
    count: int
    task_ids: tuple[str, ...]
    """Some of them, by the first eight characters."""
    hint: str | None
    last_lines: tuple[str, ...] = ()
    """What one of them wrote last, where that was read."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The service now."""

    deployments: tuple[Deployment, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    stopped: tuple[StopGroup, ...] = ()


def deployments_of(service: Mapping[str, Any]) -> tuple[Deployment, ...]:
    """Return the deployments of a service as DescribeServices tells them, PRIMARY first."""
    found = [
        Deployment(
            str(told.get("id", "")),
            str(told.get("status", "")),
            str(told.get("taskDefinition", "")).rsplit(":", 1)[-1],
            str(told.get("rolloutState") or "").lower().replace("_", " "),
            int(told.get("desiredCount", 0)),
            int(told.get("runningCount", 0)),
            int(told.get("failedTasks", 0)),
            int(told.get("pendingCount", 0)),
        )
        for told in service.get("deployments", ())
    ]
    return tuple(sorted(found, key=lambda one: one.status != "PRIMARY"))


def complaints_of(service: Mapping[str, Any], *, since_utc: datetime) -> tuple[Complaint, ...]:
    """Return what the service has complained of since then, the oldest first."""
    found = [
        Complaint(str(told.get("id", "")), _without_name(str(told.get("message", ""))), told["createdAt"], None)
        for told in service.get("events", ())
        if told["createdAt"] >= since_utc and COMPLAINT.search(str(told.get("message", "")))
    ]
    hinted = [Complaint(one.event_id, one.message, one.at_utc, task_hint(one.message)) for one in found]
    return tuple(sorted(hinted, key=lambda one: one.at_utc))


def stops_of(
    tasks: Iterable[Mapping[str, Any]], *, since_utc: datetime, last_lines: LinesOf | None = None
) -> tuple[StopGroup, ...]:
    """Return the stopped tasks in groups of one reason, the largest first, with what one of each wrote last."""
    groups: dict[str, list[str]] = {}
    shown: dict[str, str] = {}
    for task in tasks:
        reason = reason_of(task)
        stopped_utc = task.get("stoppedAt") or task.get("stoppingAt") or task.get("createdAt")
        if not reason or reason.startswith(EXPECTED) or (stopped_utc is not None and stopped_utc < since_utc):
            continue
        group = OWN_WORDS.sub("*", reason)
        groups.setdefault(group, []).append(str(task.get("taskArn", "")).rsplit("/", 1)[-1])
        shown.setdefault(group, reason)
    found = [_group(shown[group], len(ids), sorted(ids)[:SAMPLES_MAX], last_lines) for group, ids in groups.items()]
    return tuple(sorted(found, key=lambda one: (-one.count, one.reason)))


def _group(reason: str, count: int, samples: Sequence[str], last_lines: LinesOf | None) -> StopGroup:
    # Only a program that has ended by itself has said why in its log.
    lines: tuple[str, ...] = ()
    if last_lines is not None and "exit code" in reason:
        lines = next((found for one in samples if (found := last_lines(one))), ())
    return StopGroup(reason, count, tuple(one[:8] for one in samples), task_hint(reason), lines)


def reason_of(task: Mapping[str, Any]) -> str:
    """Return why a task stopped, with its containers' own reasons and exit codes."""
    parts = [str(task.get("stoppedReason") or "")]
    for container in task.get("containers", ()):
        code, said = container.get("exitCode"), str(container.get("reason") or "")
        if code not in (None, 0):
            parts.append(f"container {container.get('name', '?')}: exit code {code}")
        if said and said not in parts[0]:
            parts.append(said)
    return ", ".join(part for part in parts if part)


def revision_of(deployments: Sequence[Deployment]) -> str:
    """Return the revision that is being rolled out; empty when there is none."""
    return deployments[0].revision if deployments else ""


def _without_name(message: str) -> str:
    """`(service thumbnails) was unable …` → `was unable …`: every event begins with the service's own name."""
    return re.sub(r"^\(service [^)]*\) ", "", message)
