"""Amazon SQS's standard queues as one pure state machine: every operation, every refusal, and the passage of time.

Rules kept here and nowhere else:

1. Time is an argument, in seconds from any start, and never goes back. Dice are passed in.
2. Before a call is carried out, everything that was due by then has happened, in the order of time.
3. A receive that finds nothing becomes a `Waiter`. It ends by itself; whoever turns these rules takes the ended ones
   from `take_answered()` after every call and after every `advance()`.
4. What SQS refuses raises `ServiceFailure`; the refusal of one entry of a batch is returned, not raised.

`next_event_at()` says when something will happen by itself; `advance(now)` lets it happen. Parts: `queue_registry`
(which queues there are), `queue_sending`, `queue_settling`, `queue_time`, `queue_store` (one queue).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from forebay.rules import queue_errors as errors
from forebay.rules.queue_batches import check_envelope
from forebay.rules.queue_contents import BODY_MAX_BYTES, SendEntry
from forebay.rules.queue_errors import ServiceFailure
from forebay.rules.queue_messages import Delivery, QueueModes, StoredMessage
from forebay.rules.queue_registry import QueueRegistry
from forebay.rules.queue_sending import SentMessage, send, size_bytes
from forebay.rules.queue_settling import ChangeEntry, DeleteEntry, change_visibility, check_receive, delete
from forebay.rules.queue_store import StandardQueue
from forebay.rules.queue_time import Timeline
from forebay.rules.queue_waiting import Waiter

if TYPE_CHECKING:
    from random import Random

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

Texts = Mapping[str, str]
Result = TypeVar("Result")


class QueueService:
    """All queues of one account in one Region."""

    def __init__(
        self, region: str, account: str, rng: Random, *, endpoint: str = "http://127.0.0.1", epoch_ms: int = 0
    ) -> None:
        """`epoch_ms` is the Unix time at `now=0`, for the timestamps; `endpoint` is the start of every queue's URL."""
        self.region = region
        self.account = account
        self._rng = rng
        self.registry = QueueRegistry(region, account, rng, endpoint=endpoint, epoch_ms=epoch_ms, bury=self._bury)
        self._last_answers: list[Waiter] = []  # of queues that are gone
        self._timeline = Timeline(self.registry.by_name)

    # ── queues ─────────────────────────────────────────────────────────────────────────────────────────────

    def arn(self, name: str) -> str:
        return self.registry.arn(name)

    def create_queue(self, name: str, attributes: Texts | None = None, tags: Texts | None = None, *, now: float) -> str:
        """Create a queue, or find the one that has this name and these attributes; return its URL."""
        self.advance(now)
        return self.registry.create(name, attributes or {}, tags or {}, now)

    def delete_queue(self, url: str, *, now: float) -> None:
        """Delete a queue and all it holds. Its waiting polls end with QueueDoesNotExist."""
        self.advance(now)
        self.registry.delete(queue := self.registry.find(url), now)
        self._last_answers += queue.answered

    def purge_queue(self, url: str, *, now: float) -> None:
        """Remove every message, in flight or not."""
        self.advance(now)
        self.registry.purge(self.registry.find(url), now)

    def get_queue_attributes(self, url: str, names: Iterable[str], *, now: float) -> dict[str, str]:
        """Return the attributes of these names; `All` for every one."""
        self.advance(now)
        return self.registry.attributes(self.registry.find(url), names)

    def set_queue_attributes(self, url: str, attributes: Texts, *, now: float) -> None:
        """Change attributes; all of them or, if one is refused, none."""
        self.advance(now)
        self.registry.change(self.registry.find(url), attributes, now)
        self._timeline.look_again(now)  # A shorter retention may be over already.

    def modes(self, url: str) -> QueueModes:
        """How the queue behaves where AWS leaves it open; to be changed in place."""
        return self.registry.find(url).modes

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
        tag: object = None,
    ) -> list[Delivery] | Waiter:
        """Lease visible messages; when there are none and `wait_s` allows, return a `Waiter` that will have them.

        None for `wait_s` or `visibility_s` leaves it to the queue's own attributes.
        """
        self.advance(now)
        queue = self.registry.find(url)
        check_receive(count_max, wait_s, visibility_s)
        wait_s = queue.attributes.wait_s if wait_s is None else wait_s
        if wait_s <= 0 and queue.shelves.in_flight >= queue.modes.in_flight_max:
            raise errors.over_limit()
        messages = queue.take(now, count_max, visibility_s, may_miss=wait_s <= 0)
        if messages or wait_s <= 0:
            self._settle_down(queue, now)
            return messages
        waiter = Waiter(queue, count_max, visibility_s, now + wait_s, tag)
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
        delete(queue, receipt)
        self._settle_down(queue, now)

    def delete_batch(self, url: str, entries: Sequence[DeleteEntry], *, now: float) -> list[ServiceFailure | None]:
        """Delete up to ten; None stands for an entry that succeeded."""
        queue = self._batch(url, entries, "DeleteMessageBatchRequestEntry", now)
        results = [_tried(delete, queue, entry.receipt) for entry in entries]
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

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def due_at(self) -> float:
        """A lower bound of `next_event_at()`, at no cost: nothing happens by itself before it. Infinity for never."""
        return self._timeline.due_at

    def next_event_at(self) -> float | None:
        """Return when something will happen by itself, or None if nothing will without a call."""
        return self._timeline.next_event_at()

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`, in the order of time."""
        self._timeline.advance(now)

    def _settle_down(self, queue: StandardQueue, now: float) -> None:
        """After a change: answer the polls that it serves, and note when the queue's next event is."""
        queue.dispatch(now)
        self._timeline.note(queue)

    def _bury(self, source: StandardQueue, message: StoredMessage, now: float) -> bool:
        """Move a message that was received too often. False when its dead-letter queue does not exist."""
        assert source.attributes.redrive is not None
        target = self.registry.by_arn.get(source.attributes.redrive.dead_letter_arn)
        if target is None:
            return False
        target.add_dead_letter(message, source.arn)
        self._settle_down(target, now)
        return True


def _tried(function: Callable[..., Result], *arguments: object) -> Result | ServiceFailure:
    """Carry out one entry of a batch: its refusal is its own, and no reason to fail the others."""
    try:
        return function(*arguments)
    except ServiceFailure as failure:
        return failure
