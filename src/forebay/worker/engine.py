"""The worker's brain: it hears what happened and says what to do. It never waits, reads no clock, opens nothing.

Rules kept here and nowhere else:

1. Facts come in through `handle`, one at a time; what follows is returned at once as commands.
2. A job starts only under a trusted lease, and only while protection is held or not needed.
3. Every message received ends exactly once in the ledger. What is held is in `records`, and nowhere else.
4. Nothing is settled while its code may still run, save in the last second before the exit.
5. After a stop request nothing is received; what open polls still bring goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forebay.errors import FaultKind
from forebay.handlers.executor import Ended
from forebay.handlers.registry import Handler, Registry, Unroutable
from forebay.model import Attempt, Interrupted, Message, Outcome, Signals, Succeeded, TimedOut
from forebay.protection.policy import Policy
from forebay.settings import VISIBILITY_CEILING_S, WorkerSettings
from forebay.worker.drain import Phase
from forebay.worker.emptiness import Emptiness
from forebay.worker.error_note import error_note
from forebay.worker.guarding import Guarding
from forebay.worker.leases import anchor_of_receive
from forebay.worker.leasing import Leasing
from forebay.worker.ledger import Column
from forebay.worker.polling import Polling, Room
from forebay.worker.records import Desk, Record, State, about, queue_name
from forebay.worker.retry import (
    DELETE,
    GIVE_BACK,
    SettleByBurial,
    SettleByDelete,
    SettleByRelease,
    Settlement,
    attempts_allowed,
    settlement,
)
from forebay.worker.settling import Settling
from forebay.worker.stopping import Stopping
from forebay.worker.timers import Timers
from forebay.worker.vocabulary import (
    Buried,
    Command,
    Conclude,
    Conclusion,
    Counted,
    Deleted,
    Described,
    Event,
    ExtendRequested,
    Finished,
    Interrupt,
    MessagesReceived,
    Notify,
    ProtectionAnswered,
    ReceiveFailed,
    Released,
    Renewed,
    Start,
    StopNow,
    StopRequested,
    Tick,
)

if TYPE_CHECKING:
    from random import Random

REFUSED_FOR_GOOD_S = 300.0
"""How long the service may say no (queue deleted, denied, no credentials) before we believe it."""

SETTLING_MAX_FACTOR = 10
"""Nothing is received while more than this many times the slots are being settled: the service is not keeping up."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker is doing, for health checks and dashboards."""

    phase: Phase
    waiting: int
    running: int
    settling: int
    polls_open: int
    ledger: Mapping[str, int]


