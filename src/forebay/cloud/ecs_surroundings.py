"""What a task of the local ECS finds around it: the agent's addresses and the variables of its container.

Rules kept here and nowhere else (facts/ecs-task-protection.md sections 1 and 5):

1. Each task has an endpoint of its own at the agent, from its start to its end; its id is the task's with a number.
2. Each has credentials of its own, so that a service that is asked can tell tasks apart.
3. A task is told of us, and a worker does not outlive us (`platform.leave_with_parent`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from random import Random

from forebay.clock import Clock
from forebay.cloud.agent_ecs import REGION, AgentTask
from forebay.cloud.ecs_agent import EcsAgent
from forebay.cloud.ecs_guard import MARK, Guard
from forebay.platform import PARENT_VARIABLE
from forebay.rules.ecs_vocabulary import ServicePlan, TaskStatus

SHORT_ID_LENGTH = 8


class Surroundings:
    """Makes and ends the places of tasks at one agent."""

    def __init__(self, agent: EcsAgent, guard: Guard, rng: Random, clock: Clock) -> None:
        self.guard = guard
        self._agent = agent
        self._rng = rng
        self._clock = clock
        self._endpoints: dict[str, str] = {}

    def enter(self, plan: ServicePlan, task_id: str, revision: int) -> Mapping[str, str]:
        """Serve a task from now on; return the variables that only it has."""
        endpoint_id = f"{task_id}-{self._rng.randrange(10**9, 10**10)}"
        self._endpoints[task_id] = endpoint_id
        self._agent.add(
            AgentTask(
                endpoint_id,
                cluster=plan.cluster,
                service=plan.name,
                task_id=task_id,
                family=plan.family,
                revision=str(revision),
                started_utc=self._clock.utc(),
            )
        )
        return {
            "ECS_AGENT_URI": self._agent.agent_uri(endpoint_id),
            "ECS_CONTAINER_METADATA_URI_V4": self._agent.metadata_uri(endpoint_id),
            "AWS_ACCESS_KEY_ID": access_key(task_id),
            PARENT_VARIABLE: str(os.getpid()),
            MARK: self.guard.mark,
        }

    def leave(self, task_id: str) -> None:
        """Serve a task no longer."""
        endpoint_id = self._endpoints.pop(task_id, None)
        if endpoint_id is not None:
            self._agent.remove(endpoint_id)

    def note_desired(self, task_id: str, status: TaskStatus) -> None:
        """Let the metadata endpoint say what is wanted of a task, which learns of its end there."""
        task = self.agent_task(task_id)
        if task is not None:
            task.desired_status = status

    def agent_task(self, task_id: str) -> AgentTask | None:
        """Return the task as the agent knows it; None while it does not run."""
        endpoint_id = self._endpoints.get(task_id)
        return None if endpoint_id is None else self._agent.tasks.get(endpoint_id)


def access_key(task_id: str) -> str:
    """Return the access key id of a task."""
    return f"local-{task_id[:SHORT_ID_LENGTH]}"


def common_variables() -> Mapping[str, str]:
    """Return what every task on Fargate finds, and a secret key, which any signature needs."""
    return {
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": "local",
    }
