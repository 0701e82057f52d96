"""The turns of a service's scheduler: facts go in, orders come out and become processes and signals.

Rules kept here and nowhere else:

1. Facts that come while orders are carried out wait for their turn.
2. After each turn the alarm is set for what is due next, and whoever listens is told; what they do may be another turn.
3. A service that is being closed starts nothing more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from forebay.clock import Clock
from forebay.cloud.ecs_conditions import Conditions
from forebay.cloud.ecs_fleet import Fleet
from forebay.cloud.ecs_revisions import Revisions
from forebay.cloud.timers import Timers
from forebay.rules.ecs_scheduling import ServiceScheduler
from forebay.rules.ecs_vocabulary import Fact, KillTask, Order, SignalTask, StartTask


class Turns:
    """Turns one scheduler, on the running asyncio loop."""

    def __init__(
        self,
        scheduler: ServiceScheduler,
        fleet: Fleet,
        revisions: Revisions,
        *,
        clock: Clock,
        on_turned: Callable[[], None],
    ) -> None:
        self.conditions = Conditions()
        """Looked at after each turn."""
        self._scheduler = scheduler
        self._fleet = fleet
        self._revisions = revisions
        self._clock = clock
        self._on_turned = on_turned
        self._timers = Timers(clock, self.turn)
        self._facts: deque[Fact] = deque()
        self._is_turning = False
        self._may_start = True

    def tell(self, *facts: Fact) -> None:
        """Give facts to the scheduler and do what it orders. Raises SchedulerRefusal for what it refuses."""
        self._facts.extend(facts)
        if self._is_turning:
            return
        self._is_turning = True
        try:
            while self._facts:
                self._carry_out(self._scheduler.handle(self._facts.popleft(), self._clock.now()))
        finally:
            self._is_turning = False
        self._settle_down()

    def turn(self) -> None:
        """Let happen what is due by the clock. The alarm's task, and that of who moves the clock by hand."""
        self._carry_out(self._scheduler.advance(self._clock.now()))
        self.tell()

    def start_no_more(self) -> None:
        """Carry out no order to start a task from now on."""
        self._may_start = False

    def end(self) -> None:
        """Turn no more by the clock."""
        self._timers.cancel()

    def _settle_down(self) -> None:
        """See that the agent, the alarm and whoever listens know what has become of it."""
        self._fleet.forget_all_but(self._scheduler.tasks)
        for record in self._scheduler.tasks.values():
            self._fleet.note(record)
        due_at = self._scheduler.next_event_at()
        if due_at is not None and self._may_start:
            self._timers.alarm_by(due_at)
        try:
            self._on_turned()
        finally:
            self.conditions.look()

    def _carry_out(self, orders: Sequence[Order]) -> None:
        for order in orders:
            match order:
                case StartTask(task_id, revision):
                    if self._may_start:
                        command = self._revisions.by_number[revision].command
                        self._facts.append(self._fleet.start(task_id, revision, command))
                case SignalTask(task_id):
                    self._fleet.terminate(task_id)
                case KillTask(task_id):
                    self._fleet.kill(task_id)
