"""A service on a clock moved by hand, whose processes do as they are told: for the sentences about ECS."""

from __future__ import annotations

from random import Random
from typing import Any

from forebay.rules.ecs_scheduling import ServiceScheduler
from forebay.rules.ecs_vocabulary import (
    Fact,
    KillTask,
    Order,
    ProtectionSet,
    ServicePlan,
    SignalTask,
    StartTask,
    TaskExited,
    TaskNotStarted,
    TaskRecord,
    TaskStarted,
    TaskStatus,
)


class Service:
    """Starts what is ordered, unless it `fails`; ends what is signalled, unless it `hangs`."""

    def __init__(self, **plan: Any) -> None:
        self.now = 0.0
        self.fails: set[int] = set()
        """The revisions whose processes cannot be started."""
        self.hangs = False
        self.orders: list[Order] = []
        self.scheduler = ServiceScheduler(ServicePlan(**{"name": "jobs", **plan}), rng=Random(7), now=0.0)
        self._carry_out(self.scheduler.advance(0.0))

    def tell(self, fact: Fact) -> None:
        self._carry_out(self.scheduler.handle(fact, self.now))

    def turn(self, seconds: float) -> Service:
        """Let time pass, and everything happen that is due meanwhile."""
        ends_at = self.now + seconds
        while (due_at := self.scheduler.next_event_at()) is not None and due_at <= ends_at:
            self.now = max(self.now, due_at)
            self._carry_out(self.scheduler.advance(self.now))
        self.now = ends_at
        return self

    def protect(self, *tasks: TaskRecord, seconds: float = 3_000.0) -> None:
        for task in tasks:
            self.tell(ProtectionSet(task.task_id, self.now + seconds))

    def running(self, revision: int | None = None) -> list[TaskRecord]:
        tasks = [task for task in self.scheduler.tasks.values() if task.status is TaskStatus.RUNNING]
        return [task for task in tasks if revision in (None, task.revision)]

    def said(self, text: str) -> list[str]:
        """The events that hold a text, the oldest first."""
        return [event.message for event in reversed(self.scheduler.view().events) if text in event.message]

    def count(self, kind: type[Order]) -> int:
        return sum(isinstance(order, kind) for order in self.orders)

    def _carry_out(self, orders: list[Order]) -> None:
        self.orders += orders
        for order in orders:
            match order:
                case StartTask(task_id=task_id, revision=revision) if revision in self.fails:
                    self.tell(TaskNotStarted(task_id, "no such program"))
                case StartTask(task_id=task_id):
                    self.tell(TaskStarted(task_id))
                case SignalTask(task_id=task_id) if not self.hangs:
                    self.tell(TaskExited(task_id, 0))
                case KillTask(task_id=task_id):
                    self.tell(TaskExited(task_id, -9))
                case _:
                    pass
