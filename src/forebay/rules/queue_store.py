"""One queue: what it holds, who waits for a message, and what happens next by itself. FIFO's part is in `queue_fifo`.

Rules kept here and nowhere else:

1. A message received as often as its RedrivePolicy allows goes to the dead-letter queue at the receive that would
   exceed it, not before (facts/sqs.md section 3).
2. Waiting polls are answered as soon as there is anything for them.
3. A repeated delivery never passes the receive limit, and is not repeated again.
4. What is due at one moment happens in this order: messages expire, become visible, polls are served, polls end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from forebay.rules.queue_ages import Ages
from forebay.rules.queue_fair import FairGroups
from forebay.rules.queue_messages import IN_FLIGHT, Delivery, QueueModes, StoredMessage, sequence_number
from forebay.rules.queue_metrics import Tally
from forebay.rules.queue_receipts import write_receipt
from forebay.rules.queue_shelves import Shelves
from forebay.rules.queue_waiting import Waiter, WaitingLine

if TYPE_CHECKING:
    from random import Random

    from forebay.rules.queue_attributes import QueueAttributes
    from forebay.rules.queue_contents import MessageContent
    from forebay.rules.queue_errors import ServiceFailure

Bury = Callable[["StandardQueue", StoredMessage, float], bool]
"""Moves a message to the queue's dead-letter queue, or says that it cannot."""