class Engine:
    """One worker's decisions."""

    def __init__(
        self,
        settings: WorkerSettings,
        registry: Registry,
        sources: Sequence[str],
        *,
        policy: Policy,
        rng: Random,
    ) -> None:
        assert sources, "a worker needs a source"
        self.settings = settings
        self._registry = registry
        self._desk = Desk(settings, rng)
        self._limit_max_s = max((handler.limit_s for handler in registry), default=settings.visibility_s)
        self._polling = Polling(list(sources), visibility_s=settings.visibility_s, rng=rng)
        self._leasing = Leasing(self._desk, lost=self._lease_lost)
        self._settling = Settling(
            self._desk,
            self._leasing,
            polls_open=self._polling.is_open,
            has_dead_letter=lambda key: self._descriptions[key] is not None,
            error_of=lambda record, reason: error_note(record, reason, detail=settings.dead_letter_detail),
        )
        self._guarding = Guarding(self._desk, policy, limit_max_s=self._limit_max_s)
        self._stopping = Stopping(
            self._desk, self._polling, self._settling, interrupt=self._interrupt, leave_slot=self._leave_slot
        )
        self._emptiness = Emptiness(list(sources)) if settings.exit_when_empty else None
        self._descriptions: dict[str, str | None] = dict.fromkeys(sources)
        self._receive_count_max: dict[str, int | None] = dict.fromkeys(sources)
        self._deadlines = Timers()
        self._next_number = 1
        self._to_start: list[Record] = []
        self._handlers: dict[type[Event], Callable[[Any, float], None]] = {
            MessagesReceived: self._received,
            Finished: self._finished,
            Deleted: self._settling.deleted,
            Renewed: self._renewed,
            Released: self._settling.released,
            Buried: self._settling.buried,
            ReceiveFailed: self._receive_failed,
            Described: self._described,
            ProtectionAnswered: self._protection_answered,
            ExtendRequested: self._extend,
            Counted: self._counted,
            StopRequested: self._stop_requested,
            StopNow: self._stop_now,
            Tick: self._tick,
        }
        self.wake_at: float | None = 0.0
        """When to be called again though nothing happened."""

    # ── the one way in ─────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: Event, *, now: float) -> list[Command]:
        """Take in one fact and return what is to be done about it."""
        desk = self._desk
        self._handlers[type(event)](event, now)
        self._settle_time(now)
        self._guarding.turn(now)
        self._start_what_may(now)
        self._poll(now)
        self._settling.unblock(now)
        self._stopping.turn(now)
        self._settling.flush()
        self.wake_at = self._earliest()
        assert desk.busy + self._polling.asked <= self.settings.slots, (desk.busy, self._polling.asked)
        assert desk.ledger.orphaned(held=len(desk.records)) == 0, desk.ledger
        commands, desk.commands = desk.commands, []
        return commands

    @property
    def stopped(self) -> bool:
        return self._stopping.drain.phase is Phase.GONE

    @property
    def holds_anything(self) -> bool:
        return bool(self._desk.records)

    @property
    def is_full(self) -> bool:
        """Whether every slot is taken, so that no poll is due."""
        return self._desk.busy >= self.settings.slots

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know, though nothing is broken."""
        notes: list[str] = []
        if self._desk.is_stopping:
            notes.append(f"stopping: {self._stopping.drain.reason}")
        elif self._guarding.is_paused:
            notes.append("task protection is refused for the moment: nothing is received")
        elif self._guarding.is_refused_for_good:
            notes.append(f"running without task protection: {self._guarding.lasting_reason}")
        return tuple(notes)

    @property
    def ledger(self) -> Mapping[str, int]:
        return self._desk.ledger.as_fields()

    @property
    def orphaned(self) -> int:
        """Messages that no column explains: 0, or we have lost count of one."""
        return self._desk.ledger.orphaned(held=0 if self.stopped else len(self._desk.records))

    def snapshot(self) -> Snapshot:
        """Return what is going on, by value."""
        desk = self._desk
        polls = sum(len(source.polls) for source in self._polling.sources.values())
        waiting = len(desk.waiting)
        return Snapshot(self._stopping.drain.phase, waiting, desk.running, desk.settling, polls, self.ledger)

    def _earliest(self) -> float | None:
        instants = (
            self._leasing.wake_at,
            self._deadlines.next_at,
            self._settling.wake_at,
            self._guarding.wake_at if not self._desk.is_stopping else None,
            self._polling.wake_at,
            self._stopping.drain.wake_at,
            self._emptiness.wake_at if self._emptiness is not None else None,
        )
        return min((at for at in instants if at is not None), default=None)

    # ── receiving ──────────────────────────────────────────────────────────────────────────────────────────

    def _described(self, event: Described, _now: float) -> None:
        source = self._polling.sources[event.source]
        source.is_described = True
        self._descriptions[event.source] = event.description.dead_letter
        self._receive_count_max[event.source] = event.description.receive_count_max
        if not event.description.may_renew:
            self._leasing.deny(event.source, "AccessDenied")
            self._lengthen(event.source)

    def _lengthen(self, key: str) -> None:
        """Without heartbeats a receive must hide its messages for as long as the longest job may take."""
        source = self._polling.sources[key]
        longest_s = self._limit_max_s + 2 * self.settings.trust_margin_s + 30
        source.visibility_s = max(source.visibility_s, min(int(longest_s), VISIBILITY_CEILING_S))

    def _received(self, event: MessagesReceived, now: float) -> None:
        poll = self._polling.close(event.source, event.poll)
        desk = self._desk
        messages = event.messages
        desk.ledger.received += len(messages)
        visibility_s = poll.visibility_s if poll is not None else self.settings.visibility_s
        anchor_at = anchor_of_receive(asked_at=event.asked_at, answered_at=event.answered_at, visibility_s=visibility_s)
        if self._emptiness is not None:
            if messages:
                self._emptiness.undo()
            elif not desk.records:
                self._emptiness.polled_empty(event.source, waited_s=poll.wait_s if poll else 0.0, now=now)
        for message in messages:
            self._take(message, event.asked_at, anchor_at, visibility_s, now)
        free = self.settings.slots - desk.busy - self._polling.asked
        failures = self._polling.sources[event.source].failures
        if failures:
            desk.report("poll.recovered", queue=queue_name(event.source), failures=failures)
        self._polling.answered(event.source, len(messages), queue_wait_s=event.queue_wait_s, free=free)
        if not messages and self.settings.protect == "always" and desk.records:
            self._guarding.is_cycle_over = True

    def _take(self, message: Message, asked_at: float, anchor_at: float, visibility_s: int, now: float) -> None:
        """Make a record of one message, or let the record that already stands for it adopt the delivery."""
        desk = self._desk
        key = (message.source, message.message_id)
        known = desk.by_message.get(key)
        if known is not None and self._adopt(known, message, asked_at, anchor_at, visibility_s, now):
            return
        handler = self._registry.route(message)
        is_routed = not isinstance(handler, Unroutable)
        limit_s = handler.limit_s if isinstance(handler, Handler) else 1.0
        name = handler.name if isinstance(handler, Handler) else "unroutable"
        attempt = Attempt(self._next_number, name, message, limit_s, Signals())
        self._next_number += 1
        needs_protection = is_routed and self._guarding.needs(limit_s)
        record = Record(
            attempt, message.source, key, message.receipt, message.body_bytes, asked_at, visibility_s, 0.0,
            needs_protection,
        )  # fmt: skip
        desk.records[attempt.number] = desk.waiting[attempt.number] = desk.by_message[key] = record
        desk.held_bytes += record.body_bytes
        self._leasing.grant(record, anchor_at=anchor_at)
        if needs_protection:
            desk.protected += 1
            self._guarding.took(record, now)
        if self._settling.was_done(key):
            desk.report("message.duplicate", queue=queue_name(message.source), message_id=message.message_id)
            self._leave_slot(record)
            self._settle(record, DELETE, "duplicate", now)
        elif isinstance(handler, Unroutable):
            self._leave_slot(record)
            self._settle(record, SettleByBurial(handler.reason), "buried", now)
        elif desk.is_stopping:
            self._give_back(record, now)
        else:
            self._to_start.append(record)

    def _adopt(
        self, record: Record, message: Message, asked_at: float, anchor_at: float, visibility_s: int, now: float
    ) -> bool:
        """Let a record go on with a newer delivery of its message. False if the old one is to be left behind."""
        if record.state is State.SETTLING and isinstance(record.settlement, SettleByRelease):
            assert record.column is not None
            self._settling.drop(record, record.column)  # Our release took effect before its answer came.
            return False
        column: Column = "lease_lost" if record.is_lease_lost else "duplicate"
        self._desk.ledger.add(column)
        self._desk.report(
            "message.duplicate", queue=queue_name(record.source), message_id=message.message_id, adopted=True
        )
        record.receipt = message.receipt
        record.received_at = asked_at
        record.visibility_s = visibility_s
        record.is_lease_lost = False
        record.renewing = None
        self._leasing.grant(record, anchor_at=anchor_at)
        if record.state is State.SETTLING:
            self._settling.adopt(record, now)
        return True

    def _receive_failed(self, event: ReceiveFailed, now: float) -> None:
        self._polling.close(event.source, event.poll)
        source = self._polling.sources[event.source]
        pause_s = self._polling.failed(event.source, event.fault, now=now)
        if self._desk.is_stopping:
            return
        fault = event.fault
        self._desk.report(
            "poll.failed",
            queue=queue_name(event.source),
            kind=fault.kind.value,
            code=fault.code,
            detail=fault.detail,
            retry_in_s=round(pause_s, 3),
        )
        refused_s = now - source.refused_since if source.refused_since is not None else None
        if refused_s is not None and (not source.has_answered or refused_s >= REFUSED_FOR_GOOD_S):
            self._stopping.begin(REFUSALS[fault.kind], now, status=1)

    # ── starting ───────────────────────────────────────────────────────────────────────────────────────────

    def _start_what_may(self, now: float) -> None:
        if not self._to_start:
            return
        desk = self._desk
        attempts: list[Attempt] = []
        still: list[Record] = []
        for record in self._to_start:
            if record.state is not State.WAITING:
                continue
            if self._guarding.may_start(record, now) and not desk.is_stopping:
                if now >= record.trusted_until:
                    still.append(record)
                    continue
                attempts.append(self._started(record, now))
            elif self._gives_back(record):
                self._give_back(record, now)
            else:
                still.append(record)
        self._to_start = still
        if attempts:
            self._guarding.started(now)
            desk.commands.append(Start(attempts))

    def _gives_back(self, record: Record) -> bool:
        """Whether another worker should have what waits here.

        In a pause it stays until our polls have ended, for an open one would take it again. Should the pause end first,
        it is started after all.
        """
        if self._desk.is_stopping:
            return True
        return self._guarding.is_paused and record.renewing is None and not self._polling.is_open(record.source)

    def _started(self, record: Record, now: float) -> Attempt:
        attempt = record.attempt
        record.state = State.RUNNING
        record.started_at = now
        # Near the 12 h ceiling the lease ends before the limit would.
        record.deadline_at = min(now + attempt.limit_s, record.received_at + VISIBILITY_CEILING_S)
        attempt.signals.deadline_at = record.deadline_at
        del self._desk.waiting[attempt.number]
        self._desk.running += 1
        self._deadlines.set(attempt.number, record.deadline_at)
        return attempt

    def _poll(self, now: float) -> None:
        desk = self._desk
        self._polling.wake_at = None
        if self._emptiness is not None:
            self._emptiness.wake_at = None
            if not desk.records and not desk.is_stopping:
                self._look_whether_empty(now)
        if desk.is_stopping or not self._guarding.may_poll(now):
            return
        slots = self.settings.slots
        free = slots - desk.busy - self._polling.asked
        if desk.settling > max(1_000, SETTLING_MAX_FACTOR * slots):
            free = 0
        self._set_waits(desk)
        free_bytes = self.settings.buffer_bytes - desk.held_bytes
        room = Room(slots, free, free_bytes, is_idle=not desk.records)
        receives = self._polling.ask(room, now=now)
        for receive in receives:
            if room.is_idle and receive.wait_s > 0:
                desk.report("poll.started", queue=queue_name(receive.source), wait_s=receive.wait_s)
        desk.commands.extend(receives)

    def _set_waits(self, desk: Desk) -> None:
        """Shorten the polls where a long one would be in the way."""
        if self._emptiness is not None:
            for key, source in self._polling.sources.items():
                source.wait_max_s = self._emptiness.wait_s(key, 20.0)
        elif self.settings.protect == "always":
            for source in self._polling.sources.values():
                source.wait_max_s = 0.0 if desk.records else 20.0

    def _look_whether_empty(self, now: float) -> None:
        assert self._emptiness is not None
        described = all(source.is_described for source in self._polling.sources.values())
        if not described:
            return
        self._desk.commands.extend(self._emptiness.ask(now=now))
        if self._emptiness.all_empty:
            self._stopping.begin("empty", now)

    def _counted(self, event: Counted, now: float) -> None:
        if self._emptiness is not None:
            is_denied = event.fault is not None and event.fault.kind is FaultKind.DENIED
            self._emptiness.counted(event, is_denied=is_denied, now=now)

    # ── ending ─────────────────────────────────────────────────────────────────────────────────────────────

    def _finished(self, event: Finished, now: float) -> None:
        desk = self._desk
        conclusions: list[Conclusion] = []
        for ended in event.ended:
            record = desk.records.get(ended.number)
            if record is not None and (record.state is State.RUNNING or self._settling.withdraw(record)):
                conclusions.append(self._end(record, ended, now))
            if desk.is_stopping:
                self._stopping.ended(ended.number)
        if conclusions:
            desk.commands.append(Conclude(conclusions))

    def _end(self, record: Record, ended: Ended, now: float) -> Conclusion:
        outcome = self._as_interrupted(record, ended.outcome)
        record.outcome = outcome
        attempt = record.attempt
        if record.state is State.RUNNING:
            self._leave_slot(record)
        attempts = attempts_allowed(
            attempts_max=self._registry[attempt.job].attempts_max,
            receive_count_max=self._receive_count_max[record.source],
        )
        what = settlement(outcome, receive_count=attempt.message.receive_count, attempts=attempts, rng=self._desk.rng)
        word, delay_s, column = _in_words(what)
        if word == "bury" and self._descriptions[record.source] is None:
            word = "park"
        if record.is_lease_lost:
            word = "none"
            self._settling.drop(record, "lease_lost")
        else:
            if self._emptiness is not None and delay_s > 0:
                self._emptiness.retry_hidden_until = max(self._emptiness.retry_hidden_until, now + delay_s)
            self._settle(record, what, column, now)
        return Conclusion(attempt, outcome, ended.lasted_s, word, delay_s)

    def _as_interrupted(self, record: Record, outcome: Outcome) -> Outcome:
        """What ends with an exception after our stop told it to is our doing, not its failure."""
        if record.is_interrupted and not isinstance(outcome, Succeeded | TimedOut | Interrupted):
            return Interrupted()
        return outcome

    def _leave_slot(self, record: Record) -> None:
        """The attempt has finished (or will not start): its slot and its bytes are free."""
        desk = self._desk
        number = record.attempt.number
        if record.state is State.RUNNING:
            desk.running -= 1
            self._deadlines.cancel(number)
        else:
            assert record.state is State.WAITING, record.state
            del desk.waiting[number]
        desk.held_bytes -= record.body_bytes
        record.state = State.SETTLING

    def _settle(self, record: Record, what: Settlement, column: Column, now: float) -> None:
        self._settling.begin(record, what, column, now=now)

    def _give_back(self, record: Record, now: float) -> None:
        """Let another worker have what never started here."""
        self._leave_slot(record)
        self._settling.begin(record, GIVE_BACK, "released", now=now)

    def _lease_lost(self, record: Record, why: str) -> None:
        """A lease can no longer be trusted: tell the handler, and settle nothing on its strength."""
        if record.state is State.SETTLING:
            self._settling.lost(record, why)
            return
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
            self._leave_slot(record)
            self._settling.drop(record, "lease_lost")

    def _renewed(self, event: Renewed, now: float) -> None:
        was_permitted = {key: self._leasing.may_renew(key) for key in self._polling.sources}
        self._leasing.renewed(event, now)
        for key, was in was_permitted.items():
            if was and not self._leasing.may_renew(key):
                self._lengthen(key)

    def _extend(self, event: ExtendRequested, now: float) -> None:
        record = self._desk.records.get(event.number)
        if record is None or record.state is not State.RUNNING or record.is_limit_passed:
            return
        record.deadline_at = min(now + event.limit_s, record.received_at + VISIBILITY_CEILING_S)
        record.attempt.signals.deadline_at = record.deadline_at
        self._deadlines.set(event.number, record.deadline_at)
        if record.needs_protection:
            self._guarding.took(record, now)

    # ── time, protection, stops ────────────────────────────────────────────────────────────────────────────

    def _tick(self, _event: Tick, now: float) -> None:
        """Time alone is looked after in every turn."""

    def _settle_time(self, now: float) -> None:
        """Do what has fallen due."""
        self._leasing.tick(now)
        self._settling.tick(now)
        for number in self._deadlines.due(now):
            self._deadline_passed(self._desk.records[number], now)

    def _deadline_passed(self, record: Record, now: float) -> None:
        if record.is_limit_passed:
            self._desk.report(
                "attempt.stuck",
                **about(record),
                ran_s=round(now - record.started_at, 3),
            )
            return
        record.is_limit_passed = True
        self._desk.commands.append(Interrupt(record.number, record.attempt.job, because_of_limit=True))
        self._deadlines.set(record.number, now + max(1.0, self.settings.drain_s))

    def _interrupt(self, record: Record) -> None:
        record.is_interrupted = True
        self._desk.commands.append(Interrupt(record.number, record.attempt.job, because_of_limit=False))

    def _protection_answered(self, event: ProtectionAnswered, now: float) -> None:
        self._guarding.answered(event.answer, now)
        if self.settings.protect == "always" and self._guarding.is_refused_for_good:
            self._stopping.begin(f"protection refused: {self._guarding.lasting_reason}", now, status=1)

    def _stop_requested(self, event: StopRequested, now: float) -> None:
        self._stopping.begin(event.reason, now)
        self._guarding.stop()

    def _stop_now(self, event: StopNow, now: float) -> None:
        self._stopping.hurry(event.reason, now)
        self._guarding.stop()


REFUSALS = {
    FaultKind.MISSING: "the queue does not exist: check the URL and the Region, or create it",
    FaultKind.DENIED: "receiving is denied: grant sqs:ReceiveMessage on the queue to the task role",
    FaultKind.CREDENTIALS: "no valid credentials: give the task a role, or set AWS_ACCESS_KEY_ID and its companions",
}
"""What to do about an answer that repeating cannot mend."""


def _in_words(what: Settlement) -> tuple[str, float, Column]:
    """Return a settlement's word, its delay in seconds, and the ledger's column that it leads to."""
    match what:
        case SettleByDelete():
            return "delete", 0.0, "succeeded"
        case SettleByRelease(delay_s=delay_s, is_retry=is_retry):
            return "release", delay_s, "retried" if is_retry else "released"
        case SettleByBurial():
            return "bury", 0.0, "buried"
