"""Amazon SQS's queues as one pure state machine: every operation, every refusal, and the passage of time.

Rules kept here and nowhere else:

1. Time is an argument, in seconds from any start, and never goes back. Dice are passed in.
2. A receive that finds nothing becomes a `Waiter`. It ends by itself; whoever turns these rules takes the ended ones
   from `take_answered()` after every call and after every `advance()`.
3. What SQS refuses raises `ServiceFailure`; the refusal of one entry of a batch is returned, not raised.

`next_event_at()` says when something will happen by itself; `advance(now)` lets it happen. Parts:
`queue_administration` (which queues there are, and time), `queue_sending`, `queue_settling`, `queue_store` (one queue).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from forebay.rules import queue_errors as errors
from forebay.rules.queue_administration import QueueAdministration
from forebay.rules.queue_batches import check_envelope
from forebay.rules.queue_contents import BODY_MAX_BYTES, SendEntry
from forebay.rules.queue_errors import ServiceFailure
from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_messages import Delivery, QueueModes
from forebay.rules.queue_sending import SentMessage, send, size_bytes
from forebay.rules.queue_settling import (
    ChangeEntry,
    DeleteEntry,
    change_visibility,
    check_attempt_id,
    check_receive,
    delete,
)
from forebay.rules.queue_store import StandardQueue
from forebay.rules.queue_waiting import Waiter

__all__ = [
    "ChangeEntry",
    "DeleteEntry",
    "Delivery",
    "QueueModes",
    "QueueService",
    "SendEntry",
    "SentMessage",
    "ServiceFailure",
    "Waiter",
]

Result = TypeVar("Result")


class QueueService(QueueAdministration):
    """All queues of one account in one Region, with their messages."""

    # ── sending ────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, url: str, entry: SendEntry, *, now: float) -> SentMessage:
        """Take in one message; a poll that waits for it is answered at once."""
        self.advance(now)
        queue = self.registry.find(url)
        sent = send(queue, entry, now, self._rng)
        self._settle_down(queue, now)
        return sent

    def send_batch(self, url: str, entries: Sequence[SendEntry], *, now: float) -> list[SentMessage | ServiceFailure]:
        """Take in up to ten messages together; the answer has one result for each, in order."""
        queue = self._batch(url, entries, "SendMessageBatchRequestEntry", now)
        total_bytes = sum(size_bytes(entry) for entry in entries)
        if total_bytes > BODY_MAX_BYTES:
            raise errors.batch_too_long(total_bytes, BODY_MAX_BYTES)
        results = [_tried(send, queue, entry, now, self._rng) for entry in entries]
        self._settle_down(queue, now)
        return results

    def _batch(
        self, url: str, entries: Sequence[SendEntry | DeleteEntry | ChangeEntry], entry_type: str, now: float
    ) -> StandardQueue:
        """Bring time up to `now` and return the queue, if the batch as a whole is sound."""
        self.advance(now)
        queue = self.registry.find(url)
        check_envelope([entry.entry_id for entry in entries], entry_type)
        return queue

    # ── receiving ──────────────────────────────────────────────────────────────────────────────────────────

    def receive(
        self,
        url: str,
        *,
        now: float,
        count_max: int = 1,
        wait_s: float | None = None,
        visibility_s: int | None = None,
        attempt_id: str | None = None,
        tag: object = None,
    ) -> list[Delivery] | Waiter:
        """Lease visible messages; when there are none and `wait_s` allows, return a `Waiter` that will have them.

        None for `wait_s` or `visibility_s` leaves it to the queue's own attributes. `attempt_id` is FIFO's
        ReceiveRequestAttemptId.
        """
        self.advance(now)
        queue = self.registry.find(url)
        check_receive(count_max, wait_s, visibility_s)
        if attempt_id is not None:
            check_attempt_id(queue, attempt_id)
        wait_s = queue.attributes.wait_s if wait_s is None else wait_s
        # A FIFO queue stays silent (facts/sqs.md section 2, "In flight").
        if wait_s <= 0 and queue.shelves.in_flight >= queue.modes.in_flight_max and not queue.is_fifo:
            raise errors.over_limit()
        messages = _taken(queue, now, count_max, visibility_s, attempt_id, may_miss=wait_s <= 0)
        if messages or wait_s <= 0:
            self._settle_down(queue, now)
            return messages
        waiter = Waiter(queue, count_max, visibility_s, now + wait_s, tag, attempt_id)
        queue.wait(waiter)
        self._timeline.note(queue)
        return waiter

    def cancel(self, waiter: Waiter, *, swallow: bool = False) -> None:
        """The client of a waiting poll is gone.

        `swallow` leaves the poll waiting, as the real service does: what it is answered with is hidden from everybody
        for the visibility that it asked for, and reaches nobody (aws-sdk-js issue 2350).
        """
        if swallow:
            waiter.is_abandoned = True
        else:
            waiter.queue.end(waiter)

    def take_answered(self) -> list[Waiter]:
        """Return the waiters that have ended since the last call, in the order in which they ended."""
        answered, self._last_answers = self._last_answers, []
        for queue in self.registry.by_name.values():
            if queue.answered:
                answered += queue.answered
                queue.answered = []
        return answered

    # ── settling ───────────────────────────────────────────────────────────────────────────────────────────

    def delete(self, url: str, receipt: str, *, now: float) -> None:
        """Delete the message of this handle, if the handle is its newest. Deleting twice is no error."""
        self.advance(now)
        queue = self.registry.find(url)
        delete(queue, receipt, now)
        self._settle_down(queue, now)

    def delete_batch(self, url: str, entries: Sequence[DeleteEntry], *, now: float) -> list[ServiceFailure | None]:
        """Delete up to ten; None stands for an entry that succeeded."""
        queue = self._batch(url, entries, "DeleteMessageBatchRequestEntry", now)
        results = [_tried(delete, queue, entry.receipt, now) for entry in entries]
        self._settle_down(queue, now)
        return results

    def change_visibility(self, url: str, receipt: str, seconds: int, *, now: float) -> None:
        """End the lease of this handle `seconds` from now; 0 gives the message back at once."""
        self.advance(now)
        queue = self.registry.find(url)
        change_visibility(queue, receipt, seconds, now)
        self._settle_down(queue, now)

    def change_visibility_batch(
        self, url: str, entries: Sequence[ChangeEntry], *, now: float
    ) -> list[ServiceFailure | None]:
        """Change up to ten leases; None stands for an entry that succeeded."""
        queue = self._batch(url, entries, "ChangeMessageVisibilityBatchRequestEntry", now)
        results = [_tried(change_visibility, queue, entry.receipt, entry.seconds, now) for entry in entries]
        self._settle_down(queue, now)
        return results


def _taken(
    queue: StandardQueue,
    now: float,
    count_max: int,
    visibility_s: int | None,
    attempt_id: str | None,
    *,
    may_miss: bool,
) -> list[Delivery]:
    """Lease what there is; with a token that was used before, what it brought then."""
    if attempt_id is None or not isinstance(queue, FifoQueue):
        return queue.take(now, count_max, visibility_s, may_miss=may_miss)
    messages = queue.take_again(attempt_id, now, visibility_s)
    if not messages:
        messages = queue.take(now, count_max, visibility_s, may_miss=may_miss)
        if messages:
            queue.note_receive(attempt_id, messages, now)
    return messages


def _tried(function: Callable[..., Result], *arguments: object) -> Result | ServiceFailure:
    """Carry out one entry of a batch: its refusal is its own, and no reason to fail the others."""
    try:
        return function(*arguments)
    except ServiceFailure as failure:
        return failure