class StandardQueue:
    """The state of one queue."""

    is_fifo = False

    def __init__(
        self,
        name: str,
        arn: str,
        attributes: QueueAttributes,
        *,
        seal: int,
        rng: Random,
        epoch_ms: int,
        bury: Bury,
        shelves: Shelves | None = None,
    ) -> None:
        self.name = name
        self.arn = arn
        self.attributes = attributes
        self.modes = QueueModes()
        self.tags: dict[str, str] = {}
        self.seal = seal
        self.shelves = Shelves(FairGroups()) if shelves is None else shelves
        self.tally = Tally()
        self.swallowed_count = 0
        """Messages that went to abandoned polls, so far."""
        self.answered: list[Waiter] = []
        """Waiters that have ended and wait to be told so by whoever turns the rules."""
        self._rng = rng
        self._epoch_ms = epoch_ms
        self._bury = bury
        self._ages = Ages()
        self._line = WaitingLine()

    def unix_ms(self, now: float) -> int:
        return self._epoch_ms + int(now * 1000)

    def counts(self) -> Mapping[str, int]:
        return {
            "ApproximateNumberOfMessages": self.shelves.visible,
            "ApproximateNumberOfMessagesNotVisible": self.shelves.in_flight,
            "ApproximateNumberOfMessagesDelayed": self.shelves.delayed,
        }

    # ── in ─────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, content: MessageContent, now: float, delay_s: int) -> StoredMessage:
        """Take in a new message, hidden for `delay_s`."""
        message = self.shelves.enter(content, now, visible_at=now + delay_s if delay_s > 0 else None)
        self._ages.add(message, len(self.shelves.messages))
        self.tally.note_sent(message, len(self.shelves.messages))
        return message

    def add_dead_letter(self, dead: StoredMessage, source_arn: str, now: float) -> None:
        """Take in a message from another queue: same id and send time, its receive count carried on."""
        message = self.shelves.enter(dead.content, dead.sent_at)
        message.receive_count = dead.receive_count
        message.first_received_at_ms = dead.first_received_at_ms
        message.dead_letter_source = source_arn
        self._ages.add_moved(message, len(self.shelves.messages))
        self.tally.note_moved(message, now, len(self.shelves.messages))

    def restore(self, messages: Iterable[StoredMessage], serial: int) -> None:
        """Take in what another queue of this name and seal held: its messages as they were, and its last serial.

        Whoever turns the rules must then ask for `next_event_at()`, for something may be due.
        """
        self.shelves.restore(messages, serial)
        live = len(self.shelves.messages)
        for message in sorted(self.shelves.messages.values(), key=lambda message: message.sent_at):
            self._ages.add(message, live)
            self.tally.arrivals.add(message, live)

    # ── out ────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, now: float, count_max: int, visibility_s: int | None, *, may_miss: bool) -> list[Delivery]:
        """Lease up to `count_max` visible messages. `may_miss`: a sampled short poll may find none at all."""
        shelves = self.shelves
        count_max = min(count_max, self.modes.in_flight_max - shelves.in_flight)
        if self.modes.is_sampled and shelves.visible > 0 and count_max > 0:
            count_max = self._rng.randint(0 if may_miss else 1, min(count_max, shelves.visible))
        if visibility_s is None:
            visibility_s = self.attributes.visibility_s
        leased: list[StoredMessage] = []
        while len(leased) < count_max:
            message = shelves.next_one()
            if message is None:
                break
            if self._is_deliverable(message, now):
                leased.append(message)
        self.tally.note_receive(leased, now, is_end=may_miss)
        return [self._lease(message, now, visibility_s) for message in leased]

    def _is_deliverable(self, message: StoredMessage, now: float) -> bool:
        """Whether a message may be delivered once more. If not, it has been moved away."""
        redrive = self.attributes.redrive
        if redrive is None or message.receives_here < redrive.receive_count_max:
            return True
        if message.place == IN_FLIGHT:
            return False  # Only a repeat: somebody works on the message, so it stays where it is.
        if not self._bury(self, message, now):
            return True  # Its dead-letter queue does not exist any more: better delivered too often than lost.
        self.shelves.forget(message)
        return False

    def _lease(self, message: StoredMessage, now: float, visibility_s: int) -> Delivery:
        is_repeat = message.place == IN_FLIGHT
        message.receive_count += 1
        message.receives_here += 1
        message.delivery += 1
        message.received_at = now
        if message.first_received_at_ms == 0:
            message.first_received_at_ms = self.unix_ms(now)
        if visibility_s > 0:
            self.shelves.lease(message, now + visibility_s)
        else:
            self.shelves.show(message)
        if not is_repeat and self._is_due_again():
            self.shelves.repeats.append(message)
        return self.delivery_of(message)

    def delivery_of(self, message: StoredMessage) -> Delivery:
        """Return a message as its newest receive brings it."""
        return Delivery(
            message.content,
            write_receipt(message.serial, message.delivery, self.seal),
            message.receive_count,
            message.first_received_at_ms,
            message.dead_letter_source,
            sequence_number(message.serial) if self.is_fifo else None,
        )

    def note_receive(self, token: str, deliveries: Iterable[Delivery], now: float) -> None:
        """Remember what a receive with a token (ReceiveRequestAttemptId) brought. FIFO queues do."""
        raise NotImplementedError("only a receive from a FIFO queue has a token")

    def _is_due_again(self) -> bool:
        modes = self.modes
        if modes.duplicates_due > 0:
            modes.duplicates_due -= 1
            return True
        return modes.duplicate_ratio > 0.0 and self._rng.random() < modes.duplicate_ratio

    def clear(self) -> None:
        """Remove every message, in flight or not."""
        self.shelves.clear()
        self._ages.clear()
        self.tally.arrivals.clear()

    # ── polls ──────────────────────────────────────────────────────────────────────────────────────────────

    def wait(self, waiter: Waiter) -> None:
        """Let a long poll stand in line until there is something for it, or its time is up."""
        self._line.join(waiter)

    def end(self, waiter: Waiter) -> None:
        """Take a waiter out without an answer."""
        self._line.leave(waiter)

    def dispatch(self, now: float) -> None:
        """Answer waiting polls for as long as there is anything for them."""
        while self.shelves.visible > 0 or self.shelves.repeats:
            waiter = self._line.first()
            if waiter is None:
                break
            messages = self.take(now, waiter.count_max, waiter.visibility_s, may_miss=False)
            if not messages:
                break
            if waiter.attempt_id is not None:
                self.note_receive(waiter.attempt_id, messages, now)
            self._answer(waiter, messages)

    def end_waiters(self) -> None:
        """End every waiting poll with nothing, before its time."""
        for waiter in self._line.everybody():
            self._answer(waiter, [])

    def fail_waiters(self, failure: ServiceFailure) -> None:
        """End every waiting poll with `failure`: the queue is gone."""
        for waiter in self._line.everybody():
            waiter.failure = failure
            self._answer(waiter, [])

    def _answer(self, waiter: Waiter, messages: list[Delivery]) -> None:
        self._line.leave(waiter)
        if waiter.is_abandoned:
            self.swallowed_count += len(messages)
            return
        if not messages and waiter.failure is None:
            self.tally.empty_receives += 1
        waiter.messages = messages
        self.answered.append(waiter)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def next_event_at(self) -> float:
        """When something happens here by itself; infinity for never."""
        at = min(self._line.next_deadline_at(), self.shelves.next_wake_at())
        oldest = self._ages.oldest()
        return at if oldest is None else min(at, oldest.sent_at + self.attributes.retention_s)

    def turn(self, now: float) -> None:
        """Let happen what is due at `now`."""
        self._expire(now)
        self.shelves.wake(now)
        self.dispatch(now)
        while (waiter := self._line.overdue(now)) is not None:
            self._answer(waiter, [])

    def _expire(self, now: float) -> None:
        while (oldest := self._ages.oldest()) is not None and oldest.sent_at + self.attributes.retention_s <= now:
            self.shelves.forget(oldest)
