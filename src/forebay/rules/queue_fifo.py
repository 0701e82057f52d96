"""One FIFO queue: what is different from a standard one.

Rules kept here and nowhere else:

1. Order within groups is kept by `queue_fifo_groups`, "once only" by `queue_deduplication`; no delivery is repeated and
   no delete is lost, whatever the queue's modes say.
2. A dead letter is like a new message of its dead-letter queue: its time begins anew (facts/sqs.md section 3) and it
   has a sequence number of that queue; id, group and receive count stay. No id keeps it out.
3. All delays are the queue's; a message has none of its own.

What must outlive the process, beside the messages: `deduplication.seen`, `retries.by_token` and `shelves.serial`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from forebay.rules.queue_deduplication import Deduplication, FirstSend, Key
from forebay.rules.queue_fifo_retries import PastReceive, Retries
from forebay.rules.queue_fifo_shelves import FifoShelves
from forebay.rules.queue_messages import Delivery, StoredMessage
from forebay.rules.queue_receipts import read_receipt
from forebay.rules.queue_store import Bury, StandardQueue

if TYPE_CHECKING:
    from random import Random

    from forebay.rules.queue_attributes import QueueAttributes


class FifoQueue(StandardQueue):
    """The state of one FIFO queue."""

    is_fifo = True

    def __init__(
        self, name: str, arn: str, attributes: QueueAttributes, *, seal: int, rng: Random, epoch_ms: int, bury: Bury
    ) -> None:
        self._fifo_shelves = FifoShelves()
        super().__init__(
            name, arn, attributes, seal=seal, rng=rng, epoch_ms=epoch_ms, bury=bury, shelves=self._fifo_shelves
        )
        self.deduplication = Deduplication()
        self.retries = Retries()

    @property
    def locked_groups(self) -> int:
        """Groups with a message in flight."""
        return self._fifo_shelves.fifo_groups.locked

    # ── in ─────────────────────────────────────────────────────────────────────────────────────────────────

    def add_dead_letter(self, dead: StoredMessage, source_arn: str, now: float) -> None:
        content = replace(dead.content, sent_at_ms=self.unix_ms(now))
        message = self.shelves.enter(content, now)
        message.receive_count = dead.receive_count
        message.first_received_at_ms = dead.first_received_at_ms
        message.dead_letter_source = source_arn
        self._ages.add(message, len(self.shelves.messages))
        self.tally.note_moved(message, now, len(self.shelves.messages))

    # ── out ────────────────────────────────────────────────────────────────────────────────────────────────

    def take_again(self, token: str, now: float, visibility_s: int | None) -> list[Delivery]:
        """Return what a receive with this token brought before, hidden anew; nothing if that is not to be repeated."""
        messages = self.retries.recall(token, self.shelves.messages, now)
        until = now + (self.attributes.visibility_s if visibility_s is None else visibility_s)
        for message in messages:
            message.received_at = now
            if until > now:
                self.shelves.lease(message, until)
            else:
                self.shelves.show(message)
        return [self.delivery_of(message) for message in messages]

    def note_receive(self, token: str, deliveries: Iterable[Delivery], now: float) -> None:
        """Remember what a receive with a token brought."""
        self.retries.note(token, (read_receipt(delivery.receipt, self.seal) for delivery in deliveries), now)

    def _is_due_again(self) -> bool:
        return False

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def next_event_at(self) -> float:
        return min(super().next_event_at(), self._fifo_shelves.next_held_until(self.attributes.delay_s))

    def turn(self, now: float) -> None:
        self._expire(now)
        self._fifo_shelves.let_go(now, self.attributes.delay_s)
        super().turn(now)

    # ── kept beyond the process ────────────────────────────────────────────────────────────────────────────

    def restore_fifo(self, seen: Iterable[tuple[Key, FirstSend]], past: Iterable[tuple[str, PastReceive]]) -> None:
        """Take in what another `FifoQueue` remembered of sends and receives, in any order."""
        for key, first in sorted(seen, key=lambda entry: entry[1].sent_at):
            self.deduplication.note(key, first)
        for token, receive in sorted(past, key=lambda entry: entry[1].asked_at):
            self.retries.note(token, receive.receipts, receive.asked_at)
