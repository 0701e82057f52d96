"""What must hold of one worker's end: when it leaves, with which account, and why (DESIGN invariants 3 to 5)."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.errors import FaultKind
from forebay.worker.drain import FLUSH_S
from forebay.worker.records import State
from forebay.worker.vocabulary import Count, Counted, Exit

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness

EXIT_AFTER_LIMIT_S = 5.0
"""ECS kills 30 s after SIGTERM; a drain of 25 s leaves so much."""
HURRY_MAX_S = 1.5
ROUNDING_S = 0.001


class LeavingChecks:
    """Watches one worker drain and leave."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.stop_at: float | None = None
        """When the engine began to drain."""
        self.retire_at: float | None = None
        """When it began to take nothing new because code does not end."""
        self._drain_s = witness.settings.drain_s
        self.hurry_at: float | None = None
        self.slack_s = 0.0
        """How long the control loop has stood still since the last request to stop: nobody is in time then."""
        self._counted_at: dict[str, float] = {}
        self._may_not_count: set[str] = set()
        self._unconfirmed: set[str] = set()
        """Sources whose numbers were all 0, and from which no receive has come back empty since."""
        self._seen_before_stop: set[str] = set()

    def stopped(self, *, is_hurry: bool) -> None:
        """A stop is requested, by whoever."""
        if self.stop_at is None:
            self.stop_at = self._witness.now
            self.slack_s = 0.0
            self._seen_before_stop = {message_id for _, message_id in self._witness.receipts}
        if is_hurry and self.hurry_at is None:
            self.hurry_at = self._witness.now
            self.slack_s = 0.0

    def retired(self) -> None:
        """Code does not end: nothing new is taken, and what else runs may finish."""
        self.retire_at = self._witness.now

    def retiring_ends(self) -> None:
        """Only code that does not end is left of a worker that retires: the last steps of a drain follow."""
        records = self._witness.records.values()
        others = [record.number for record in records if not record.is_stuck and record.state is State.RUNNING]
        if self.retire_at is None or others:
            self._witness.broken("5: retiring", f"attempts are interrupted while {others} may go on")
        self.stopped(is_hurry=False)
        self._drain_s = 0.0

    @property
    def takes_nothing(self) -> bool:
        """Whether nothing may be received or started any more."""
        return self.stop_at is not None or self.retire_at is not None

    @property
    def exit_at(self) -> float:
        """When the worker leaves at the latest by its own plan."""
        assert self.stop_at is not None
        exit_at = self.stop_at + self._drain_s + FLUSH_S
        return exit_at if self.hurry_at is None else min(exit_at, self.hurry_at + 1.0)

    def count(self, command: Count) -> None:
        self._counted_at[command.source] = self._witness.now

    def counted(self, event: Counted) -> None:
        if event.fault is not None and event.fault.kind is FaultKind.DENIED:
            self._may_not_count.add(event.source)
        if event.counts is not None and event.counts.is_empty:
            self._unconfirmed.add(event.source)

    def received(self, source: str, count: int) -> None:
        """A receive was answered."""
        if count == 0:
            self._unconfirmed.discard(source)

    def after_step(self) -> None:
        """Nobody may stay longer than promised."""
        now, witness = self._witness.now, self._witness
        if self.stop_at is None:
            return
        late_s = now - self.stop_at - self._drain_s - EXIT_AFTER_LIMIT_S - self.slack_s
        if late_s > 0:
            witness.broken("exit in time", f"{late_s:.3f} s past the drain's limit and five seconds")
        if self.hurry_at is not None and now > self.hurry_at + HURRY_MAX_S + self.slack_s:
            witness.broken("exit in time", f"{now - self.hurry_at:.3f} s after the second signal")

    def exit(self, command: Exit) -> None:
        """The worker leaves."""
        witness = self._witness
        engine = witness.process.engine
        ledger = engine._desk.ledger
        if ledger.received != witness.received or ledger.orphaned(held=0) != 0 or engine._desk.records:
            witness.broken("3: ledger", f"{ledger}; delivered {witness.received}")
        if witness.process.executor.running and not command.code_still_runs:
            witness.broken("5: exit", "code runs, and the engine says that none does")
        if command.code_still_runs and not witness.unfinished:
            witness.broken("5: exit", "no code runs, and the engine says that some does")
        if not self.takes_nothing:
            witness.broken("exit", "left without a drain")
        self.after_step()
        witness.settlements.exit(time_was_up=self.stop_at is not None and witness.now >= self.exit_at - ROUNDING_S)
        self._check_status(command)
        if command.reason == "empty":
            self._check_empty()

    def _check_status(self, command: Exit) -> None:
        if self.retire_at is not None and command.status != 1:
            self._witness.broken("exit", f"status {command.status} of a worker that replaces itself")
        if self.hurry_at is not None and command.status != 1:
            self._witness.broken("exit", f"status {command.status} after a second signal")
        if command.reason in ("SIGTERM", "empty") and command.status and self._witness.now < self.exit_at - ROUNDING_S:
            self._witness.broken("exit", f"status {command.status} although nothing was left open")

    def _check_empty(self) -> None:
        """Who leaves because nothing is left has asked, and nothing is left of what was there then or came to it."""
        world = self._witness.world
        if self._unconfirmed:
            self._witness.broken("exit when empty", f"no empty receive has confirmed {sorted(self._unconfirmed)}")
        for known in world.service.by_id.values():
            asked_at = self._counted_at.get(known.source, 0.0)
            was_there = known.sent_at < asked_at or known.message_id in self._seen_before_stop
            may_ask = known.source not in self._may_not_count and world.source_plan(known.source).may_describe
            if was_there and may_ask and world.is_left(known):
                self._witness.broken("exit when empty", f"message {known.number} is still there")
