"""Drives an engine by hand: facts go in at the instants that a test chooses, commands come out to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal, TypeVar

from forebay.errors import Fault, FaultKind
from forebay.handlers.executor import Ended
from forebay.handlers.registry import Handler, Registry
from forebay.model import JOB_ATTRIBUTE, SUCCEEDED, Attempt, Message, MessageAttribute, Outcome
from forebay.protection.policy import Policy
from forebay.protection.port import Held, ProtectionAnswer
from forebay.queue.port import Description
from forebay.settings import Protect, WorkerSettings
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import (
    Buried,
    Command,
    Delete,
    Deleted,
    Described,
    Entry,
    Event,
    Exit,
    Finished,
    MessagesReceived,
    ProtectionAnswered,
    Receive,
    Release,
    Released,
    Renew,
    Renewed,
    Report,
    Resent,
    Start,
    StopNow,
    StopRequested,
    Stuck,
    Tick,
)

T = TypeVar("T")

NO_ANSWER = Fault(FaultKind.NO_ANSWER, "NoAnswer")
THROTTLED = Fault(FaultKind.THROTTLED, "RequestThrottled")
DENIED = Fault(FaultKind.DENIED, "AccessDenied")
LEASE_LOST = Fault(FaultKind.LEASE_LOST, "ReceiptHandleIsInvalid")

DESCRIPTION = Description(dead_letter="dead", receive_count_max=15)


def message(name: str = "a", *, delivery: int = 1, source: str = "q", job: str | None = "job") -> Message:
    """One delivery. Two deliveries of one name share the message id."""
    attributes = {JOB_ATTRIBUTE: MessageAttribute("String", job)} if job else {}
    return Message(source, f"id-{name}", f"{name}/{delivery}", "{}", delivery, attributes=attributes)


class Hand:
    """An engine with a job named `job` (or with `handlers`), and the commands that it has given since the last look."""

    def __init__(
        self,
        *,
        slots: int = 10,
        visibility_s: int = 60,
        drain_s: float = 25.0,
        protect: Protect = "never",
        limit_s: float = 20.0,
        attempts_max: int | None = None,
        attempts: int | None = None,
        sources: Sequence[str] = ("q",),
        description: Description = DESCRIPTION,
        exit_when_empty: bool = False,
        buffer_bytes: int = 256 * 1024 * 1024,
        stuck: Literal["replace", "wait"] = "replace",
        handlers: Sequence[Handler] = (),
        **handler_fields: Any,
    ) -> None:
        settings = WorkerSettings(
            slots=slots,
            attempts=attempts,
            visibility_s=visibility_s,
            drain_s=drain_s,
            protect=protect,
            exit_when_empty=exit_when_empty,
            buffer_bytes=buffer_bytes,
            stuck=stuck,
        )
        policy = Policy(
            mode=protect,
            linger_s=settings.protection_linger_s,
            margin_s=settings.trust_margin_s,
            rng=Random(1),
            is_available=protect != "never",
        )
        handler = Handler("job", "loop", lambda attempt: None, limit_s, attempts_max, **handler_fields)
        self.engine = Engine(settings, Registry(handlers or [handler]), list(sources), policy=policy, rng=Random(1))
        self.now = 0.0
        self.said: list[Command] = []
        for source in sources:
            self.tell(Described(source, description))

    # ── telling ────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, event: Event, *, at: float | None = None) -> list[Command]:
        """Tell a fact, at a later instant if one is given; return what the engine says to it."""
        self.now = self.now if at is None else at
        commands = self.engine.handle(event, now=self.now)
        self.said += commands
        return commands

    def wait(self, until: float) -> list[Command]:
        """Let time pass to `until`, calling the engine whenever it wants to be; return what it says."""
        commands: list[Command] = []
        turns = 0
        while self.engine.wake_at is not None and self.engine.wake_at <= until:
            turns += 1
            assert turns < 10_000, f"the engine spins at {self.now}"
            commands += self.tell(Tick(), at=max(self.engine.wake_at, self.now))
        self.now = until
        return commands

    def deliver(self, *messages: Message, at: float | None = None, answered_at: float | None = None) -> list[Command]:
        """Answer the oldest open poll of the (first) message's source; the answer may have lain about for a while."""
        self.now = self.now if at is None else at
        source = messages[0].source if messages else "q"
        polls = self.engine._polling.sources[source].polls
        poll = next(iter(polls.values()))
        answered_at = self.now if answered_at is None else answered_at
        return self.tell(MessagesReceived(source, poll.number, messages, poll.asked_at, answered_at))

    def start(self, *messages: Message, at: float | None = None) -> list[Attempt]:
        """Deliver, and return the attempts that start."""
        commands = self.deliver(*messages, at=at)
        return [attempt for start in of(commands, Start) for attempt in start.attempts]

    def end(
        self, number: int, outcome: Outcome = SUCCEEDED, *, checkpoint: str | None = None, at: float | None = None
    ) -> list[Command]:
        return self.tell(Finished([Ended(number, outcome, 0.1, checkpoint)]), at=at)

    def answer(self, command: Command, fault: Fault | None = None, *, at: float | None = None) -> list[Command]:
        """Answer a settlement or renewal, the same for each entry. A renewal counts as asked for when it was said."""
        asked_at = self.now
        if not isinstance(command, Delete | Release | Renew):
            raise TypeError(command)
        failed = dict.fromkeys((entry.number for entry in command.entries), fault) if fault is not None else {}
        if isinstance(command, Delete):
            return self.tell(Deleted(command.entries, failed), at=at)
        if isinstance(command, Release):
            return self.tell(Released(command.entries, failed), at=at)
        return self.tell(Renewed(command.entries, asked_at, failed), at=at)

    def copied(self, number: int, fault: Fault | None = None, *, at: float | None = None) -> list[Command]:
        return self.tell(Buried(number, fault), at=at)

    def resent(self, number: int, fault: Fault | None = None, *, at: float | None = None) -> list[Command]:
        return self.tell(Resent(number, fault), at=at)

    def protected(self, answer: ProtectionAnswer | None = None, *, at: float | None = None) -> list[Command]:
        """Answer the outstanding call for protection, by default with a hold of an hour."""
        self.now = self.now if at is None else at
        return self.tell(ProtectionAnswered(answer if answer is not None else Held(self.now + 3_600)))

    def stop(self, *, at: float | None = None) -> list[Command]:
        return self.tell(StopRequested("SIGTERM"), at=at)

    def stop_now(self, *, at: float | None = None) -> list[Command]:
        return self.tell(StopNow("second signal"), at=at)

    # ── looking ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def ledger(self) -> dict[str, int]:
        """The columns that are not 0."""
        return {name: count for name, count in self.engine.ledger.items() if count}

    def reports(self, event: str) -> list[dict[str, Any]]:
        """The fields of every report of `event` so far."""
        told = [(report.event, report.fields) for report in of(self.said, Report)]
        told += [("attempt.stuck", stuck.fields) for stuck in of(self.said, Stuck)]
        return [dict(fields) for name, fields in told if name == event]

    @property
    def exit(self) -> Exit | None:
        return next(iter(of(self.said, Exit)), None)


def of(commands: Sequence[Command], kind: type[T]) -> list[T]:
    """The commands of one kind."""
    return [command for command in commands if isinstance(command, kind)]


def entries(commands: Sequence[Command], kind: type[Delete] | type[Release] | type[Renew]) -> list[Entry]:
    """The entries of every command of one kind, in order."""
    return [entry for command in of(commands, kind) for entry in command.entries]


def asked(commands: Sequence[Command]) -> list[int]:
    """How many messages each receive asks for."""
    return [receive.count_max for receive in of(commands, Receive)]
