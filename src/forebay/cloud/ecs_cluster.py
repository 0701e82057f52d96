"""A cluster of the local ECS: services on this machine, their agent, and the end of everything that they started.

Rules kept here and nowhere else:

1. Protection is the schedulers': the agent asks here, and what it is told to set goes to the task's service.
2. Nothing that was started outlives the cluster: `aclose()` kills and reaps it, and the guard does so if we are killed.

    async with LocalCluster() as cluster:
        service = cluster.add_service(ServicePlan(name="jobs"), command, environment, on_line=…, on_change=…)
        service.set_desired(3)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from types import TracebackType

from forebay.clock import Clock, SystemClock
from forebay.cloud.agent_ecs import AgentTask, Failure, Question, TasksThemselves, Verdict
from forebay.cloud.ecs_agent import EcsAgent
from forebay.cloud.ecs_guard import Guard
from forebay.cloud.ecs_health import HealthCheck
from forebay.cloud.ecs_service import Attention, LocalService
from forebay.cloud.ecs_surroundings import Surroundings, common_variables
from forebay.cloud.ecs_tasks import OnLine, TaskCommand
from forebay.cloud.ecs_wall import Wall
from forebay.rules.ecs_scheduling import ServiceScheduler
from forebay.rules.ecs_vocabulary import ServicePlan


class LocalCluster:
    """Services and their agent. All of it belongs to one asyncio loop."""

    def __init__(
        self,
        *,
        name: str = "local",
        agent_port: int = 0,
        clock: Clock | None = None,
        rng: Random | None = None,
        log_folder: Path | None = None,
    ) -> None:
        """`log_folder`: each task's lines are appended to `<service>/<task>.log` there. `rng` makes every id."""
        self.name = name
        self.clock = clock if clock is not None else SystemClock()
        self.wall = Wall(self.clock)
        self.services: dict[str, LocalService] = {}
        """By name. To be read."""
        self._rng = rng if rng is not None else Random()
        self._log_folder = log_folder
        self._guard = Guard()
        self.agent = EcsAgent((), port=agent_port, keeper=_Keeper(self), clock=self.clock)
        self._surroundings = Surroundings(self.agent, self._guard, self._rng, self.clock)

    async def __aenter__(self) -> LocalCluster:
        """Begin to serve the agent. Raises OSError when its port is taken."""
        await self.agent.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    def add_service(
        self,
        plan: ServicePlan,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        on_line: OnLine = lambda _task_id, _line: None,
        on_change: Callable[[LocalService], None] = lambda _service: None,
        check: HealthCheck | None = None,
        folder: Path | None = None,
    ) -> LocalService:
        """Run a service from now on, in `folder`. `environment` is all that its tasks find, beside the container's.

        A family of task definitions belongs to one service: one that is another's is given this one's name as well.
        Raises ValueError when there is a service of that name.
        """
        if plan.name in self.services:
            raise ValueError(f"cluster {self.name} has a service {plan.name} already: remove it first")
        if any(service.plan.family == plan.family for service in self.services.values()):
            plan = replace(plan, family=f"{plan.family}-{plan.name}")
        plan = replace(plan, has_health_check=check is not None)
        scheduler = ServiceScheduler(plan, rng=self._rng, now=self.clock.now())
        service = LocalService(
            scheduler,
            TaskCommand(arguments=tuple(command), environment={**common_variables(), **environment}, folder=folder),
            self._surroundings,
            clock=self.clock,
            attention=Attention(on_line=on_line, on_change=on_change),
            check=check,
            log_folder=self._log_folder,
        )
        self.services[plan.name] = service
        service.turn()
        return service

    async def remove_service(self, name: str, *, grace_s: float = 0.0) -> None:
        """End a service: drain it for so long, kill what is left, and forget it."""
        service = self.services[name]
        if grace_s > 0:
            await service.drain(grace_s)
        await service.aclose()
        del self.services[name]

    async def drain(self, grace_s: float) -> bool:
        """Want no tasks at all and wait for the last to end; False when some were left after `grace_s`."""
        ends_at = self.clock.now() + grace_s
        services = list(self.services.values())
        for service in services:
            service.set_desired(0)
        ended = [await service.drain(max(0.0, ends_at - self.clock.now())) for service in services]
        return all(ended)

    async def aclose(self) -> None:
        """Kill and reap whatever is left, and end the agent. Nothing happens the second time."""
        for name in list(self.services):
            await self.remove_service(name)
        self._guard.close()
        await self.agent.__aexit__(None, None, None)


class _Keeper:
    """The schedulers as the agent asks them (rule 1)."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._others = TasksThemselves(cluster.clock)
        """Of tasks that somebody has added to the agent by hand."""

    def refusal(self, question: Question) -> Verdict | None:
        service = self._service(question.task)
        if service is None:
            return self._others.refusal(question)
        if not question.enabled:
            return None if question.task.task_id in service.tasks else Failure("MISSING")
        reason = service.protection_refusal(question.task.task_id)
        return None if reason is None else Failure(reason)

    def set(self, task: AgentTask, minutes: int | None) -> None:
        service = self._service(task)
        if service is None:
            self._others.set(task, minutes)
        else:
            service.protect(task.task_id, None if minutes is None else self._cluster.clock.now() + minutes * 60)

    def expiry(self, task: AgentTask) -> datetime | None:
        service = self._service(task)
        if service is None:
            return self._others.expiry(task)
        record = service.tasks.get(task.task_id)
        if record is None or record.protected_until is None or record.protected_until <= self._cluster.clock.now():
            return None
        return self._cluster.wall.utc(record.protected_until)

    def _service(self, task: AgentTask) -> LocalService | None:
        return self._cluster.services.get(task.service)
