"""Which tasks of a service are stopped now, and how many are started, so that it comes to what is wanted of it.

Rules kept here and nowhere else:

1. Protected tasks are never stopped to scale in or to deploy (facts/ecs-task-protection.md section 3), unhealthy ones
   are replaced even when protected: against that, ECS promises nothing, and the facts say to assume none.
2. Of those that may go, these go first: tasks that do not run yet, then those that do not serve yet, then the newest.
   ECS balances zones and says "at random" (ECS guide, Amazon ECS services); here there is one zone. Of several
   deployments the ones least worth keeping (`Deployments.older`, from its end) lose tasks first.
3. Older deployments keep what is missing of the minimum beside the PRIMARY's serving tasks and the protected ones. No
   serving task, wherever it belongs, is stopped when fewer than the minimum would serve.
4. Pending and running tasks together never exceed the maximum by what is started here. Those that were told to stop do
   not count.
5. The replacement of an unhealthy task is started first and the unhealthy one stopped when it serves; without room for
   that, one unhealthy task at a time is stopped first (ECS guide, Amazon ECS services). It is of the same deployment
   (ECS guide, Deploy Amazon ECS services by replacing tasks).
6. A lost task of the deployment from which the service comes is replaced by one of the same while there is room beside
   what the PRIMARY starts. A FAILED deployment starts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forebay.rules.ecs_roster import is_protected, is_running, is_serving, is_unhealthy
from forebay.rules.ecs_vocabulary import DeploymentRecord, DeploymentStatus, RolloutState, TaskRecord


@dataclass(slots=True)
class Group:
    """One deployment and those of its tasks that live."""

    deployment: DeploymentRecord
    sound: list[TaskRecord]
    """Pending or running, and not unhealthy."""
    unhealthy: list[TaskRecord]

    @classmethod
    def of(cls, deployment: DeploymentRecord, live: Sequence[TaskRecord]) -> Group:
        ours = [task for task in live if task.deployment_id == deployment.deployment_id]
        return cls(
            deployment,
            sound=[task for task in ours if not is_unhealthy(task)],
            unhealthy=[task for task in ours if is_unhealthy(task)],
        )

    @property
    def size(self) -> int:
        return len(self.sound) + len(self.unhealthy)

    @property
    def serving(self) -> int:
        return sum(map(is_serving, self.sound))

    @property
    def protected(self) -> int:
        return sum(map(is_protected, self.sound)) + sum(map(is_protected, self.unhealthy))

    def missing(self, now: float) -> int:
        """How many tasks it may start now, if there is room."""
        one = self.deployment
        is_throttled = one.throttled_until is not None and now < one.throttled_until
        return 0 if is_throttled or not self.may_replace else max(0, one.desired_count - len(self.sound))

    @property
    def may_replace(self) -> bool:
        """Whether it starts tasks at all (rule 6)."""
        one = self.deployment
        is_source = one.status is DeploymentStatus.PRIMARY or one.completed_at is not None
        return is_source and one.rollout_state is not RolloutState.FAILED

    def surplus(self) -> list[TaskRecord]:
        """Those of its sound tasks that are too many and may be stopped, in the order in which to stop them."""
        too_many = len(self.sound) - self.deployment.desired_count
        free = [task for task in self.sound if not is_protected(task)]
        free.sort(key=lambda task: (is_running(task), is_serving(task), -task.created_at))
        return free[: max(0, too_many)]

    def replaced(self) -> list[TaskRecord]:
        """Its unhealthy tasks whose replacements serve, and those that are too many."""
        count = self.serving + len(self.unhealthy) - self.deployment.desired_count
        return self.unhealthy[: max(0, count)]

    @property
    def waits_for_a_replacement(self) -> bool:
        return any(not is_serving(task) for task in self.sound)

    @property
    def spared(self) -> int:
        """How many of its tasks are protected, if these keep it from being as small as it should; else 0."""
        return self.protected if len(self.sound) > self.deployment.desired_count and not self.surplus() else 0


def share_minimum(primary: Group, older: Sequence[Group], minimum: int) -> None:
    """Say how many tasks each older deployment still has to keep (rule 3). It never becomes more."""
    spared = sum(group.protected for group in older)
    need = max(0, minimum - primary.serving - spared)
    for group in older:
        keeps = min(group.deployment.desired_count, need)
        if not group.may_replace:
            keeps = min(keeps, len(group.sound))
        group.deployment.desired_count = keeps
        need -= keeps


def to_scale_in(primary: Group, older: Sequence[Group], minimum: int) -> list[TaskRecord]:
    """Return the sound tasks to stop now: those that are too many, the PRIMARY's last of all (rules 2 and 3)."""
    chosen: list[TaskRecord] = []
    groups = (primary, *older)
    serving = sum(group.serving for group in groups)
    for group in reversed(groups):
        for task in group.surplus():
            if is_serving(task) and serving <= minimum:
                continue
            serving -= is_serving(task)
            chosen.append(task)
    return chosen


def to_make_room(group: Group, room: int, now: float) -> list[TaskRecord]:
    """Return the unhealthy task to stop before its replacement can be started, if there is no other way (rule 5)."""
    is_needed = room <= 0 and group.missing(now) > 0 and not group.waits_for_a_replacement
    return group.unhealthy[:1] if is_needed else []


def is_stuck(primary: Group, older: Sequence[Group], room: int, now: float) -> bool:
    """Say whether a deployment can neither stop nor start anything, and not because of protected tasks."""
    is_moving = primary.waits_for_a_replacement or room > 0 or primary.missing(now) == 0
    return bool(older) and not is_moving and sum(group.protected for group in older) == 0
