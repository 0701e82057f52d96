"""Attempts from their start to their end: how long they may run, and when they leave their slot.

Rules kept here and nowhere else:

1. A slot is left when the attempt has ended, or when it is certain that it will not start.
2. What was lost while it ran is settled in no way; its handler has been told.
3. Code that does not end at its limit keeps its slot and its lease; after as much time as a drain takes it is stuck.
"""

from __future__ import annotations

from collections.abc import Callable

from forebay.handlers.executor import Ended
from forebay.model import Attempt, TimedOut
from forebay.worker.ending import Ending
from forebay.worker.guarding import Guarding
from forebay.worker.handing_on import HandingOn, capped
from forebay.worker.records import Desk, Record, State, about
from forebay.worker.retry import SettleByRelease
from forebay.worker.rooms import Rooms
from forebay.worker.settling import Settling
from forebay.worker.timers import Timers
from forebay.worker.vocabulary import Conclude, Conclusion, ExtendRequested, Finished, Interrupt, Notify, Stuck

KILL_PATIENCE_S = 30.0


class Running:
    """Every record that runs."""

    def __init__(
        self,
        desk: Desk,
        ending: Ending,
        rooms: Rooms,
        handing_on: HandingOn,
        settling: Settling,
        guarding: Guarding,
        *,
        stuck: Callable[[Record, float], None],
    ) -> None:
        self._desk = desk
        self._ending = ending
        self._rooms = rooms
        self._handing_on = handing_on
        self._settling = settling
        self._guarding = guarding
        self._stuck = stuck
        self._deadlines = Timers()
        self.given_up: set[int] = set()
        """Attempts whose code would not end when we had to leave, and has not ended since."""
        self.retry_hidden_until = 0.0
        """Until when a message that we gave back with a delay stays hidden."""

    @property
    def wake_at(self) -> float | None:
        return self._deadlines.next_at

    # ── starting ───────────────────────────────────────────────────────────────────────────────────────────

    def started(self, record: Record, now: float) -> Attempt:
        """Take note that an attempt begins now; return it."""
        attempt = record.attempt
        record.state = State.RUNNING
        record.started_at = now
        del self._desk.waiting[attempt.number]
        self._desk.running += 1
        self._set_deadline(record, now + attempt.limit_s)
        return attempt

    def _set_deadline(self, record: Record, at: float) -> None:
        # Near the 12 h ceiling the lease ends before the limit would.
        record.deadline_at = record.attempt.signals.deadline_at = capped(record, at)
        self._deadlines.set(record.number, record.deadline_at)
        self._handing_on.watch(record)

    # ── ending ─────────────────────────────────────────────────────────────────────────────────────────────

    def finished(self, event: Finished, now: float) -> None:
        desk = self._desk
        conclusions: list[Conclusion] = []
        for ended in event.ended:
            if type(ended.outcome) is TimedOut and not ended.outcome.stopped:
                continue  # Its code runs on, so it keeps its slot and its lease; the exit will leave it behind.
            record = desk.records.get(ended.number)
            if record is not None and (record.state is State.RUNNING or self._settling.withdraw(record, ended.outcome)):
                conclusions.append(self._end(record, ended, now))
            if desk.is_stopping:
                self.given_up.discard(ended.number)
        if conclusions:
            desk.commands.append(Conclude(conclusions))

    def _end(self, record: Record, ended: Ended, now: float) -> Conclusion:
        end = self._ending.of(record, ended, now)
        record.outcome = end.outcome
        if record.state is State.RUNNING:
            self._rooms.lasted(record.attempt, ended.lasted_s)
            self.leave_slot(record)
        if record.is_lease_lost:
            self._settling.drop(record, "lease_lost")
        else:
            self.retry_hidden_until = max(self.retry_hidden_until, now + end.delay_s)
            self._settling.begin(record, end.settlement, end.column, now=now)
        return Conclusion(record.attempt, end.outcome, ended.lasted_s, end.word, end.delay_s)

    def leave_slot(self, record: Record) -> None:
        """The attempt has finished (or will not start): its slot and its bytes are free."""
        desk = self._desk
        number = record.attempt.number
        if record.state is State.RUNNING:
            desk.running -= 1
            self._rooms.ended(record.attempt)
            self._deadlines.cancel(number)
            self._handing_on.forget(record)
        else:
            assert record.state is State.WAITING, record.state
            del desk.waiting[number]
        desk.held_bytes -= record.body_bytes
        record.state = State.SETTLING

    def give_back(self, record: Record, now: float, *, delay_s: float = 0.0) -> None:
        """Let another worker have what never started here."""
        self.leave_slot(record)
        self.retry_hidden_until = max(self.retry_hidden_until, now + delay_s)
        self._settling.begin(record, SettleByRelease(delay_s, is_retry=False), "released", now=now)

    def lease_lost(self, record: Record, why: str) -> None:
        """A lease can no longer be trusted: tell the handler, and settle nothing on its strength."""
        if record.state is State.SETTLING:
            self._settling.lost(record, why)
            return
        if record.is_lease_lost:
            return  # An answer and the clock may say so in the same turn.
        record.is_lease_lost = True
        self._desk.report(
            "lease.lost",
            **about(record),
            state=record.state.name.lower(),
            reason=why,
        )
        if record.state is State.RUNNING:
            self._desk.commands.append(Notify(record.attempt, lease_lost=True))
        else:
            self.leave_slot(record)
            self._settling.drop(record, "lease_lost")

    # ── limits ─────────────────────────────────────────────────────────────────────────────────────────────

    def extend(self, event: ExtendRequested, now: float) -> None:
        record = self._desk.records.get(event.number)
        if record is None or record.state is not State.RUNNING or record.is_limit_passed:
            return
        self._set_deadline(record, now + event.limit_s)
        self._desk.commands.append(Notify(record.attempt))  # A child process has a deadline of its own to move.
        if record.needs_protection:
            self._guarding.took(record, now)

    def tick(self, now: float) -> None:
        """Tell attempts whose limit has passed to end."""
        for number in self._deadlines.due(now):
            self._deadline_passed(self._desk.records[number], now)

    def _deadline_passed(self, record: Record, now: float) -> None:
        if record.is_limit_passed:
            self._stuck(record, now)
            return
        record.is_limit_passed = True
        self._desk.commands.append(Interrupt(record.number, record.attempt.job, because_of_limit=True))
        # A process is killed at its limit. Should even that take long, something is wrong with the machine.
        patience_s = KILL_PATIENCE_S if self._rooms.are_processes(record.attempt.job) else 1.0
        self._deadlines.set(record.number, now + max(patience_s, self._desk.settings.drain_s))

    def interrupt(self, record: Record) -> None:
        record.is_interrupted = True
        self._desk.commands.append(Interrupt(record.number, record.attempt.job, because_of_limit=False))


def stuck(record: Record, now: float) -> Stuck:
    """Return what is told of code that does not end."""
    return Stuck(record.number, record.attempt.job, {**about(record), "ran_s": round(now - record.started_at, 3)})
