"""Taking one message into a queue.

Rules kept here and nowhere else:

1. What is refused leaves nothing behind.
2. A message id is a random UUID, drawn from the dice that are passed in.
3. A duplicate is answered as the first send was, with its message id and sequence number, and changes nothing. The
   digests are those of what was sent now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forebay.model import MessageAttribute
from forebay.rules.queue_contents import (
    MessageContent,
    SendEntry,
    check_body,
    check_fifo_send,
    check_send,
    md5_of_attributes,
)
from forebay.rules.queue_deduplication import FirstSend, id_of_body
from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_messages import sequence_number

if TYPE_CHECKING:
    from random import Random

    from forebay.rules.queue_store import StandardQueue


class SentMessage(NamedTuple):
    """The answer to one sent message."""

    message_id: str
    body_md5: str
    attributes_md5: str | None
    trace_header_md5: str | None
    sequence: str | None = None
    """SequenceNumber: of FIFO queues only."""


def send(queue: StandardQueue, entry: SendEntry, now: float, rng: Random, *, may_repeat: bool = False) -> SentMessage:
    """Put one message into `queue`. Raises `ServiceFailure` for what SQS refuses.

    `may_repeat` lets a message into a FIFO queue though its deduplication id was seen: SQS itself moves it there.
    """
    if isinstance(queue, FifoQueue):
        return _send_once(queue, entry, now, rng, may_repeat=may_repeat)
    check_send(entry)
    content = _content(queue, entry, now, rng)
    queue.add(content, now, queue.attributes.delay_s if entry.delay_s is None else entry.delay_s)
    return SentMessage(content.message_id, content.body_md5, content.attributes_md5, _trace_md5(entry))


def _send_once(queue: FifoQueue, entry: SendEntry, now: float, rng: Random, *, may_repeat: bool) -> SentMessage:
    attributes = queue.attributes
    check_fifo_send(entry, is_content_based=attributes.is_content_based)
    content = _content(queue, entry, now, rng)
    assert content.dedupe is not None
    assert content.group is not None
    key = (content.group if attributes.is_deduplicated_by_group else "", content.dedupe)
    first = queue.deduplication.first(key, now)
    if first is None or may_repeat:
        message = queue.add(content, now, attributes.delay_s)
        sent = FirstSend(content.message_id, message.serial, now)
        if first is None:
            queue.deduplication.note(key, sent)
        first = sent
    else:
        queue.tally.deduplicated += 1
    return SentMessage(
        first.message_id, content.body_md5, content.attributes_md5, _trace_md5(entry), sequence_number(first.serial)
    )


def _content(queue: StandardQueue, entry: SendEntry, now: float, rng: Random) -> MessageContent:
    body_md5 = check_body(entry.body, entry.attributes, queue.attributes.size_max_bytes)
    return MessageContent(
        message_id(rng),
        entry.body,
        body_md5,
        entry.attributes,
        md5_of_attributes(entry.attributes) if entry.attributes else None,
        queue.unix_ms(now),
        entry.group,
        entry.trace_header,
        (entry.dedupe or id_of_body(entry.body)) if queue.is_fifo else None,
    )


def _trace_md5(entry: SendEntry) -> str | None:
    trace = entry.trace_header
    return md5_of_attributes({"AWSTraceHeader": MessageAttribute("String", trace)}) if trace else None


def size_bytes(entry: SendEntry) -> int:
    """Return an entry's size as the batch limit counts it. Text that cannot be encoded is refused later, by itself."""
    size = _bytes(entry.body)
    for name, (data_type, value) in entry.attributes.items():
        size += len(name) + len(data_type) + (len(value) if isinstance(value, bytes) else _bytes(value))
    return size


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def message_id(rng: Random) -> str:
    """Return a random UUID."""
    digits = f"{rng.getrandbits(122):031x}"
    variant = "89ab"[int(digits[0], 16) & 3]
    return f"{digits[1:9]}-{digits[9:13]}-4{digits[13:16]}-{variant}{digits[16:19]}-{digits[19:]}"
