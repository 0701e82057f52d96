"""A session of ECS Exec in one task: asked for here, carried by AWS's session-manager-plugin.

Rules kept here and nowhere else:

1. The session's token opens a shell in the container for whoever has it. A plugin that can takes it from its
   environment, where other users of this machine cannot read it; an older one gets it as an argument, as the AWS CLI
   does.
2. ECS carries a command as one text and parses it like a shell. Each word is quoted, so that it arrives as given.
3. What must be there is looked at before the session is opened, each with its own sentence: exec on, a task that runs,
   its agent ready, the plugin.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forebay.deploy.live.service import read_service, read_tasks
from forebay.deploy.live.values import TaskState
from forebay.deploy.live.where import Where
from forebay.deploy.template import contract
from forebay.errors import DeployError, SettingsError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

PLUGIN = "session-manager-plugin"
PLUGIN_PAGE = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
)
TOKEN_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"  # noqa: S105  (a variable's name)
READS_ENVIRONMENT_FROM = (1, 2, 497)
"""The first version of the plugin that takes the session from its environment (its release notes)."""

NO_EXEC = (
    "ECS Exec is off for this service: set `exec: true` in forebay.yml and deploy. The container's root file system "
    "becomes writable then, and its role gets four permissions of ssmmessages"
)


@dataclass(frozen=True, slots=True)
class Session:
    """What the plugin is started with. The token stands in neither `repr` nor log."""

    task_id: str
    arguments: tuple[str, ...] = field(repr=False)
    """Behind the program's name."""
    environment: Mapping[str, str] = field(repr=False)
    """Beside this process's own."""


def chosen(clients: Clients, where: Where, task: str | None) -> TaskState:
    """Return the running task whose id begins with `task`; without it the newest.

    Raises `DeployError`, `SettingsError` and botocore's errors.
    """
    service = read_service(clients, where)
    running = [one for one in read_tasks(clients, where).alive if one.status == "RUNNING" and not one.is_stopping]
    fits = [one for one in running if one.task_id.startswith(task or "")]
    if not running:
        raise DeployError(_no_task(where) if service.has_exec else NO_EXEC)
    if not fits:
        known = ", ".join(one.task_id[:8] for one in running[:10])
        raise SettingsError(f"--task {task}: no running task's id begins so; there are {known}")
    if len(fits) > 1 and task:
        raise SettingsError(f"--task {task}: {len(fits)} tasks' ids begin so; give more of it")
    found = fits[-1]
    if not found.has_exec:
        raise DeployError(_older_than_exec(found) if service.has_exec else NO_EXEC)
    return found


def _no_task(where: Where) -> str:
    return f"{where.title} has no running task: `forebay status` says why, `forebay scale 1` asks for one"


def _older_than_exec(task: TaskState) -> str:
    return (
        f"task {task.task_id[:8]} was started before ECS Exec was on: choose a newer one by --task, or replace it by "
        "`forebay deploy`"
    )


def open_session(
    clients: Clients, where: Where, task: TaskState, command: Sequence[str], *, plugin_version: str
) -> Session:
    """Open a session for the command in the task. Raises `DeployError` and botocore's errors."""
    runtime_id = _runtime_id(clients, where, task)
    answer: Any = clients.ecs.execute_command(
        cluster=where.cluster,
        task=task.task_id,
        container=contract.CONTAINER,
        interactive=True,
        command=shlex.join(command),
    )
    session = json.dumps(answer["session"])
    target = json.dumps({"Target": f"ecs:{where.cluster}_{task.task_id}_{runtime_id}"})
    is_hidden = _version(plugin_version) >= READS_ENVIRONMENT_FROM
    client = clients.ecs
    return Session(
        task.task_id,
        (
            TOKEN_VARIABLE if is_hidden else session,
            client.meta.region_name,
            "StartSession",
            clients.profile or "",
            target,
            client.meta.endpoint_url,
        ),
        {TOKEN_VARIABLE: session} if is_hidden else {},
    )


def _runtime_id(clients: Clients, where: Where, task: TaskState) -> str:
    """Return the container's id at its runtime, when its agent of ECS Exec is ready."""
    answer: Any = clients.ecs.describe_tasks(cluster=where.cluster, tasks=[task.task_id])
    for container in (container for one in answer["tasks"] for container in one.get("containers", ())):
        if container.get("name") != contract.CONTAINER:
            continue
        states = [
            agent.get("lastStatus") for agent in container.get("managedAgents", ())
            if agent.get("name") == "ExecuteCommandAgent"
        ]  # fmt: skip
        if states and states != ["RUNNING"]:
            raise DeployError(
                f"the agent of ECS Exec in task {task.task_id[:8]} is {states[0]}: wait a few seconds if the task is "
                "new; otherwise the task role lacks its permissions, or the network its path to ssmmessages"
            )
        if container.get("runtimeId"):
            return str(container["runtimeId"])
    raise DeployError(
        f"the container {contract.CONTAINER} of task {task.task_id[:8]} does not run: choose another task"
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:4])
