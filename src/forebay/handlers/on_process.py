"""The executor of jobs in child processes. Implements the port; its parts do the work.

Rules kept here and nowhere else:

1. Isolated jobs are alone in their child, so it can be killed for them: at the limit at once, after an interrupt when
   the code has not ended in a moment. Their end is told when the process is dead, never before.
2. A child with several jobs is never killed for one of them. What it is asked, it is asked as a thread would be.
3. Nothing here waits for a child: what it says later is heard on the keeper's thread (`listening`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic

from forebay.handlers.child_record import Child
from forebay.handlers.children import Keeper, Report
from forebay.handlers.executor import Blockage, Deliver, Ended
from forebay.handlers.listening import Listening
from forebay.handlers.pipe_words import signals_said
from forebay.handlers.placing import Placing
from forebay.handlers.plan import Plan
from forebay.handlers.registry import Registry
from forebay.model import Attempt, Interrupted

OBEY_S = 0.8
"""How long isolated code gets to end after an interrupt: less than the engine waits for it (`worker.drain.OBEY_S`)."""

UNANSWERED_S = 2.0
"""A ping without an answer for this long: some code holds the interpreter itself."""


class ProcessExecutor:
    """Runs handlers in child processes."""

    def __init__(self, registry: Registry, plan: Plan, *, report: Report) -> None:
        """`report` tells an event; it may be called from any thread."""
        self._plan = plan
        self._lock = threading.RLock()
        self._keeper = Keeper(plan, self._lock, report)
        self._placing = Placing(registry, plan, self._keeper.children, self._keeper.wake)
        self._listening = Listening(self._placing, self._keeper, self._lock, report, end_isolated=self.end_isolated)
        self._closing = False

    @property
    def can_kill(self) -> bool:
        return self._plan.is_isolated

    def open(self, deliver: Deliver) -> None:
        self._deliver = self._listening.deliver = deliver
        for runs in self._plan.kinds:
            deliver.room(runs, 0)
        self._keeper.open(self._listening)

    def start(self, attempts: Sequence[Attempt]) -> None:
        if self._closing:
            self._deliver.ended([Ended(attempt.number, Interrupted(), 0.0) for attempt in attempts])
            return
        with self._lock:
            self._placing.add(attempts)

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        with self._lock:
            child = self._placing.child_of(number)
            if child is None:
                self._end_waiting(self._placing.take_back(number))
            elif self._plan.is_isolated and not self._placing.has_begun(child, number):
                child.doomed[number] = because_of_limit
                self._placing.ask_back(child)
            elif self._plan.is_isolated:
                self.end_isolated(child, number, because_of_limit=because_of_limit)
            else:
                self._placing.send(child, {"t": "interrupt", "n": number, "because_of_limit": because_of_limit})
                if because_of_limit:
                    self._placing.send(child, {"t": "stack", "n": number})  # In case that it does not end.

    def end_isolated(self, child: Child, number: int, *, because_of_limit: bool) -> None:
        """See to it that what an isolated child runs ends. With the lock held."""
        if because_of_limit:
            child.verdict = "limit"
            child.process.kill()
        elif child.verdict is None:
            child.verdict = "interrupt"
            child.kill_at = monotonic() + OBEY_S
            self._placing.ask_back(child)  # First, so that nothing new begins when this one obeys.
            self._placing.send(child, {"t": "interrupt", "n": number, "because_of_limit": False})
            self._keeper.wake()

    def _end_waiting(self, attempts: Sequence[Attempt]) -> None:
        """End what no child has begun. Nothing can be held against it, not even a limit that passed meanwhile."""
        if attempts:
            self._deliver.ended([Ended(attempt.number, Interrupted(), 0.0) for attempt in attempts])

    def notify(self, attempt: Attempt) -> None:
        with self._lock:
            child = self._placing.child_of(attempt.number)
            if child is not None:
                signals = signals_said(attempt.signals, now=monotonic())
                self._placing.send(child, {"t": "signals", "n": attempt.number, "signals": signals})

    def blockage(self, *, now: float) -> Blockage | None:
        """Say whether the event loop of some child does not turn. An isolated job may block its own as it likes."""
        if self._plan.is_isolated:
            return None
        with self._lock:
            found = [self._blockage_in(child, now) for child in self._keeper.children if child.running]
        return max((one for one in found if one is not None), key=lambda one: one.blocked_s, default=None)

    def _blockage_in(self, child: Child, now: float) -> Blockage | None:
        if child.pinged_at is None:
            child.pinged_at = now
            self._placing.send(child, {"t": "ping"})
            blockage, child.blockage = child.blockage, None
            return blockage
        if now - child.pinged_at < UNANSWERED_S:
            return None
        return Blockage(now - child.pinged_at, (f"process {child.process.pid} does not answer",))

    def stack_of(self, number: int) -> tuple[str, ...]:
        """Return where the code of an attempt stood when its child last said so, and have it say so again."""
        with self._lock:
            child = self._placing.child_of(number)
            if child is None:
                return ()
            self._placing.send(child, {"t": "stack", "n": number})
            return child.stacks.get(number, ())

    def close(self, *, wait_s: float) -> bool:
        with self._lock:
            self._closing = self._placing.is_closing = True
            self._end_waiting(self._placing.take_back())
            for child in self._keeper.children:
                child.verdict = child.verdict or "interrupt"
        return self._keeper.close(wait_s=wait_s)
