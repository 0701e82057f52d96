"""A queue, tasks that work it and a law that counts them, second by second: jobs all take the same time (M/D/c).

Rules kept here and nowhere else:

1. A task starts `start_delay_s` after it was wanted, and takes as many jobs as it has slots.
2. Scale-in takes tasks that have not started yet, then idle ones. A busy one is protected and stays until it is idle.
3. The law hears once a minute, of that very moment; AWS's metrics come a minute or two later.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from forebay.scaling.port import Decision, Law, QueueReading, ServiceReading

Arrivals = Callable[[int], int]
"""Second → how many messages are sent in it."""


def spike(count: int, *, at_s: int) -> Arrivals:
    return lambda second: count if second == at_s else 0


def steady(per_s: float, *, seed: int) -> Arrivals:
    """Messages that come at random, so many a second on average (Poisson)."""
    random = Random(seed)

    def arrivals(second: int) -> int:
        count, product = 0, random.random()
        while product > math.exp(-per_s):
            count, product = count + 1, product * random.random()
        return count

    return arrivals


@dataclass
class Task:
    runs_at: float
    ends: list[float] = field(default_factory=list)
    """When each of its jobs will be done."""


@dataclass(frozen=True)
class Row:
    """What the law was told at the end of a minute, and what it said."""

    minute: int
    waiting: int
    in_flight: int
    running: int
    desired: int
    """As the law found it."""
    decision: Decision


class ClosedLoop:
    def __init__(
        self,
        law: Law,
        arrivals: Arrivals,
        *,
        job_s: float = 1.0,
        slots: int = 1,
        start_delay_s: int = 40,
        count: int = 0,
    ) -> None:
        self.law = law
        self.arrivals = arrivals
        self.job_s = job_s
        self.slots = slots
        self.start_delay_s = start_delay_s
        self.desired = count
        self.tasks = [Task(runs_at=0.0) for _ in range(count)]
        self.waiting: deque[float] = deque()
        self.done = 0
        self.waited_s: list[float] = []
        """Of each message that was started, in the order of arrival."""
        self.second = 0
        self.received = 0
        """Up to the last reading."""
        self.rows: list[Row] = []

    def run(self, minutes: int) -> list[Row]:
        for _ in range(minutes * 60):
            self.second += 1
            self._turn(float(self.second))
        return self.rows

    def _turn(self, now: float) -> None:
        for task in self.tasks:
            self.done += sum(end <= now for end in task.ends)
            task.ends = [end for end in task.ends if end > now]
        self.waiting.extend([now] * self.arrivals(self.second))
        self._schedule(now)
        for task in self.tasks:
            while self.waiting and task.runs_at <= now and len(task.ends) < self.slots:
                self.waited_s.append(now - self.waiting.popleft())
                task.ends.append(now + self.job_s)
        if self.second % 60 == 0:
            self._scale(now)

    def _schedule(self, now: float) -> None:
        missing = self.desired - len(self.tasks)
        self.tasks += [Task(runs_at=now + self.start_delay_s) for _ in range(missing)]
        starting = [task for task in self.tasks if task.runs_at > now]
        idle = [task for task in self.tasks if task.runs_at <= now and not task.ends]
        for task in (starting + idle)[: max(0, -missing)]:
            self.tasks.remove(task)

    def _scale(self, now: float) -> None:
        running = [task for task in self.tasks if task.runs_at <= now]
        in_flight = sum(len(task.ends) for task in self.tasks)
        received = len(self.waited_s) - self.received
        self.received = len(self.waited_s)
        queue = QueueReading(
            at=now, period_s=60.0, visible=len(self.waiting), in_flight=in_flight, delayed=0, received=received
        )
        service = ServiceReading(
            desired=self.desired,
            running=len(running),
            pending=len(self.tasks) - len(running),
            protected=sum(bool(task.ends) for task in self.tasks),
        )
        decision = self.law.decide(queue, service, now=now)
        self.rows.append(Row(self.second // 60, len(self.waiting), in_flight, len(running), self.desired, decision))
        if decision.desired is not None:
            self.desired = decision.desired


def changes(rows: list[Row]) -> list[tuple[int, int, int]]:
    """Return (minute, from, to) of each change of the count."""
    return [(row.minute, row.desired, row.decision.desired) for row in rows if row.decision.desired is not None]


def table(rows: list[Row]) -> str:
    """Return the first minutes of work and every change as a Markdown table, for the documentation."""
    lines = ["| minute | waiting | running | backlog per task | decision |", "|---|---|---|---|---|"]
    for row in rows:
        if row.decision.desired is not None or "of 3 minutes" in row.decision.reason:
            metric = "—" if row.decision.metric is None else f"{row.decision.metric:,.0f}"
            lines.append(f"| {row.minute} | {row.waiting:,} | {row.running} | {metric} | {row.decision.reason} |")
    return "\n".join(lines)
