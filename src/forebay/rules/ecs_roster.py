"""The tasks of a service: how one begins, how it is stopped, when it is killed, and for how long it is remembered.

Rules kept here and nowhere else:

1. A task is PROVISIONING for the start delay, PENDING from the order to start until its process runs, then RUNNING.
   ECS has more states on the way (ACTIVATING and others); nothing happens in them here.
2. A task that is told to stop gets SIGTERM at once and SIGKILL when its stop timeout is over, and only once each
   (facts/ecs-task-protection.md section 3, stop sequence). One whose process was never ordered is STOPPED at once.
3. What was the first reason to stop a task stays its reason.
4. A task counts as healthy when its health check has succeeded, or, without one, when it has run for a while (API
   reference, DeploymentConfiguration, minimumHealthyPercent), until a verdict says that it is not.
5. A stopped task is remembered for an hour, and no more than a hundred are. ECS promises "at least 1 hour" (API
   reference, DescribeTasks); the hundred is ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from forebay.rules.ecs_vocabulary import (
    DeploymentRecord,
    KillTask,
    Order,
    ServicePlan,
    SignalTask,
    StartTask,
    StopCode,
    TaskRecord,
    TaskStatus,
)

if TYPE_CHECKING:
    from random import Random

REMEMBERED_S = 3_600.0
REMEMBERED_MAX = 100

EXITED = "Essential container in task exited"
NOT_STARTED = "Task failed to start"


def is_live(task: TaskRecord) -> bool:
    """Say whether a task is pending or running and is to stay so: what the maximum counts."""
    return task.desired_status is TaskStatus.RUNNING


def is_running(task: TaskRecord) -> bool:
    return task.status is TaskStatus.RUNNING


def is_unhealthy(task: TaskRecord) -> bool:
    return is_running(task) and task.is_healthy is False


def is_serving(task: TaskRecord) -> bool:
    """Say whether a task counts as healthy: what the minimum counts."""
    return is_running(task) and task.settled_at is not None and task.is_healthy is not False


def is_protected(task: TaskRecord) -> bool:
    """Say whether scale-in must spare a task. The roster clears the flag when it expires."""
    return task.protected_until is not None


class Roster:
    """Every task that the scheduler remembers, and the orders about them that are not yet given out."""

    def __init__(self, plan: ServicePlan, rng: Random) -> None:
        self.tasks: dict[str, TaskRecord] = {}
        self.orders: list[Order] = []
        self.news: list[tuple[TaskRecord, bool]] = []
        """Tasks that have begun to serve (True) or were found unhealthy (False), of which nobody has heard yet."""
        self._plan = plan
        self._rng = rng
        self._stopped: deque[str] = deque()

    def live(self) -> list[TaskRecord]:
        return [task for task in self.tasks.values() if is_live(task)]

    def unfinished(self) -> Iterator[TaskRecord]:
        """Those that are not STOPPED."""
        return (task for task in self.tasks.values() if task.status is not TaskStatus.STOPPED)

    def begin(self, deployment: DeploymentRecord, now: float) -> TaskRecord:
        """Make a new task of this deployment."""
        task = TaskRecord(
            task_id=f"{self._rng.getrandbits(128):032x}",
            deployment_id=deployment.deployment_id,
            revision=deployment.revision,
            created_at=now,
        )
        self.tasks[task.task_id] = task
        return task

    def started(self, task: TaskRecord, now: float) -> None:
        """Note that the process of a task runs."""
        if task.started_at is None:
            task.started_at = now
        if task.status is TaskStatus.PENDING:
            task.status = TaskStatus.RUNNING

    def stop(self, task: TaskRecord, now: float, code: StopCode, reason: str) -> None:
        """Tell a task to stop, unless it was told before."""
        if not is_live(task):
            return
        task.desired_status = TaskStatus.STOPPED
        task.stop_code, task.stopped_reason, task.stopping_at = code, reason, now
        if task.is_ordered:
            task.status = TaskStatus.STOPPING
            task.kill_at = now + self._plan.stop_timeout_s
            self.orders.append(SignalTask(task.task_id))
        else:
            self._end(task, now)

    def exited(self, task: TaskRecord, now: float, exit_code: int | None, reason: str) -> None:
        """Note that the process of a task has ended, or that there will never be one."""
        if is_live(task):
            task.desired_status = TaskStatus.STOPPED
            has_run = task.started_at is not None
            task.stop_code = StopCode.ESSENTIAL_CONTAINER_EXITED if has_run else StopCode.TASK_FAILED_TO_START
            task.stopped_reason = reason or (EXITED if has_run else NOT_STARTED)
            task.stopping_at = now
        task.exit_code = exit_code
        self._end(task, now)

    def judged(self, task: TaskRecord, now: float, *, is_healthy: bool) -> None:
        """Note a verdict of a task's health check. A failing one in the grace period counts when that ends."""
        assert task.started_at is not None, task.task_id
        grace_ends_at = task.started_at + self._plan.health_grace_s
        task.unhealthy_at = None
        if is_healthy:
            has_served = is_serving(task)
            task.is_healthy = True
            task.settled_at = now if task.settled_at is None else task.settled_at
            if not has_served:
                self.news.append((task, True))
        elif now < grace_ends_at:
            task.unhealthy_at = grace_ends_at
        else:
            self._is_unhealthy(task)

    def pass_time(self, now: float) -> None:
        """Do what has become due: verdicts, settling, the ends of protection, forgetting."""
        for task in self.unfinished():
            if task.protected_until is not None and task.protected_until <= now:
                task.protected_until = None
            if task.unhealthy_at is not None and task.unhealthy_at <= now:
                self._is_unhealthy(task)
            settles_at = self._settles_at(task)
            if settles_at is not None and settles_at <= now:
                task.settled_at = now
                self.news.append((task, True))
        while self._stopped and (len(self._stopped) > REMEMBERED_MAX or self._forgets_at() <= now):
            del self.tasks[self._stopped.popleft()]

    def order_starts(self, now: float) -> None:
        """Order the processes of those tasks whose start delay is over."""
        for task in self.unfinished():
            if task.status is TaskStatus.PROVISIONING and self._starts_at(task) <= now:
                task.status, task.is_ordered = TaskStatus.PENDING, True
                self.orders.append(StartTask(task.task_id, task.revision))

    def order_kills(self, now: float) -> None:
        """Order SIGKILL for those whose stop timeout is over, be it one of no time at all."""
        for task in self.unfinished():
            if task.kill_at is not None and task.kill_at <= now:
                task.kill_at = None
                self.orders.append(KillTask(task.task_id))

    def take_orders(self) -> list[Order]:
        """Return the orders that are not yet given out. They are the caller's from now on."""
        orders, self.orders = self.orders, []
        return orders

    def take_news(self) -> list[tuple[TaskRecord, bool]]:
        """Return the news that nobody has heard yet."""
        news, self.news = self.news, []
        return news

    def next_at(self) -> float | None:
        """Return when something becomes due by itself; None: nothing does."""
        due = [instant for task in self.unfinished() for instant in self._due(task)]
        if self._stopped:
            due.append(self._forgets_at())
        return min(due, default=None)

    def _due(self, task: TaskRecord) -> Iterator[float]:
        if task.status is TaskStatus.PROVISIONING:
            yield self._starts_at(task)
        for instant in (task.protected_until, task.unhealthy_at, task.kill_at, self._settles_at(task)):
            if instant is not None:
                yield instant

    def _starts_at(self, task: TaskRecord) -> float:
        return task.created_at + self._plan.start_delay_s

    def _settles_at(self, task: TaskRecord) -> float | None:
        """When a task without a health check begins to count; None: it does already, or is not on the way to it."""
        is_waiting = is_running(task) and task.settled_at is None and task.is_healthy is None
        if not is_waiting or self._plan.has_health_check:
            return None
        assert task.started_at is not None, task.task_id
        return task.started_at + self._plan.settling_s

    def _forgets_at(self) -> float:
        stopped_at = self.tasks[self._stopped[0]].stopped_at
        assert stopped_at is not None, self._stopped[0]
        return stopped_at + REMEMBERED_S

    def _is_unhealthy(self, task: TaskRecord) -> None:
        task.unhealthy_at = None
        if task.is_healthy is not False and is_live(task):
            self.news.append((task, False))
        task.is_healthy = False

    def _end(self, task: TaskRecord, now: float) -> None:
        task.status, task.stopped_at = TaskStatus.STOPPED, now
        task.kill_at = task.protected_until = task.unhealthy_at = None
        self._stopped.append(task.task_id)
