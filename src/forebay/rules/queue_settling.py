"""What a receipt handle gives a right to: deleting its message, and moving the end of its lease.

Rules kept here and nowhere else:

1. A lease may last 12 h from its receive and no longer; beyond, a change is refused, not cut (facts/sqs.md section 3).
2. A delete with an older handle is answered as success and does nothing. One with the newest handle deletes, even
   after its lease has ended, so long as nobody has received the message again (same section).
   On a FIFO queue a delete needs a lease that runs: otherwise the handle has expired, and is refused (same section).
3. A change needs a message in flight: a visible one is MessageNotInflight, one that is gone or was received again does
   not exist for this handle (same file, section 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forebay.rules import queue_errors as errors
from forebay.rules.queue_contents import check_token
from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_messages import IN_FLIGHT
from forebay.rules.queue_receipts import read_receipt

if TYPE_CHECKING:
    from forebay.rules.queue_store import StandardQueue

VISIBILITY_MAX_S = 43_200
WAIT_MAX_S = 20
RECEIVE_MAX = 10


class DeleteEntry(NamedTuple):
    """One entry of a batch of deletes."""

    entry_id: str
    receipt: str


class ChangeEntry(NamedTuple):
    """One entry of a batch of visibility changes."""

    entry_id: str
    receipt: str
    seconds: int


def delete(queue: StandardQueue, receipt: str, now: float) -> None:
    """Delete the message of this handle, if the handle is its newest. Raises ReceiptHandleIsInvalid."""
    serial, delivery = read_receipt(receipt, queue.seal)
    message = queue.shelves.messages.get(serial)
    if queue.is_fifo and message is not None and (message.delivery != delivery or message.place != IN_FLIGHT):
        raise errors.receipt_expired(receipt)
    if message is None or message.delivery != delivery:
        queue.tally.note_delete(None, now)
        return
    if queue.modes.deletes_lost > 0 and not queue.is_fifo:
        queue.modes.deletes_lost -= 1
        queue.tally.note_delete(None, now)
        return
    queue.tally.note_delete(message, now)
    queue.shelves.forget(message)


def change_visibility(queue: StandardQueue, receipt: str, seconds: int, now: float) -> None:
    """End the lease of this handle `seconds` from now. Raises `ServiceFailure` where SQS refuses."""
    serial, delivery = read_receipt(receipt, queue.seal)
    check_visibility(seconds)
    message = queue.shelves.messages.get(serial)
    if message is None or message.delivery != delivery:
        raise errors.no_such_message(receipt)
    if message.place != IN_FLIGHT:
        raise errors.message_not_in_flight()
    if now - message.received_at + seconds > VISIBILITY_MAX_S:
        raise errors.beyond_the_ceiling(seconds)
    if isinstance(queue, FifoQueue):
        queue.retries.modified(serial)
    if seconds == 0:
        queue.shelves.show(message)
    else:
        queue.shelves.lease(message, now + seconds)


def check_receive(count_max: int, wait_s: float | None, visibility_s: int | None) -> None:
    """Raise when a receive asks for what SQS does not give."""
    if not 1 <= count_max <= RECEIVE_MAX:
        raise errors.invalid_value("MaxNumberOfMessages", count_max, "Must be between 1 and 10, if provided.")
    if wait_s is not None and not 0 <= wait_s <= WAIT_MAX_S:
        raise errors.invalid_value("WaitTimeSeconds", wait_s, "Must be >= 0 and <= 20, if provided.")
    if visibility_s is not None:
        check_visibility(visibility_s)


def check_attempt_id(queue: StandardQueue, attempt_id: str) -> None:
    """Raise for a ReceiveRequestAttemptId that is none, or that the queue does not take."""
    if not queue.is_fifo:
        raise errors.not_for_this_type("ReceiveRequestAttemptId", attempt_id)
    check_token("ReceiveRequestAttemptId", attempt_id)


def check_visibility(seconds: int) -> None:
    """Raise when `seconds` is no visibility timeout."""
    if not 0 <= seconds <= VISIBILITY_MAX_S:
        reason = "VisibilityTimeout must be an integer between 0 and 43200."
        raise errors.invalid_value("VisibilityTimeout", seconds, reason)
