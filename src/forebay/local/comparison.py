"""The article's two opening pictures, made with real tasks: one spike worked at once by many, and smoothed by few.

Both sides get the same jobs at the same moment, each in a queue of its own. The tasks of the first could do all of them
at once; those of the second take them from the queue bit by bit. Both are kept until the slower one is done, for that
is what the article's point is about: what was needed at once must be paid for while it waits for the next spike.

Rules kept here and nowhere else:

1. The spike begins when every task of both sides is ready: starting them is not what is compared.
2. Compute is counted from the spike until both sides are done: seconds of tasks, and seconds of slots at work.
3. A side is done when it has finished as many jobs as it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from forebay.local.port import Comparison, ComparisonSide

SLOTS = 5
"""Of each task: few enough that a handful of tasks differs from one."""
TASKS_MAX = 8
"""More would only compete for the cores of a laptop while they start."""
POINTS_MAX = 2_000


class Side(Protocol):
    """The service that works one side's queue."""

    def are_ready(self) -> bool:
        """Whether each of its tasks waits for work."""
        ...

    def running_tasks(self) -> int: ...

    def busy_slots(self) -> int: ...

    def waiting(self) -> int:
        """Jobs in the queue that nobody has."""
        ...

    def done(self) -> int: ...


def tasks_for_all_at_once(jobs: int) -> int:
    """Return how many tasks work so many jobs at once, as far as this machine can bear them."""
    return max(1, min(TASKS_MAX, ceil(jobs / SLOTS)))


@dataclass(slots=True)
class _Drawn:
    """What has been seen of one side so far."""

    title: str
    side: Side
    points: list[tuple[float, int, int]] = field(default_factory=list[tuple[float, int, int]])
    waiting: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    task_s: float = 0.0
    busy_slot_s: float = 0.0
    done: int = 0
    tasks: int = 0
    """The most that there were: they are ended when both sides are done."""
    finished_after_s: float | None = None

    def look(self, at_s: float, since_last_s: float, jobs: int) -> None:
        tasks, busy, waiting = self.side.running_tasks(), self.side.busy_slots(), self.side.waiting()
        self.points.append((round(at_s, 2), tasks * SLOTS, busy))
        self.waiting.append((round(at_s, 2), waiting))
        self.task_s += tasks * since_last_s
        self.busy_slot_s += busy * since_last_s
        self.done = self.side.done()
        self.tasks = max(self.tasks, tasks)
        if self.finished_after_s is None and self.done >= jobs:
            self.finished_after_s = at_s

    def figures(self) -> ComparisonSide:
        return {
            "title": self.title,
            "tasks": self.tasks,
            "slots": SLOTS,
            "points": self.points,
            "waiting": self.waiting,
            "task_seconds": round(self.task_s, 2),
            "busy_slot_seconds": round(self.busy_slot_s, 2),
            "done": self.done,
            "finished_after_s": None if self.finished_after_s is None else round(self.finished_after_s, 2),
        }


class SpikeTwice:
    """One comparison, looked at again and again until both sides are done."""

    def __init__(self, *, jobs: int, job_ms: int, at_once: Side, smoothed: Side, send: Callable[[], None]) -> None:
        """`send` puts the jobs into both queues; it is called once, when every task is ready."""
        self._jobs = jobs
        self._job_ms = job_ms
        self._sides = (_Drawn("Worked at once", at_once), _Drawn("Smoothed through the queue", smoothed))
        self._send = send
        self._began_at: float | None = None
        self._looked_at = 0.0
        self.state = "starting"
        """starting, running or done."""

    def look(self, now: float) -> None:
        """Take notice of both sides. `now` is in seconds, of any clock that does not go back."""
        if self.state == "starting" and all(drawn.side.are_ready() for drawn in self._sides):
            self.state, self._began_at, self._looked_at = "running", now, now
            self._send()
        if self.state != "running":
            return
        assert self._began_at is not None
        for drawn in self._sides:
            drawn.look(now - self._began_at, now - self._looked_at, self._jobs)
        self._looked_at = now
        if all(drawn.finished_after_s is not None for drawn in self._sides) or self._is_full():
            self.state = "done"

    def _is_full(self) -> bool:
        return len(self._sides[0].points) >= POINTS_MAX

    def figures(self) -> Comparison:
        at_once, smoothed = (drawn.figures() for drawn in self._sides)
        return {
            "jobs": self._jobs,
            "job_ms": self._job_ms,
            "state": self.state,
            "at_once": at_once,
            "smoothed": smoothed,
        }
