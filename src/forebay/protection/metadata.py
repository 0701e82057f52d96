"""Who this task is, by the task metadata endpoint version 4: for logs, and for the size of buffers.

Nothing here is secret, and nothing here is needed: without an answer the worker runs all the same, so no call raises.
Fields: facts/ecs-task-protection.md section 5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from forebay.errors import SettingsError
from forebay.protection.agent_http import ANSWER_TIMEOUT_S, Address, NoAnswer, ask

METADATA_URI_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"

MIB_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """What ECS says about the task that this process runs in. Unknown words are empty."""

    cluster: str
    """The cluster's name, without the rest of its ARN."""
    service: str
    task_id: str
    """The last part of the task's ARN."""
    family: str
    revision: str
    memory_limit_bytes: int | None
    """The task's memory limit, or None when only its containers have one, or none."""


async def read_task_metadata(uri: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> TaskIdentity | None:
    """Return the identity behind the value of `ECS_CONTAINER_METADATA_URI_V4`, or None. Never raises."""
    try:
        address = Address.parse(uri, variable=METADATA_URI_VARIABLE)
        answer = await ask(address, "/task", timeout_s=timeout_s)
    except (SettingsError, NoAnswer):
        return None
    if answer.status != 200:
        return None
    try:
        content: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return _identity(cast("Mapping[str, Any]", content)) if isinstance(content, dict) else None


def _identity(task: Mapping[str, Any]) -> TaskIdentity | None:
    task_id = _last_part(task.get("TaskARN"))
    if not task_id:
        return None
    return TaskIdentity(
        cluster=_last_part(task.get("Cluster")),
        service=_word(task.get("ServiceName")),
        task_id=task_id,
        family=_word(task.get("Family")),
        revision=_word(task.get("Revision")),
        memory_limit_bytes=_memory_limit_bytes(task.get("Limits")),
    )


def _memory_limit_bytes(limits: object) -> int | None:
    memory_mib = cast("Mapping[str, object]", limits).get("Memory") if isinstance(limits, dict) else None
    if isinstance(memory_mib, bool) or not isinstance(memory_mib, int | float) or not 0 < memory_mib < 1 << 40:
        return None
    return int(memory_mib * MIB_BYTES)


def _last_part(arn_or_name: object) -> str:
    return arn_or_name.rpartition("/")[2] if isinstance(arn_or_name, str) else ""


def _word(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
