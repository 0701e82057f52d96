"""What must hold of one worker after every step, whatever happened: the eight invariants of DESIGN section 3.

Rules kept here and nowhere else:

1. A witness believes what it sees at the edges: facts told, commands given, the service's account, code that runs.
   It looks into the engine only to compare the engine's books with that.
2. A check is never softened because a seed fails. What cannot be asked of any worker (a message that SQS delivered
   twice) is exempted by name.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from forebay.testing.world_breaker import BreakerChecks
from forebay.testing.world_code import Code
from forebay.testing.world_copies import CopyChecks
from forebay.testing.world_leaving import LeavingChecks
from forebay.testing.world_polls import PollChecks
from forebay.testing.world_protection import ProtectionChecks
from forebay.testing.world_releases import ReleaseChecks
from forebay.testing.world_settlements import SettlementChecks
from forebay.testing.world_starts import StartChecks
from forebay.worker.records import Record, State
from forebay.worker.vocabulary import (
    AbandonPolls,
    Bury,
    Command,
    Conclude,
    Count,
    Counted,
    Delete,
    Event,
    Exit,
    Finished,
    Hold,
    Interrupt,
    LookAtProtection,
    MessagesReceived,
    ProtectionAnswered,
    Receive,
    ReceiveFailed,
    Release,
    Renew,
    Report,
    Resend,
    RoomChanged,
    Start,
    StopNow,
    StopRequested,
    Stuck,
    Unhold,
)

if TYPE_CHECKING:
    from forebay.testing.world import World
    from forebay.testing.world_account import Known
    from forebay.testing.world_process import Process

IDLE_WAKES_MAX = 60
"""Wake-ups in one second after which nothing was done."""


class Witness:
    """Watches one worker."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.settings = world.plan.settings
        self.receipts: dict[tuple[str, str], str] = {}
        """The newest receipt that this worker has of each message, by source and message id."""
        self.unfinished: set[int] = set()
        """Attempts started whose end the engine has not heard of."""
        self.interrupted: set[int] = set()
        """Attempts interrupted by a stop."""
        self.ever_suspected: set[str] = set()
        """Jobs whose failures were not always counted."""
        self.received = 0
        self.has_stalled = False
        self.lost: set[str] = set()
        """Receipts whose lease the engine has reported as lost. A new delivery is a new lease."""
        self._idle_wakes: deque[float] = deque(maxlen=IDLE_WAKES_MAX)
        self._is_woken = False
        self._said_something = False
        self.polls, self.leaving = PollChecks(self), LeavingChecks(self)
        self.starts, self.breaker = StartChecks(self), BreakerChecks(self)
        self.settlements = SettlementChecks(self)
        self.releases = ReleaseChecks(self)
        self.copies = CopyChecks(self)
        self.protection = ProtectionChecks(self)
        self._on_command = self._all_checks()

    def _all_checks(self) -> dict[type[Command], Callable[[Any], None]]:
        return {
            Receive: self._receive,
            AbandonPolls: self.polls.abandon,
            Start: self.starts.start,
            Interrupt: self._interrupt,
            Delete: self.settlements.delete,
            Release: self.releases.release,
            Renew: self.releases.renew,
            Bury: self.settlements.bury,
            Resend: self.copies.resend,
            Conclude: self.settlements.conclude,
            Hold: self.protection.call,
            Unhold: self.protection.unhold,
            LookAtProtection: self.protection.call,
            Count: self.leaving.count,
            Report: self._report,
            Stuck: self._stuck,
            Exit: self.leaving.exit,
        }

    @property
    def now(self) -> float:
        return self.world.time.now

    @property
    def records(self) -> dict[int, Record]:
        """The engine's own books."""
        return self.process.engine._desk.records

    def uncounted(self, known: Known) -> int:
        """How many deliveries of a message this worker does not hold against it."""
        return self.process.engine._desk.uncounted.of((known.source, known.message_id))

    def broken(self, invariant: str, what: str) -> None:
        self.world.broken(invariant, f"{self.process.name}: {what}")

    # ── what the engine hears ──────────────────────────────────────────────────────────────────────────────

    def hears(self, event: Event) -> None:
        """A fact is about to be told."""
        if self.world.trace is not None:
            self.world.tell(f"{self.process.name} < {event}")
        self._said_something = False
        match event:
            case MessagesReceived(messages=messages):
                self.polls.answered(event)
                self.leaving.received(event.source, len(messages))
                self.starts.hears(event)
                self.breaker.received(event)
                self.received += len(messages)
                for message in messages:
                    self.receipts[message.source, message.message_id] = message.receipt
            case RoomChanged():
                self.starts.hears(event)
            case ReceiveFailed():
                self.polls.failed(event)
            case Finished(ended=ended):
                codes = self.process.executor.codes
                self.unfinished -= {one.number for one in ended if codes[one.number].is_told}
            case StopRequested() | StopNow():
                self.leaving.stopped(is_hurry=isinstance(event, StopNow))
            case ProtectionAnswered():
                self.protection.answered(event)
            case Counted():
                self.leaving.counted(event)
            case _:
                self.settlements.hears(event)
                self.releases.hears(event)
                self.copies.hears(event)

    def stalled(self, stall_s: float) -> None:
        self.has_stalled = True
        self.leaving.slack_s += stall_s

    def woken(self) -> None:
        self._is_woken = True  # The engine is called because it asked to be.

    # ── what the engine says ───────────────────────────────────────────────────────────────────────────────

    def says(self, command: Command) -> None:
        """A command is about to be carried out."""
        if self.world.trace is not None:
            self.world.tell(f"{self.process.name} > {command}")
        self._said_something = True
        if self.process.exit is not None:
            self.broken("exit", f"{type(command).__name__} after the exit")
        if (check := self._on_command.get(type(command))) is not None:
            check(command)

    def _receive(self, command: Receive) -> None:
        self.polls.receive(command)
        self.protection.receive()

    def _interrupt(self, command: Interrupt) -> None:
        if command.number not in self.unfinished:
            self.broken("5: interrupts", f"attempt {command.number} does not run")
        if command.because_of_limit:
            self.copies.limit_passed(command.number)
            return
        if self.leaving.stop_at is None:
            self.leaving.retiring_ends()
        self.interrupted.add(command.number)

    def _report(self, command: Report) -> None:
        fields = command.fields
        if command.event == "drain.started" and str(fields["reason"]).endswith("does not stop"):
            self.leaving.retired()
        elif command.event == "drain.started":
            self.leaving.stopped(is_hurry=False)
        elif command.event == "lease.lost":
            known = self.world.service.by_id[str(fields["message_id"])]
            if (receipt := self.receipts[known.source, known.message_id]) in self.lost and not known.is_shared:
                self.broken("4: leases", f"message {known.number} is reported as lost twice")
            self.lost.add(receipt)
            self.settlements.lease_lost(known, str(fields["reason"]))
        elif command.event == "message.parked":
            self.settlements.parked(str(fields["message_id"]))
        elif command.event.startswith("dependency."):
            self.breaker.told(command.event, str(fields["job"]))
            self.ever_suspected.add(str(fields["job"]))

    def _stuck(self, command: Stuck) -> None:
        if command.number not in self.unfinished:
            self.broken("limits", f"attempt {command.number} is called stuck and does not run")
        self.settlements.stuck.add(command.number)

    # ── after every step ───────────────────────────────────────────────────────────────────────────────────

    def trusts(self, code: Code, now: float) -> bool:
        """Whether the worker believes that nobody else may run this attempt's message."""
        if code.attempt.signals.lease_lost:
            return False
        record = self.records.get(code.attempt.number)
        if record is None or record.state is State.SETTLING:
            # Given up in the last resort: hidden until after our exit, if the service heard of it.
            return self.world.plan.has_clean_network
        return now < record.trusted_until

    def after_step(self) -> None:
        """Compare the engine's books with what is known outside."""
        desk = self.process.engine._desk
        waiting = running = protected = held_bytes = 0
        for record in desk.records.values():
            protected += record.needs_protection
            if record.state is State.SETTLING:
                continue
            held_bytes += record.body_bytes
            if record.state is State.WAITING:
                waiting += 1
            else:
                running += 1
            self._check_held(record)
        books = (len(desk.waiting), desk.running, desk.protected, desk.held_bytes)
        if books != (waiting, running, protected, held_bytes):
            self.broken("books", f"{books} instead of {(waiting, running, protected, held_bytes)}")
        if desk.ledger.orphaned(held=len(desk.records)) != 0 or desk.ledger.received != self.received:
            self.broken("3: ledger", f"{desk.ledger}")
        for checks in (self.protection, self.starts, self.breaker, self.settlements):
            checks.after_step()
        self.leaving.after_step()
        self._check_wakes()

    def _check_held(self, record: Record) -> None:
        """A delivery that waits or runs: its lease must be what the engine takes it for."""
        if record.state is State.RUNNING:
            self._check_running(record)
        number = record.number
        known = self.world.service.by_id[record.attempt.message.message_id]
        if record.is_lease_lost or known.is_shared:
            return
        if self.now >= record.trusted_until:
            self.broken("2: trusted lease", f"attempt {number} goes on although trust has ended")
        if not known.is_leased(record.receipt, self.now):
            self.broken("2: trusted lease", f"attempt {number} is trusted, but its lease has ended")

    def _check_running(self, record: Record) -> None:
        """Running code: it must be told what it has to know, and its limit must count."""
        number, signals = record.number, record.attempt.signals
        if number not in self.unfinished:
            self.broken("books", f"attempt {number} has finished")
        if record.is_lease_lost and not signals.lease_lost:
            self.broken("4: leases", f"attempt {number} has not been told that its lease is lost")
        if self.leaving.stop_at is not None and not signals.stopping:
            self.broken("8: drain", f"attempt {number} has not been told of the stop")
        if self.now >= record.deadline_at and not record.is_limit_passed:
            self.broken("limits", f"attempt {number} has not been told that its limit has passed")

    def _check_wakes(self) -> None:
        is_idle_wake, self._is_woken = self._is_woken and not self._said_something, False
        if not is_idle_wake:
            return
        now, wakes = self.now, self._idle_wakes
        if len(wakes) == IDLE_WAKES_MAX and now - wakes[0] < 1.0:
            self.broken("no hot loop", f"woken {IDLE_WAKES_MAX} times in {now - wakes[0]:.3f} s for nothing")
        wakes.append(now)
