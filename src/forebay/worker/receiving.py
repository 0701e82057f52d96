"""What comes in: answers to polls, and what a source says of itself.

Rules kept here and nowhere else:

1. Every message received becomes a record, or is adopted by the record that stands for it already: it never runs twice
   here at once.
2. A message that was done here is not done again; what nobody here can do is buried, and what comes after a stop
   request goes back.
3. Where leases cannot be renewed, receives ask for the longest time that any job may take.
4. A service that says no for five minutes, or from the start, is believed.
"""

from __future__ import annotations

from collections.abc import Callable

from forebay.errors import FaultKind
from forebay.handlers.registry import Handler, Registry, Unroutable
from forebay.model import CHECKPOINT_ATTRIBUTE, Attempt, Message, Signals
from forebay.queue import continuation
from forebay.settings import VISIBILITY_CEILING_S
from forebay.worker.appetite import Appetite
from forebay.worker.asking import Asking
from forebay.worker.guarding import Guarding
from forebay.worker.leases import anchor_of_receive
from forebay.worker.leasing import Leasing
from forebay.worker.ledger import Column
from forebay.worker.polling import Polling
from forebay.worker.records import Desk, Record, State, queue_name
from forebay.worker.retry import DELETE, SettleByBurial, SettleByRelease
from forebay.worker.running import Running
from forebay.worker.settling import Settling
from forebay.worker.starting import Starting
from forebay.worker.vocabulary import Described, MessagesReceived, ReceiveFailed, Renewed

REFUSED_FOR_GOOD_S = 300.0
"""How long the service may say no (queue deleted, denied, no credentials) before we believe it."""

REFUSALS = {
    FaultKind.MISSING: "the queue does not exist: check the URL and the Region, or create it",
    FaultKind.DENIED: "receiving is denied: grant sqs:ReceiveMessage on the queue to the task role",
    FaultKind.CREDENTIALS: "no valid credentials: give the task a role, or set AWS_ACCESS_KEY_ID and its companions",
    FaultKind.REFUSED: "the service refuses the request, and repeating it cannot help",
}
"""What to do about an answer that repeating cannot mend."""


