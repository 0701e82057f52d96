"""Queues and messages as rows of the store, and back.

Rules kept here and nowhere else:

1. Everything that a message or a queue must keep has its column; what follows from it (counts, lines, groups) is made
   anew by the rules' own `restore`.
2. What the rules would not have written is damage, and is refused as a whole: no queue comes back in part.
"""

from __future__ import annotations

import json
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Mapping

from forebay.cloud.sqs_store import SERIAL_BITS, QueueStore, Row
from forebay.model import MessageAttribute
from forebay.rules.queue_attributes import parse_attributes
from forebay.rules.queue_contents import MessageContent
from forebay.rules.queue_deduplication import FirstSend, Key
from forebay.rules.queue_errors import ServiceFailure
from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_fifo_retries import PastReceive
from forebay.rules.queue_messages import IN_FLIGHT, NEVER, READY, StoredMessage
from forebay.rules.queue_receipts import Receipt
from forebay.rules.queue_registry import QueueRegistry, QueueTimes
from forebay.rules.queue_store import StandardQueue

# ── to rows ────────────────────────────────────────────────────────────────────────────────────────────────────


def queue_row(number: int, queue: StandardQueue, times: QueueTimes, epoch_s: float) -> Row:
    """Return the row of `queues`."""
    return (
        number,
        queue.name,
        json.dumps(dict(queue.attributes.given)),
        json.dumps(queue.tags),
        times.created_s,
        times.modified_s,
        None if times.purged_at == -NEVER else times.purged_at + epoch_s,
        queue.seal,
        queue.shelves.serial,
    )


def content_row(base: int, message: StoredMessage) -> Row:
    """Return the row of `contents`."""
    content = message.content
    return (
        base + message.serial,
        content.message_id,
        content.body,
        content.body_md5,
        _attributes_text(content.attributes) if content.attributes else None,
        content.attributes_md5,
        content.sent_at_ms,
        content.group,
        content.trace_header,
        content.dedupe,
    )


def place_row(base: int, message: StoredMessage, epoch_s: float) -> Row:
    """Return the row of `places`."""
    return (
        base + message.serial,
        message.sent_at + epoch_s,
        message.place,
        message.order,
        message.hidden_until + epoch_s,
        message.ticket,
        message.delivery,
        message.receive_count,
        message.receives_here,
        message.received_at + epoch_s,
        message.first_received_at_ms,
        message.dead_letter_source,
    )


def receive_row(number: int, token: str, past: PastReceive, epoch_s: float) -> Row:
    """Return the row of `receives`."""
    return number, token, past.asked_at + epoch_s, json.dumps(past.receipts)


def _attributes_text(attributes: Mapping[str, MessageAttribute]) -> str:
    return json.dumps(
        [
            [name, data_type, b64encode(value).decode() if isinstance(value, bytes) else value]
            for name, (data_type, value) in attributes.items()
        ]
    )


# ── and back ───────────────────────────────────────────────────────────────────────────────────────────────────


def restore_queues(store: QueueStore, registry: QueueRegistry, epoch_s: float) -> list[tuple[int, StandardQueue]]:
    """Put all that the store holds into `registry`; return the queues with their numbers. Raises `QueueDataError`."""
    try:
        return _restored(store, registry, epoch_s)
    except (sqlite3.Error, ServiceFailure, ValueError, TypeError, LookupError) as error:
        raise store.damaged(error) from error


def _restored(store: QueueStore, registry: QueueRegistry, epoch_s: float) -> list[tuple[int, StandardQueue]]:
    queues: dict[int, StandardQueue] = {}
    serials: dict[int, int] = {}
    for number, name, attributes, tags, created_s, modified_s, purged_at, seal, serial in store.rows("queues"):
        times = QueueTimes(created_s, modified_s, -NEVER if purged_at is None else purged_at - epoch_s)
        given = parse_attributes({}, json.loads(attributes))
        queues[number] = registry.add(name, given, json.loads(tags), seal=seal, times=times)
        serials[number] = serial
    for name, at in store.rows("deleted_queues"):
        registry.deleted_at[name] = at - epoch_s
    messages: dict[int, list[StoredMessage]] = {number: [] for number in queues}
    for row in store.messages():
        messages[row[0] >> SERIAL_BITS].append(_message(row, epoch_s))
    sends: dict[int, list[tuple[Key, FirstSend]]] = {number: [] for number in queues}
    for number, group, dedupe, message_id, serial, sent_at in store.rows("sends"):
        sends[number].append(((group, dedupe), FirstSend(message_id, serial, sent_at - epoch_s)))
    receives: dict[int, list[tuple[str, PastReceive]]] = {number: [] for number in queues}
    for number, token, asked_at, receipts in store.rows("receives"):
        past = PastReceive(asked_at - epoch_s, tuple(Receipt(*receipt) for receipt in json.loads(receipts)))
        receives[number].append((token, past))
    for number, queue in queues.items():
        queue.restore(messages[number], serials[number])
        if isinstance(queue, FifoQueue):
            queue.restore_fifo(sends[number], receives[number])
    return list(queues.items())


def _message(row: Row, epoch_s: float) -> StoredMessage:
    """Return the message of a row of `places` that is followed by its row of `contents`, without the latter's key."""
    key, sent_at, place, order, hidden_until, ticket, delivery, receive_count, receives_here = row[:9]
    received_at, first_received_at_ms, dead_letter_source, message_id, body, body_md5, attributes, *rest = row[9:]
    if message_id is None or not READY <= place <= IN_FLIGHT:
        raise ValueError("a message is not whole")
    content = MessageContent(message_id, body, body_md5, _attributes(attributes), *rest)
    message = StoredMessage(content, key & ((1 << SERIAL_BITS) - 1), sent_at - epoch_s)
    message.place = place
    message.order = order
    message.hidden_until = hidden_until - epoch_s
    message.ticket = ticket
    message.delivery = delivery
    message.receive_count = receive_count
    message.receives_here = receives_here
    message.received_at = received_at - epoch_s
    message.first_received_at_ms = first_received_at_ms
    message.dead_letter_source = dead_letter_source
    return message


def _attributes(text: str | None) -> dict[str, MessageAttribute]:
    if text is None:
        return {}
    return {
        name: MessageAttribute(data_type, b64decode(value) if data_type.partition(".")[0] == "Binary" else value)
        for name, data_type, value in json.loads(text)
    }
