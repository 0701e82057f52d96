"""One service of the local ECS: the scheduler's rules with processes for tasks.

Rules kept here and nowhere else:

1. The scheduler alone decides and remembers: what is seen is its view, what is asked for goes to it as a fact.
2. Crashes and freezes are done to processes behind its back, as the world does them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from forebay.clock import Clock
from forebay.cloud.ecs_conditions import Condition
from forebay.cloud.ecs_fleet import Fleet
from forebay.cloud.ecs_health import HealthCheck
from forebay.cloud.ecs_revisions import Revision, Revisions
from forebay.cloud.ecs_surroundings import Surroundings
from forebay.cloud.ecs_tasks import OnLine, TaskCommand, TaskProcess
from forebay.cloud.ecs_turns import Turns
from forebay.rules import ecs_vocabulary as says
from forebay.rules.ecs_refusals import SchedulerRefusal
from forebay.rules.ecs_scheduling import ServiceScheduler


class NoSuchTask(LookupError):
    """The service has no such task, or has forgotten it."""


class Counts(NamedTuple):
    """How many tasks a service has."""

    desired: int
    running: int
    pending: int
    protected: int
    is_deploying: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Who is told what happens in a service, on the loop. What they do must be quick."""

    on_line: OnLine
    """Each line that a task writes."""
    on_change: Callable[[LocalService], None]
    """Whenever the scheduler has been told something. It may act on the service."""


class LocalService:
    """A service whose tasks are processes. Lives on the running asyncio loop; made by `LocalCluster.add_service`."""

    def __init__(
        self,
        scheduler: ServiceScheduler,
        command: TaskCommand,
        surroundings: Surroundings,
        *,
        clock: Clock,
        attention: Attention,
        check: HealthCheck | None = None,
        log_folder: Path | None = None,
    ) -> None:
        """`log_folder`: where `<service>/<task>.log` is written; None: nowhere."""
        self.plan = scheduler.view().plan
        self._revisions = Revisions(command, clock.now())
        self._scheduler = scheduler
        self._clock = clock
        self._fleet = Fleet(
            self.plan,
            surroundings,
            on_line=attention.on_line,
            on_fact=self._heard,
            check=check,
            log_folder=log_folder,
        )
        self._turns = Turns(
            scheduler, self._fleet, self._revisions, clock=clock, on_turned=lambda: attention.on_change(self)
        )

    # ── what can be seen ───────────────────────────────────────────────────────────────────────────────────

    @property
    def tasks(self) -> Mapping[str, says.TaskRecord]:
        """Every task that the scheduler remembers."""
        return self._scheduler.tasks

    @property
    def running_processes(self) -> int:
        return self._fleet.running_count

    @property
    def newest(self) -> int:
        """The number of the newest revision."""
        return self._revisions.newest

    @property
    def revisions(self) -> Mapping[int, Revision]:
        """By number."""
        return self._revisions.by_number

    @property
    def created_at(self) -> float:
        return self.revisions[1].registered_at

    @property
    def current_revision(self) -> int:
        """The revision that the primary deployment brings: the newest, until the circuit breaker goes back."""
        primary = says.DeploymentStatus.PRIMARY
        return next((one.revision for one in self.view().deployments if one.status is primary), self.newest)

    def view(self) -> says.ServiceView:
        """The service as `DescribeServices` tells it."""
        return self._scheduler.view()

    def reading_counts(self) -> Counts:
        """What an autoscaler reads."""
        view = self.view()
        is_deploying = any(one.rollout_state is says.RolloutState.IN_PROGRESS for one in view.deployments)
        return Counts(view.desired_count, view.running_count, view.pending_count, view.protected_count, is_deploying)

    def task_process(self, task_id: str) -> TaskProcess | None:
        """The process of a task; None while it has none yet. Raises NoSuchTask."""
        process = self._fleet.process(task_id)
        if process is None and task_id not in self.tasks:
            raise NoSuchTask(f"service {self.plan.name} has no task {task_id}")
        return process

    def log_lines(self, task_id: str, count_max: int) -> list[str]:
        """The last lines of a task's log stream. Raises NoSuchTask."""
        process = self.task_process(task_id)
        return [] if process is None else process.log.last(count_max)

    async def wait_until(self, condition: Condition) -> None:
        """Wait until it is so. It is looked at whenever something has happened to a task."""
        await self._turns.conditions.until(condition)

    # ── what can be asked for ──────────────────────────────────────────────────────────────────────────────

    def set_desired(self, count: int) -> None:
        """Want so many tasks from now on. Raises SchedulerRefusal for less than none."""
        self._turns.tell(says.DesiredCountSet(count))

    def deploy(self, arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
        """Make a new revision, of the newest one's command and environment unless told otherwise, and deploy it.

        Raises SchedulerRefusal while too many deployments are active.
        """
        number = self._revisions.add(arguments, environment, self._clock.now())
        try:
            self.redeploy(number)
        except SchedulerRefusal:
            self._revisions.withdraw_newest()
            raise
        return number

    def redeploy(self, revision: int) -> None:
        """Replace every task by one of this revision, which exists. Raises SchedulerRefusal as `deploy` does."""
        assert revision in self.revisions, revision
        self._turns.tell(says.DeploymentRequested(revision))

    def stop_task(self, task_id: str, reason: str = "Task stopped by user") -> None:
        """StopTask: SIGTERM, then SIGKILL after the stop timeout, protected or not. Raises NoSuchTask."""
        self._turns.tell(says.StopRequested(self._known(task_id), reason))

    def interrupt_spot(self, task_id: str) -> None:
        """What a Spot interruption does to a task. Raises NoSuchTask."""
        self._turns.tell(says.SpotInterrupted(self._known(task_id)))

    def kill(self, task_id: str) -> None:
        """`kill -9` of everything in the task, as a crash does it. Raises NoSuchTask."""
        self._fleet.kill(self._known(task_id))

    def freeze(self, task_id: str, is_frozen: bool) -> None:
        """Hold a task's processes still, or let them go on. Raises NoSuchTask."""
        process = self.task_process(task_id)
        if process is not None:
            process.freeze(is_frozen)

    def protection_refusal(self, task_id: str) -> str | None:
        """Why this task may not be protected now: DEPLOYMENT_BLOCKED or MISSING. None: it may."""
        return self._scheduler.may_protect(task_id)

    def protect(self, task_id: str, until: float | None) -> None:
        """Note that a task is protected until then, or, with None, no longer."""
        self._turns.tell(says.ProtectionSet(task_id, until))

    async def drain(self, grace_s: float) -> bool:
        """Want no tasks and wait for the last to end; protected ones end when they are let go. False: too late."""
        self.set_desired(0)
        try:
            async with asyncio.timeout(grace_s):
                await self.wait_until(lambda: self._is_empty)
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Kill what is left, and return when every process has been reaped and its last line read."""
        self._turns.start_no_more()
        self.set_desired(0)
        self._fleet.kill_all()
        await self.wait_until(lambda: self.running_processes == 0)
        self._turns.end()

    def turn(self) -> None:
        """Let happen what is due by the clock: for who moves the clock by hand."""
        self._turns.turn()

    def _heard(self, fact: says.Fact) -> None:
        self._turns.tell(fact)

    def _known(self, task_id: str) -> str:
        self.task_process(task_id)
        return task_id

    @property
    def _is_empty(self) -> bool:
        has_stopped = all(record.status is says.TaskStatus.STOPPED for record in self.tasks.values())
        return has_stopped and self.running_processes == 0