class Receiving:
    """Makes records of what comes in."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        polling: Polling,
        leasing: Leasing,
        settling: Settling,
        guarding: Guarding,
        running: Running,
        starting: Starting,
        appetite: Appetite,
        asking: Asking,
        *,
        limit_max_s: float,
        stop: Callable[..., None],
    ) -> None:
        self._desk = desk
        self._settings = desk.settings
        self._registry = registry
        self._polling = polling
        self._leasing = leasing
        self._settling = settling
        self._guarding = guarding
        self._running = running
        self._starting = starting
        self._appetite = appetite
        self._asking = asking
        self._limit_max_s = limit_max_s
        self._stop = stop
        self._next_number = 1
        self._has_told_of_counting = False

    def described(self, event: Described, _now: float) -> None:
        source = self._polling.sources[event.source]
        source.is_described = True
        self._desk.descriptions[event.source] = event.description
        if event.description.is_fifo:
            self._tell_of_counting(event.source)
        if not event.description.may_renew:
            self._leasing.deny(event.source, "AccessDenied")
            self.lengthen(event.source)

    def _tell_of_counting(self, key: str) -> None:
        jobs = [handler.name for handler in self._registry if handler.retry == "resend"]
        if jobs and not self._has_told_of_counting:
            self._has_told_of_counting = True
            self._desk.report("attempts.approximate", queue=queue_name(key), jobs=", ".join(jobs))

    def lengthen(self, key: str) -> None:
        """Without heartbeats a receive must hide its messages for as long as the longest job may take."""
        source = self._polling.sources[key]
        longest_s = self._limit_max_s + 2 * self._settings.trust_margin_s + 30
        source.visibility_s = max(source.visibility_s, min(int(longest_s), VISIBILITY_CEILING_S))

    def received(self, event: MessagesReceived, now: float) -> None:
        poll = self._polling.close(event.source, event.poll)
        desk = self._desk
        messages = event.messages
        desk.ledger.received += len(messages)
        visibility_s = poll.visibility_s if poll is not None else self._settings.visibility_s
        anchor_at = anchor_of_receive(asked_at=event.asked_at, answered_at=event.answered_at, visibility_s=visibility_s)
        self._asking.learned(event.source, len(messages), waited_s=poll.wait_s if poll else 0.0, now=now)
        for message in messages:
            self._take(message, event.asked_at, anchor_at, visibility_s, now)
        free = self._settings.slots - desk.busy - self._polling.asked
        failures = self._polling.sources[event.source].failures
        if failures:
            desk.report("poll.recovered", queue=queue_name(event.source), failures=failures)
        self._polling.answered(
            event.source, len(messages), queue_wait_s=event.queue_wait_s, free=free, missing=self._starting.missing()
        )
        if not messages and self._settings.protect == "always" and desk.records:
            self._guarding.is_cycle_over = True

    def _take(self, message: Message, asked_at: float, anchor_at: float, visibility_s: int, now: float) -> None:
        """Make a record of one message, or let the record that already stands for it adopt the delivery."""
        desk = self._desk
        key = (message.source, message.message_id)
        known = desk.by_message.get(key)
        if known is not None and self._adopt(known, message, asked_at, anchor_at, visibility_s, now):
            return
        body_bytes = message.body_bytes
        if CHECKPOINT_ATTRIBUTE in message.attributes:
            message = self._restored(message)
        handler = self._registry.route(message)
        is_routed = not isinstance(handler, Unroutable)
        limit_s = handler.limit_s if isinstance(handler, Handler) else 1.0
        name = handler.name if isinstance(handler, Handler) else "unroutable"
        is_exact = isinstance(handler, Handler) and handler.retry == "resend" and self._may_count(message)
        ordinal = message.attempts_before + (1 if is_exact else message.receive_count)
        attempt = Attempt(self._next_number, name, message, limit_s, Signals(), 0, ordinal, self._most_bytes(message))
        self._next_number += 1
        if is_routed:
            self._appetite.saw(message.source, name, now)
        needs_protection = is_routed and self._guarding.needs(limit_s)
        record = Record(
            attempt, message.source, key, message.receipt, body_bytes, asked_at, visibility_s, 0.0,
            needs_protection, is_counted_exactly=is_exact,
        )  # fmt: skip
        desk.records[attempt.number] = desk.waiting[attempt.number] = desk.by_message[key] = record
        desk.held_bytes += record.body_bytes
        self._leasing.grant(record, anchor_at=anchor_at)
        if needs_protection:
            desk.protected += 1
            self._guarding.took(record, now)
        if self._settling.was_done(key):
            desk.report("message.duplicate", queue=queue_name(message.source), message_id=message.message_id)
            self._running.leave_slot(record)
            self._settling.begin(record, DELETE, "duplicate", now=now)
        elif isinstance(handler, Unroutable):
            self._running.leave_slot(record)
            self._settling.begin(record, SettleByBurial(handler.reason), "buried", now=now)
        elif desk.is_stopping:
            self._running.give_back(record, now)
        else:
            self._starting.add(record, now)

    def _restored(self, message: Message) -> Message:
        """Return the message as its producer wrote it, or as it came if that cannot be known: the job starts anew."""
        restored = continuation.restored(message)
        if restored is None:
            self._desk.report("checkpoint.unreadable", queue=queue_name(message.source), message_id=message.message_id)
            return message
        return restored

    def _may_count(self, message: Message) -> bool:
        """Whether failed attempts at this message can be counted by sending it again."""
        source = message.source
        if self._desk.descriptions[source].is_fifo or source in self._desk.copies_denied:
            return False
        return continuation.has_room(message, most_bytes=self._most_bytes(message))

    def _most_bytes(self, message: Message) -> int:
        return self._desk.descriptions[message.source].message_max_bytes

    def _adopt(
        self, record: Record, message: Message, asked_at: float, anchor_at: float, visibility_s: int, now: float
    ) -> bool:
        """Let a record go on with a newer delivery of its message. False if the old one is to be left behind."""
        if record.state is State.RUNNING and now >= record.trusted_until:
            # Its lease was over before this delivery was looked at, though no turn has said so yet.
            self._running.lease_lost(record, "not renewed in time")
        is_released = record.state is State.SETTLING and isinstance(record.settlement, SettleByRelease)
        if is_released and not record.is_given_up:
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
        record.is_forfeited = record.is_forfeited or record.is_lease_lost
        record.is_lease_lost = False
        record.renewing = None
        self._leasing.grant(record, anchor_at=anchor_at)
        if record.state is State.SETTLING:
            self._settling.adopt(record, now)
        return True

    def failed(self, event: ReceiveFailed, now: float) -> None:
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
            words = f" ({fault})" if fault.kind is FaultKind.REFUSED else ""
            self._stop(f"{REFUSALS[fault.kind]}{words}", now, status=1)

    def renewed(self, event: Renewed, now: float) -> None:
        was_permitted = {key: self._leasing.may_renew(key) for key in self._polling.sources}
        self._leasing.renewed(event, now)
        for key, was in was_permitted.items():
            if was and not self._leasing.may_renew(key):
                self.lengthen(key)
