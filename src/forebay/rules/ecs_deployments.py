"""The deployments of a service: which one is PRIMARY, when one is completed, fails, goes back, or is no more.

Rules kept here and nowhere else:

1. A new deployment is PRIMARY, and the one before becomes ACTIVE until its last task is STOPPED; then it is INACTIVE
   and no longer listed. Five at the most are listed when another is asked for
   (facts/ecs-task-protection.md section 3; aws/containers-roadmap#2836).
2. A failed launch counts against the PRIMARY deployment while none of its tasks serves, a failed health check always;
   a task that serves makes the count 0 again. At the threshold the deployment is FAILED and starts nothing more
   (ECS guide, How the deployment circuit breaker detects failures). A completed deployment no longer fails.
3. The rollback makes the last completed deployment PRIMARY and IN_PROGRESS again. Until that is completed there is
   nothing to go back to (same page). Whether ECS holds a rollback to the five is unknown; here it is not.
4. Launches that failed are repeated after a growing time. All tasks of one round count once; a task that serves ends
   it, and a new deployment begins without (ECS guide, Service throttle logic).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from forebay.rules.ecs_events import EventLog
from forebay.rules.ecs_limits import THROTTLE_TOLD_AT, failure_threshold, throttle_s
from forebay.rules.ecs_refusals import ACTIVE_DEPLOYMENTS_MAX, too_many_deployments
from forebay.rules.ecs_vocabulary import DeploymentRecord, DeploymentStatus, RolloutState, ServicePlan, TaskRecord

if TYPE_CHECKING:
    from random import Random

BREAKER = "ECS deployment circuit breaker: "


class Deployments:
    """The deployments that still have tasks, or are to have some."""

    def __init__(self, plan: ServicePlan, log: EventLog, rng: Random) -> None:
        self.listed: list[DeploymentRecord] = []
        """PRIMARY first, then the ACTIVE ones, the newest first."""
        self._plan = plan
        self._log = log
        self._rng = rng
        self._completed: DeploymentRecord | None = None

    @property
    def primary(self) -> DeploymentRecord:
        return self.listed[0]

    @property
    def older(self) -> list[DeploymentRecord]:
        """The ACTIVE ones, in the order in which their tasks are worth keeping.

        That from which the service comes (once completed, the latest first), then the others, the newest first, and
        those that failed last.
        """
        failed = RolloutState.FAILED
        order = [(-(one.completed_at or -1.0), one.rollout_state is failed, index) for index, one in self._indexed()]
        return [self.listed[index] for _, _, index in sorted(order, key=lambda key: (key[1], key[0], key[2]))]

    def begin(self, revision: int, desired: int, now: float) -> DeploymentRecord:
        """Make a new deployment and let it be PRIMARY. Raises SchedulerRefusal when there are too many."""
        if len(self.listed) >= ACTIVE_DEPLOYMENTS_MAX:
            raise too_many_deployments()
        new = DeploymentRecord(
            deployment_id=f"ecs-svc/{self._rng.randrange(10**18, 10**19)}",
            revision=revision,
            status=DeploymentStatus.PRIMARY,
            created_at=now,
            updated_at=now,
            desired_count=desired,
        )
        new.rollout_reason = f"ECS deployment {new.deployment_id} in progress."
        self._put_first(new, now)
        return new

    def launch_failed(self, deployment: DeploymentRecord, task: TaskRecord, now: float, *, has_serving: bool) -> None:
        """Note that a task has ended before it could serve."""
        last_at = deployment.launches_failed_at
        if last_at is None or task.created_at >= last_at:
            deployment.launches_failed += 1
            deployment.launches_failed_at = now
            deployment.throttled_until = now + throttle_s(deployment.launches_failed)
            if deployment.launches_failed == THROTTLE_TOLD_AT:
                self._log.unable_to_start(now)
        if not has_serving:
            self._count_failure(deployment)

    def health_failed(self, deployment: DeploymentRecord) -> None:
        """Note that a task was found unhealthy."""
        self._count_failure(deployment)

    def task_serves(self, deployment: DeploymentRecord) -> None:
        """Note that a task has begun to serve, or serves again."""
        deployment.failed_tasks = deployment.launches_failed = 0
        deployment.launches_failed_at = deployment.throttled_until = None

    def break_circuit(self, desired: int, now: float) -> None:
        """Fail the PRIMARY deployment if too many of its tasks have failed, and go back if that is wanted."""
        failing = self.primary
        is_over = failing.failed_tasks < failure_threshold(desired)
        if not self._plan.circuit_breaker or failing.rollout_state is not RolloutState.IN_PROGRESS or is_over:
            return
        failing.rollout_state, failing.updated_at = RolloutState.FAILED, now
        failing.rollout_reason = BREAKER + "tasks failed to start."
        self._log.deployment_failed(now, failing.deployment_id)
        target = self._completed
        if self._plan.rolls_back and target is not None and target is not failing:
            self._go_back(target, desired, now)

    def complete(self, now: float) -> None:
        """Note that the service has only tasks of the PRIMARY deployment, as many as it should, and all serve."""
        done = self.primary
        if done.rollout_state is not RolloutState.IN_PROGRESS:
            return
        done.rollout_state, done.updated_at, done.completed_at = RolloutState.COMPLETED, now, now
        done.rollout_reason = f"ECS deployment {done.deployment_id} completed."
        self._completed = done
        self._log.deployment_completed(now, done.deployment_id)

    def retire(self, unfinished: Iterable[TaskRecord], now: float) -> None:
        """Let go of the older deployments of which every task is STOPPED."""
        alive = {task.deployment_id for task in unfinished}
        gone = [one for one in self.listed[1:] if one.deployment_id not in alive]
        for one in gone:
            one.status, one.updated_at = DeploymentStatus.INACTIVE, now
            one.desired_count = one.running_count = one.pending_count = 0
            self.listed.remove(one)
        self._log.forget(one.deployment_id for one in gone)

    def _indexed(self) -> list[tuple[int, DeploymentRecord]]:
        return list(enumerate(self.listed))[1:]

    def _count_failure(self, deployment: DeploymentRecord) -> None:
        if deployment is self.primary and deployment.rollout_state is RolloutState.IN_PROGRESS:
            deployment.failed_tasks += 1

    def _go_back(self, target: DeploymentRecord, desired: int, now: float) -> None:
        self._log.rolling_back(now, target.deployment_id)
        self._completed = None
        target.status, target.desired_count = DeploymentStatus.PRIMARY, desired
        target.rollout_state = RolloutState.IN_PROGRESS
        target.rollout_reason = f"{BREAKER}rolling back to deploymentId {target.deployment_id}."
        target.throttled_until = None
        target.failed_tasks = target.launches_failed = 0
        if target in self.listed:
            self.listed.remove(target)
        self._put_first(target, now)

    def _put_first(self, deployment: DeploymentRecord, now: float) -> None:
        deployment.updated_at = now
        if self.listed:
            self.primary.status, self.primary.updated_at = DeploymentStatus.ACTIVE, now
            # Those that run are what it is worth; what it has not started yet, its successor starts.
            self.primary.desired_count = min(self.primary.desired_count, self.primary.running_count)
        self.listed.insert(0, deployment)
