"""All of a live service at one moment: each section read by itself, so that one refusal does not hide the rest."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from forebay.deploy.live.alarms import read_alarms
from forebay.deploy.live.asking import Ask
from forebay.deploy.live.queue import read_queue
from forebay.deploy.live.scaling import read_scaling
from forebay.deploy.live.service import read_protected, read_service, read_tasks
from forebay.deploy.live.values import Protected, Status, Tasks, Unread
from forebay.deploy.live.where import Where

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients


def read_status(clients: Clients, where: Where, now_utc: datetime) -> Status:
    """Return what is known of the service.

    Raises `DeployError` when there is no such service, or nothing at all can be read.
    """
    ask = Ask(clients)
    service = ask("ecs", "reading the service", lambda: read_service(clients, where))
    tasks = ask("ecs", "reading the tasks", lambda: read_tasks(clients, where))
    status = Status(
        where=where,
        read_utc=now_utc,
        service=service,
        tasks=tasks,
        protected=_protected(clients, where, tasks, ask),
        queue=ask("sqs", "reading the queue", lambda: read_queue(clients, where, now_utc, ask)),
        scaling=ask("application_autoscaling", "reading the scaling", lambda: read_scaling(clients, where, ask)),
        alarms=ask("cloudwatch", "reading the alarms", lambda: read_alarms(clients, where)),
    )
    ask.check()
    return status


def _protected(clients: Clients, where: Where, tasks: Tasks | Unread, ask: Ask) -> tuple[Protected, ...] | Unread:
    if isinstance(tasks, Unread):
        return tasks
    return ask("ecs", "reading the protection of tasks", lambda: read_protected(clients, where, tasks.alive))
