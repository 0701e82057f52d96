"""What must hold of the ECS service scheduler after every step, whatever happened.

Rules kept here and nowhere else:

1. The witness counts for itself: from orders, processes and requests. It looks at the scheduler's records to compare
   them with that, and for what is the scheduler's alone (deployments, what was said).
2. A check is never softened because a seed fails.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from forebay.rules.ecs_limits import failure_threshold, maximum_tasks, minimum_healthy
from forebay.rules.ecs_refusals import ACTIVE_DEPLOYMENTS_MAX, SchedulerRefusal
from forebay.rules.ecs_vocabulary import (
    DeploymentStatus,
    DesiredCountSet,
    Fact,
    KillTask,
    Order,
    RolloutState,
    SignalTask,
    StartTask,
    StopCode,
    TaskNotStarted,
    TaskStarted,
    TaskStatus,
)
from forebay.testing.ecs_world_process import FakeProcess

if TYPE_CHECKING:
    from forebay.testing.ecs_world import EcsWorld

LIFE = [
    TaskStatus.PROVISIONING,
    TaskStatus.PENDING,
    TaskStatus.RUNNING,
    TaskStatus.STOPPING,
    TaskStatus.DEPROVISIONING,
    TaskStatus.STOPPED,
]
STEADY = "has reached a steady state."


class Broken(AssertionError):
    """A world in which something that must hold does not."""


class Witness:
    """Sees everything that goes in and out of the scheduler of one world."""

    def __init__(self, world: EcsWorld) -> None:
        self._world = world
        self._desired = self._desired_ever = world.plan.service.desired_count
        self._told: set[tuple[str, str]] = set()
        """The kind of each order ever given, and its task."""
        self._status: dict[str, TaskStatus] = {}
        self._live: set[str] = set()
        """The tasks that lived before the step."""
        self._serving: set[str] = set()
        """Those that served before the step, by the world's own account."""
        self._known: set[str] = set()
        self._failed_tasks = 0
        self._last_event = ""
        self._starts: deque[float] = deque()
        self._causes: deque[float] = deque()

    def broken(self, invariant: str, what: str) -> None:
        """Say that an invariant does not hold."""
        raise Broken(f"seed {self._world.plan.seed} at {self._world.time.now:.3f} s: {invariant}: {what}")

    # ── around every step ──────────────────────────────────────────────────────────────────────────────────

    def before(self, fact: Fact | None) -> None:
        """Note how things stand before a step."""
        if isinstance(fact, DesiredCountSet):
            self._desired = fact.count
            self._desired_ever = max(self._desired_ever, fact.count)
        if fact is not None and not isinstance(fact, TaskStarted | TaskNotStarted):  # Those alone cause no starts.
            self._causes.append(self._world.time.now)
        view = self._world.scheduler.view()
        self._failed_tasks = view.deployments[0].failed_tasks
        self._last_event = view.events[0].event_id if view.events else ""
        self._known = set(self._world.scheduler.tasks)
        self._live = {one.task_id for one in view.tasks if one.desired_status is TaskStatus.RUNNING}
        self._serving = {one.task_id for one in self._world.processes.values() if one.serves}

    def after(self, orders: list[Order]) -> None:
        """Check what a step has decided, before it is carried out."""
        for order in orders:
            self._check_order(order)
        self._check_stops(orders)
        self._check_starts()
        self._check_deployments()
        self._check_events(orders)

    def check_books(self) -> None:
        """Check the scheduler's books against what there is."""
        world, now = self._world, self._world.time.now
        due_at = world.scheduler.next_event_at()
        if due_at is not None and due_at <= now:
            self.broken("one turn is enough", f"something is due at {due_at} again")
        alive = {one.task_id for one in world.processes.values() if one.is_alive}
        records = world.scheduler.tasks
        known = {one.task_id for one in records.values() if one.is_ordered and one.status is not TaskStatus.STOPPED}
        if known != alive:
            self.broken("no task is forgotten", f"it knows {known}, there are {alive}")
        for record in records.values():
            before = self._status.get(record.task_id, TaskStatus.PROVISIONING)
            if LIFE.index(record.status) < LIFE.index(before):
                self.broken("tasks do not live backwards", f"{record.task_id} from {before} to {record.status}")
            self._status[record.task_id] = record.status
        self._check_view()

    def check_protection_answer(self, process: FakeProcess, answer: str | None) -> None:
        """Check what ECS says to a task that wants to be protected."""
        now = self._world.time.now
        others = self._protected(now)
        is_blocked = not process.is_protected(now) and others > self._desired
        if answer != ("DEPLOYMENT_BLOCKED" if is_blocked else None):
            self.broken("protection", f"{answer} with {others} protected and {self._desired} desired")

    def check_refusal(self, refusal: SchedulerRefusal) -> None:
        """Check that only a sixth deployment was refused."""
        if len(self._world.scheduler.view().deployments) < ACTIVE_DEPLOYMENTS_MAX:
            self.broken("five deployments", f"refused with fewer: {refusal}")

    def check_rest(self) -> None:
        """Check that the service has come to what was wanted of it last."""
        world = self._world
        view = world.scheduler.view()
        alive = [one for one in world.processes.values() if one.is_alive]
        if not world.plan.can_move:
            return
        if not world.is_completed:
            self.broken("it comes to rest", f"the last deployment is not completed: {view.deployments}")
        if len(alive) != world.plan.final_desired or view.running_count != len(alive):
            self.broken("it comes to rest", f"{len(alive)} run, {world.plan.final_desired} are desired")

    # ── the checks ─────────────────────────────────────────────────────────────────────────────────────────

    def _check_order(self, order: Order) -> None:
        now = self._world.time.now
        told = (type(order).__name__, order.task_id)
        if told in self._told:
            self.broken("once", f"{order} is given twice")
        self._told.add(told)
        process = self._world.processes.get(order.task_id)
        match order:
            case StartTask():
                self._starts.append(now)
            case SignalTask():
                if process is None or not process.is_alive:
                    self.broken("signals reach somebody", f"{order}, and there is no such process")
            case KillTask():
                if process is None or not process.is_alive or process.signalled_at is None:
                    self.broken("SIGKILL only after SIGTERM", f"{order}")
                elif now < process.signalled_at + self._world.plan.service.stop_timeout_s:
                    self.broken("SIGKILL only after the stop timeout", f"{order} after {process.signalled_at}")

    def _check_stops(self, orders: list[Order]) -> None:
        """Whom the scheduler itself may tell to stop, and how many."""
        now, tasks = self._world.time.now, self._world.scheduler.tasks
        signalled = {order.task_id for order in orders if isinstance(order, SignalTask)}
        chosen = {one for one in signalled if tasks[one].stop_code is StopCode.SERVICE_SCHEDULER_INITIATED}
        for task_id in chosen:
            process = self._world.processes[task_id]
            if process.is_protected(now) and not process.is_ill:
                self.broken("protected tasks are spared", f"{task_id} was told to stop: {tasks[task_id]}")
        minimum = minimum_healthy(self._desired, self._world.plan.service.minimum_healthy_percent)
        left = len(self._serving - signalled)
        if chosen & self._serving and left < minimum:
            self.broken("the minimum stays", f"{left} serve after {chosen} were told to stop, {minimum} must")

    def _check_starts(self) -> None:
        """How many may be started, of which deployments, and how often."""
        service, now = self._world.plan.service, self._world.time.now
        tasks = self._world.scheduler.tasks
        new = [one for one in tasks.values() if one.task_id not in self._known]
        live = [one for one in tasks.values() if one.desired_status is TaskStatus.RUNNING]
        maximum = maximum_tasks(self._desired, service.maximum_percent)
        if new and len(live) > maximum:
            self.broken("the maximum holds", f"{len(live)} live after {len(new)} were started, {maximum} may")
        rollouts = {one.deployment_id: one.rollout_state for one in self._world.scheduler.view().deployments}
        for one in new:
            if rollouts.get(one.deployment_id, RolloutState.FAILED) is RolloutState.FAILED:
                self.broken("what has failed starts nothing", f"{one}")
        for times in (self._starts, self._causes):
            while times and times[0] <= now - 1.0:
                times.popleft()
        most = maximum_tasks(max(1, self._desired_ever), service.maximum_percent) * (2 + len(self._causes))
        if len(self._starts) > most:
            self.broken("no livelock", f"{len(self._starts)} starts within a second")

    def _check_deployments(self) -> None:
        listed = self._world.scheduler.view().deployments
        first, *others = listed
        if first.status is not DeploymentStatus.PRIMARY or first.desired_count != self._desired:
            self.broken("one deployment is primary", f"{first}, with {self._desired} desired")
        if any(one.status is not DeploymentStatus.ACTIVE for one in others):
            self.broken("one deployment is primary", f"{others}")
        if len(listed) > ACTIVE_DEPLOYMENTS_MAX + self._world.plan.service.rolls_back:
            self.broken("five deployments", f"there are {len(listed)}")

    def _check_events(self, orders: list[Order]) -> None:
        """What the service says of itself is so."""
        service = self._world.plan.service
        for event in self._world.scheduler.view().events:
            if event.event_id == self._last_event:
                return
            alive = [one for one in self._world.processes.values() if one.is_alive]
            if event.message.endswith((STEADY, "deployment completed.")):
                is_so = orders == [] and len(alive) == self._desired and all(one.serves for one in alive)
                if not is_so:
                    self.broken("what is said is so", f"{event.message} with {len(alive)} processes")
            if "deployment failed" in event.message:
                threshold = failure_threshold(self._desired)
                if not service.circuit_breaker or self._failed_tasks + 1 < threshold:
                    self.broken("the breaker trips at its threshold", f"{event.message} after {self._failed_tasks}")

    def _check_view(self) -> None:
        view = self._world.scheduler.view()
        running = sum(one.runs for one in self._world.processes.values())
        if view.running_count != running or sum(one.running_count for one in view.deployments) != running:
            self.broken("it counts right", f"{view.running_count} running, there are {running}")
        protected = self._protected(self._world.time.now)
        if view.protected_count != protected:
            self.broken("it counts right", f"{view.protected_count} protected, there are {protected}")

    def _protected(self, now: float) -> int:
        living = (one for one in self._world.processes.values() if one.is_alive and one.signalled_at is None)
        return sum(one.is_protected(now) for one in living)
