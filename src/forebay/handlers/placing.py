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

from forebay.handlers.ahead import OVERDUE_S, Ahead
from forebay.handlers.batches import gathered
from forebay.handlers.child_record import Child, Phase, Placed
from forebay.handlers.executor import Ended
from forebay.handlers.pipe import Header
from forebay.handlers.pipe_words import attempts_said
from forebay.handlers.plan import Plan
from forebay.handlers.registry import Registry
from forebay.model import Attempt, Interrupted, Outcome

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
        self.ahead = Ahead(registry, is_isolated=plan.is_isolated)
        self.is_closing = False

    @property
    def room(self) -> int:
        """How many attempts (or batches) children may have at once as things are."""
        return self._depth * sum(child.phase is Phase.UP for child in self.children)

    @property
    def _depth(self) -> int:
        return self.plan.slots_each + self.ahead.for_each_child

    @property
    def are_all_supplied(self) -> bool:
        """Whether each child has something to do after what it does now."""
        up = [child for child in self.children if child.phase is Phase.UP]
        return bool(up) and not self.is_closing and all(len(child.running) > 1 for child in up)

    def has_begun(self, child: Child, number: int) -> bool:
        """Whether a child of isolated jobs runs this attempt, and has not only been given it."""
        first = next(iter(child.running.values())).attempt
        return number == first.number or bool(first.batch and first.batch == child.running[number].attempt.batch)

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
            if self.plan.is_isolated and not child.running:
                child.log_tail.clear()
            child.running.update({attempt.number: Placed(attempt, now) for attempt in work})
            self._child_of.update({attempt.number: child for attempt in work})
            if self.plan.is_isolated:
                self._count(child, work[0].job)
        for child, attempts in given.items():
            self.send(child, *attempts_said(attempts, now=now))

    def _roomiest(self) -> Child | None:
        best: Child | None = None
        most = 0
        for child in self.children:
            if child.phase is Phase.UP and not child.is_last_job and child.verdict is None:
                free = self._depth - len(child.running)
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

    def put_back(self, child: Child) -> list[Ended]:
        """Take from a dead child what it had not begun: others do it, before anything else.

        Returns the ends of what was to end anyway.
        """
        ended: list[Ended] = []
        for number in reversed(list(child.running)):
            if self.has_begun(child, number):
                continue
            if number in child.doomed:
                ended.append(self.end(child, number, Interrupted()))
                continue
            self._waiting.appendleft((child.running.pop(number).attempt,))
            del self._child_of[number]
        return ended

    def ask_back(self, child: Child) -> None:
        """Have a child hand back what it has not begun."""
        child.is_asked_back = True
        self.send(child, {"t": "hand_back"})

    def ask_back_overdue(self, now: float) -> float | None:
        """Have children hand back what has waited in them for too long; return when to look again."""
        instants: list[float] = []
        for child in self.children:
            if self.ahead.is_allowed and len(child.running) > 1 and not child.is_asked_back:
                overdue_at = list(child.running.values())[1].placed_at + OVERDUE_S
                if now < overdue_at:
                    instants.append(overdue_at)
                else:
                    self.ahead.was_long()
                    self.ask_back(child)
        return min(instants, default=None)

    def end(self, child: Child, number: int, outcome: Outcome, lasted_s: float | None = None) -> Ended:
        """Return the end of an attempt that the child ran, and forget it. It lasted until now if nobody says better."""
        if self.plan.is_isolated and self.has_begun(child, number):
            child.log_tail.clear()  # What comes now is the next one's.
        attempt, placed_at = child.running.pop(number)
        del self._child_of[number]
        child.stacks.pop(number, None)
        child.doomed.pop(number, None)
        if len(child.running) < 2:
            child.is_asked_back = False
        if lasted_s is None:
            lasted_s = monotonic() - placed_at
        if not isinstance(outcome, Interrupted):  # That says nothing of how long the job takes.
            self.ahead.lasted(lasted_s)
        return Ended(number, outcome, lasted_s, attempt.signals.checkpoint)

    def send(self, child: Child, header: Header, tail: bytes = b"") -> None:
        """Tell the child something."""
        if not child.send(header, tail):
            self._wake()
