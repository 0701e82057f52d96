"""One turn of the ECS service scheduler: what has become due, who is stopped, who is started, what is said of it.

Rules kept here and nowhere else:

1. The order of a turn: time passes, deployments hear of their tasks, one may fail; then tasks are stopped, then started
   in the room that this leaves. One turn is enough: a second one at the same instant changes nothing.
2. The service is steady when it has only the PRIMARY's tasks, as many as desired, all serving, and none is stopping.
   That completes the deployment (ECS guide, Service event messages; How the deployment circuit breaker detects
   failures).
3. An older deployment that protected tasks keep alive is told of once the minimum would let them go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.rules.ecs_balance import Group, is_stuck, share_minimum, to_make_room, to_scale_in
from forebay.rules.ecs_deployments import Deployments
from forebay.rules.ecs_events import EventLog
from forebay.rules.ecs_limits import maximum_tasks, minimum_healthy
from forebay.rules.ecs_roster import Roster, is_live, is_running
from forebay.rules.ecs_vocabulary import DeploymentRecord, ServicePlan, StopCode, TaskRecord

if TYPE_CHECKING:
    from random import Random

UNHEALTHY = "Task failed container health checks"


class ServiceState:
    """What a service is, and how it goes on from there."""

    def __init__(self, plan: ServicePlan, rng: Random) -> None:
        self.plan = plan
        self.desired = plan.desired_count
        self.log = EventLog(plan.name, rng)
        self.roster = Roster(plan, rng)
        self.deployments = Deployments(plan, self.log, rng)

    @property
    def minimum(self) -> int:
        return minimum_healthy(self.desired, self.plan.minimum_healthy_percent)

    @property
    def maximum(self) -> int:
        return maximum_tasks(self.desired, self.plan.maximum_percent)

    def deployment_of(self, task: TaskRecord) -> DeploymentRecord | None:
        """Return a task's deployment, if it is still PRIMARY or ACTIVE."""
        listed = self.deployments.listed
        return next((one for one in listed if one.deployment_id == task.deployment_id), None)

    def turn(self, now: float) -> None:
        """Do what there is to be done at this instant."""
        self.roster.pass_time(now)
        self._hear(now)
        self.count()
        self.deployments.break_circuit(self.desired, now)
        self._stop_some(now)
        self._start_some(now)
        self.roster.order_starts(now)
        self.roster.order_kills(now)
        self.deployments.retire(self.roster.unfinished(), now)
        self.count()
        self._tell(now)

    def count(self) -> None:
        """Bring the deployments' counts up to date."""
        for group in self._groups():
            running = sum(map(is_running, [*group.sound, *group.unhealthy]))
            group.deployment.running_count, group.deployment.pending_count = running, group.size - running

    def _groups(self) -> tuple[Group, ...]:
        """The PRIMARY deployment, then the others, with their tasks."""
        live = self.roster.live()
        return tuple(Group.of(one, live) for one in (self.deployments.primary, *self.deployments.older))

    def _hear(self, now: float) -> None:
        for one in self.deployments.listed:
            if one.throttled_until is not None and one.throttled_until <= now:
                one.throttled_until = None
        for task, serves in self.roster.take_news():
            deployment = self.deployment_of(task)
            assert deployment is not None, task.task_id
            if serves:
                self.deployments.task_serves(deployment)
            else:
                self.log.failed_health_checks(now, task.task_id)
                self.deployments.health_failed(deployment)

    def _stop_some(self, now: float) -> None:
        primary, *older = self._groups()
        share_minimum(primary, older, self.minimum)
        told: list[tuple[bool, str]] = []
        for task in to_scale_in(primary, older, self.minimum):
            told.append((is_running(task), task.task_id))
            reason = f"Scaling activity initiated by (deployment {task.deployment_id})"
            self.roster.stop(task, now, StopCode.SERVICE_SCHEDULER_INITIATED, reason)
        for group in (primary, *older):
            for task in group.replaced():
                told.append((True, task.task_id))
                self.roster.stop(task, now, StopCode.SERVICE_SCHEDULER_INITIATED, UNHEALTHY)
        self.log.stopped(now, told)

    def _start_some(self, now: float) -> None:
        groups = self._groups()
        room = self.maximum - sum(group.size for group in groups)
        started: list[str] = []
        replaced = 0
        for group in groups:
            unhealthy = len(group.unhealthy)
            for task in to_make_room(group, room, now):
                self.log.stopped(now, [(True, task.task_id)])
                self.roster.stop(task, now, StopCode.SERVICE_SCHEDULER_INITIATED, UNHEALTHY)
                group.unhealthy.remove(task)
                room += 1
            begun = [self.roster.begin(group.deployment, now) for _ in range(min(group.missing(now), max(0, room)))]
            started += [task.task_id for task in begun]
            replaced += min(len(begun), unhealthy)
            room -= len(begun)
        if started:
            self.log.started(now, started, replaced)

    def _tell(self, now: float) -> None:
        primary, *older = self._groups()
        self.log.scale_in_blocked(now, primary.deployment.deployment_id, primary.spared)
        is_served = primary.serving >= self.minimum
        for group in older:
            self.log.deployment_blocked(now, group.deployment.deployment_id, group.spared if is_served else 0)
        room = self.maximum - primary.size - sum(group.size for group in older)
        self.log.stuck(now, is_so=is_stuck(primary, older, room, now))
        is_whole = primary.serving == primary.size == self.desired
        is_steady = is_whole and len(self.deployments.listed) == 1 and all(map(is_live, self.roster.unfinished()))
        if is_steady:
            self.deployments.complete(now)
        self.log.steady(now, is_so=is_steady)
