"""Which child does which work: what waits for room, and what runs where.

Rules kept here and nowhere else:

1. Work is one attempt or one batch. It goes whole to the child with the most room, and waits while there is none.
2. An attempt stands in one place from its hand-over to its end: among what waits, or in one child.
3. A child that has been given the last of its jobs gets no more, and its replacement is started with it, so that
   nobody waits for it.

Everything here is called with the executor's lock held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from forebay.handlers.batches import gathered
from forebay.handlers.child_record import Child, Phase, Placed
from forebay.handlers.executor import Ended
from forebay.handlers.pipe import Header
from forebay.handlers.pipe_words import attempts_said
from forebay.handlers.plan import Plan
from forebay.handlers.registry import Registry
from forebay.model import Attempt, Outcome

Work = tuple[Attempt, ...]


class Placing:
    """Where every attempt of a process executor is."""

    def __init__(self, registry: Registry, plan: Plan, children: list[Child], wake: Callable[[], None]) -> None:
        """`wake` has the keeper look at the records again."""
        self.registry = registry
        self.plan = plan
        self.children = children
        self._wake = wake
        self._waiting: deque[Work] = deque()
        self._child_of: dict[int, Child] = {}

    @property
    def room(self) -> int:
        """How many attempts (or batches) can run at once as things are."""
        return self.plan.slots_each * sum(child.phase is Phase.UP for child in self.children)

    def child_of(self, number: int) -> Child | None:
        """Return the child that runs the attempt, None for one that waits or has ended."""
        return self._child_of.get(number)

    def add(self, attempts: Sequence[Attempt]) -> None:
        """Take these in, and begin with those for which there is room."""
        singles, batches = gathered(attempts)
        self._waiting.extend((attempt,) for attempt in singles)
        self._waiting.extend(batches)
        self.place()

    def place(self) -> None:
        """Give what waits to children that have room."""
        now = monotonic()
        given: dict[Child, list[Attempt]] = {}
        while self._waiting and (child := self._roomiest()) is not None:
            work = self._waiting.popleft()
            given.setdefault(child, []).extend(work)
            child.running.update({attempt.number: Placed(attempt, now) for attempt in work})
            self._child_of.update({attempt.number: child for attempt in work})
            if self.plan.is_isolated:
                child.log_tail.clear()
                self._count(child, work[0].job)
        for child, attempts in given.items():
            self.send(child, *attempts_said(attempts, now=now))

    def _roomiest(self) -> Child | None:
        best: Child | None = None
        most = 0
        for child in self.children:
            if child.phase is Phase.UP and not child.is_last_job and child.verdict is None:
                free = self.plan.slots_each - len(child.running)
                if free > most:
                    best, most = child, free
        return best

    def _count(self, child: Child, job: str) -> None:
        child.done[job] += 1
        recycle_after = self.registry[job].recycle_after
        if recycle_after is not None and child.done[job] >= recycle_after:
            child.is_last_job = True
            self._wake()

    def take_back(self, number: int | None = None) -> list[Attempt]:
        """Return the work that waits with this attempt in it, or all that waits, and forget it."""
        found = [work for work in self._waiting if number is None or any(one.number == number for one in work)]
        for work in found:
            self._waiting.remove(work)
        return [attempt for work in found for attempt in work]

    def end(self, child: Child, number: int, outcome: Outcome, lasted_s: float | None = None) -> Ended:
        """Return the end of an attempt that the child ran, and forget it. It lasted until now if nobody says better."""
        attempt, placed_at = child.running.pop(number)
        del self._child_of[number]
        child.stacks.pop(number, None)
        if lasted_s is None:
            lasted_s = monotonic() - placed_at
        return Ended(number, outcome, lasted_s, attempt.signals.checkpoint)

    def send(self, child: Child, header: Header, tail: bytes = b"") -> None:
        """Tell the child something."""
        if not child.send(header, tail):
            self._wake()
