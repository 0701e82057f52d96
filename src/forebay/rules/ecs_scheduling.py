"""The ECS service scheduler as a pure state machine: told what happens, it says which tasks to start, end and kill.

    scheduler = ServiceScheduler(ServicePlan(name="worker", desired_count=2), rng=Random(7), now=0.0)
    orders = scheduler.advance(0.0)                              # two StartTask
    orders = scheduler.handle(TaskStarted(task_id), 1.5)

Rules kept here and nowhere else:

1. It reads no clock and opens nothing. Whoever drives it carries orders out, tells the facts, and calls `advance` at
   `next_event_at`. After either call nothing is due at that instant any more.
2. Facts about tasks that are unknown or STOPPED are late, and change nothing.
3. Protection is refused to a task that has none while more tasks are protected than are desired ("the service has more
   protected tasks than the desired count", ECS guide, Task scale-in protection; facts/ecs-task-protection.md section
   1). A protected task may always renew: the published walk-through scales to zero and sees the job renew to its end.
4. Every task is replaced, however it ended, while fewer live than are wanted: it is a service.
5. A change of the desired count is not a deployment and does not end a throttle.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from forebay.rules.ecs_balance import Group
from forebay.rules.ecs_refusals import negative_desired_count, no_such_task
from forebay.rules.ecs_roster import is_live, is_protected, is_running
from forebay.rules.ecs_service_state import ServiceState
from forebay.rules.ecs_vocabulary import (
    DeploymentRequested,
    DesiredCountSet,
    Fact,
    HealthReported,
    Order,
    ProtectionSet,
    ServicePlan,
    ServiceView,
    SpotInterrupted,
    StopCode,
    StopRequested,
    TaskExited,
    TaskNotStarted,
    TaskRecord,
    TaskStarted,
    TaskStatus,
)

if TYPE_CHECKING:
    from random import Random

SPOT = "Your Spot Task was interrupted."


class ServiceScheduler:
    """One service, its deployments and its tasks."""

    def __init__(self, plan: ServicePlan, *, rng: Random, now: float, revision: int = 1) -> None:
        """`rng` makes the ids, and nothing else. `revision` is that of the first task definition."""
        self._service = ServiceState(plan, rng)
        self._service.deployments.begin(revision, plan.desired_count, now)
        self._looks_at: float | None = now
        """When it is to look at itself though nothing is due: only before the first time."""

    # ── what can be seen ───────────────────────────────────────────────────────────────────────────────────

    @property
    def tasks(self) -> Mapping[str, TaskRecord]:
        """Those that are not stopped, and the last that were."""
        return MappingProxyType(self._service.roster.tasks)

    def task(self, task_id: str) -> TaskRecord | None:
        return self._service.roster.tasks.get(task_id)

    def view(self) -> ServiceView:
        """Return the service as `DescribeServices` tells it. Its records are the scheduler's own: to be read."""
        live = self._service.roster.live()
        running = sum(map(is_running, live))
        return ServiceView(
            plan=self._service.plan,
            desired_count=self._service.desired,
            running_count=running,
            pending_count=len(live) - running,
            protected_count=sum(map(is_protected, live)),
            deployments=list(self._service.deployments.listed),
            events=list(self._service.log.kept),
            tasks=list(self._service.roster.tasks.values()),
        )

    def may_protect(self, task_id: str) -> str | None:
        """Return why ECS would not protect this task now: MISSING or DEPLOYMENT_BLOCKED. None: it would."""
        task = self.task(task_id)
        if task is None or task.status is TaskStatus.STOPPED:
            return "MISSING"
        protected = sum(map(is_protected, self._service.roster.live()))
        return "DEPLOYMENT_BLOCKED" if not is_protected(task) and protected > self._service.desired else None

    def next_event_at(self) -> float | None:
        """Return when `advance` is to be called next, if nothing happens before; None: never."""
        throttles = [one.throttled_until for one in self._service.deployments.listed]
        due = [
            instant for instant in (self._looks_at, self._service.roster.next_at(), *throttles) if instant is not None
        ]
        return min(due, default=None)

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────

    def advance(self, now: float) -> list[Order]:
        """Do what has become due by itself, and return what is to be carried out, in this order."""
        self._looks_at = None
        self._service.turn(now)
        return self._service.roster.take_orders()

    def handle(self, fact: Fact, now: float) -> list[Order]:
        """Take note of a fact, and return what is to be carried out. Raises SchedulerRefusal, with nothing changed."""
        match fact:
            case DesiredCountSet(count=count):
                if count < 0:
                    raise negative_desired_count(count)
                self._service.desired = self._service.deployments.primary.desired_count = count
            case DeploymentRequested(revision=revision):
                self._service.count()
                self._service.deployments.begin(revision, self._service.desired, now)
            case StopRequested(task_id=task_id, reason=reason, code=code):
                self._service.roster.stop(self._asked(task_id), now, code, reason)
            case SpotInterrupted(task_id=task_id):
                self._service.roster.stop(self._asked(task_id), now, StopCode.SPOT_INTERRUPTION, SPOT)
            case _:
                task = self.task(fact.task_id)
                if task is not None and task.status is not TaskStatus.STOPPED:
                    self._task_fact(fact, task, now)
        return self.advance(now)

    def _asked(self, task_id: str) -> TaskRecord:
        task = self.task(task_id)
        if task is None:
            raise no_such_task(task_id)
        return task

    def _task_fact(
        self,
        fact: TaskStarted | TaskExited | TaskNotStarted | HealthReported | ProtectionSet,
        task: TaskRecord,
        now: float,
    ) -> None:
        match fact:
            case TaskStarted():
                self._service.roster.started(task, now)
            case TaskExited(exit_code=exit_code, reason=reason):
                self._ended(task, now, exit_code, reason)
            case TaskNotStarted(reason=reason):
                self._ended(task, now, None, reason)
            case HealthReported(is_healthy=is_healthy):
                if is_running(task):
                    self._service.roster.judged(task, now, is_healthy=is_healthy)
            case ProtectionSet(until=until):
                task.protected_until = until if until is not None and until > now else None
            case _:
                assert_never(fact)

    def _ended(self, task: TaskRecord, now: float, exit_code: int | None, reason: str) -> None:
        has_failed = is_live(task) and task.settled_at is None
        self._service.roster.exited(task, now, exit_code, reason)
        deployment = self._service.deployment_of(task)
        if has_failed and deployment is not None:
            has_serving = Group.of(deployment, self._service.roster.live()).serving > 0
            self._service.deployments.launch_failed(deployment, task, now, has_serving=has_serving)
