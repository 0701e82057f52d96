"""What the rules of the queues in memory answer, in the words of the port."""

from __future__ import annotations

from collections.abc import Sequence

from forebay.errors import Fault, QueueError
from forebay.model import Message
from forebay.queue.faults import classify, classify_entry
from forebay.rules.queue_semantics import Delivery, ServiceFailure


def message_of(delivery: Delivery, url: str, account: str) -> Message:
    """Return a delivery from the queue of this URL as a message."""
    content = delivery.content
    return Message(
        url,
        content.message_id,
        delivery.receipt,
        content.body,
        delivery.receive_count,
        content.sent_at_ms,
        delivery.first_received_at_ms,
        content.group,
        content.attributes,
        delivery.system_attributes(account),
    )


def error_of(failure: ServiceFailure, operation: str) -> QueueError:
    fault = classify(failure.http_status, (failure.shape, failure.legacy_code), failure.message)
    return QueueError(fault, operation=operation)


def fault_of(failure: ServiceFailure) -> Fault:
    return classify_entry(failure.legacy_code, failure.message, is_sender_fault=failure.sender_fault)


def failed(results: Sequence[ServiceFailure | None]) -> dict[int, Fault]:
    return {index: fault_of(failure) for index, failure in enumerate(results) if failure is not None}
