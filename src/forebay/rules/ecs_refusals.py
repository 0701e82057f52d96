"""What the ECS service scheduler refuses, and in which words.

Rules kept here and nowhere else:

1. A refused request has changed nothing.
2. A refusal has the name of one of ECS's exceptions, so that whoever serves the API can pass it on.
"""

from __future__ import annotations

ACTIVE_DEPLOYMENTS_MAX = 5
"""facts/ecs-task-protection.md section 3, "many deployments piled up"."""


class SchedulerRefusal(Exception):
    """ECS says no to a request."""

    __slots__ = ("code", "message")

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


def too_many_deployments() -> SchedulerRefusal:
    """The text is AWS's. Which exception carries it is unknown."""
    count = ACTIVE_DEPLOYMENTS_MAX
    text = f"{count} active deployments exist, unable to create new deployment"
    return SchedulerRefusal("InvalidParameterException", text)


def negative_desired_count(count: int) -> SchedulerRefusal:
    return SchedulerRefusal("InvalidParameterException", f"desiredCount={count} is invalid: use 0 or more")


def no_such_task(task_id: str) -> SchedulerRefusal:
    text = f"The referenced task was not found: {task_id} is not a task of this service, or was forgotten"
    return SchedulerRefusal("InvalidParameterException", text)
