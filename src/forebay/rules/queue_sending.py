"""Taking one message into a standard queue.

Rules kept here and nowhere else:

1. What is refused leaves nothing behind.
2. A message id is a random UUID, drawn from the dice that are passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forebay.model import MessageAttribute
from forebay.rules.queue_contents import MessageContent, SendEntry, check_body, check_send, md5_of_attributes

if TYPE_CHECKING:
    from random import Random

    from forebay.rules.queue_store import StandardQueue


class SentMessage(NamedTuple):
    """The answer to one sent message."""

    message_id: str
    body_md5: str
    attributes_md5: str | None
    trace_header_md5: str | None


def send(queue: StandardQueue, entry: SendEntry, now: float, rng: Random) -> SentMessage:
    """Put one message into `queue`. Raises `ServiceFailure` for what SQS refuses."""
    check_send(entry)
    body_md5 = check_body(entry.body, entry.attributes, queue.attributes.size_max_bytes)
    content = MessageContent(
        message_id(rng),
        entry.body,
        body_md5,
        entry.attributes,
        md5_of_attributes(entry.attributes) if entry.attributes else None,
        queue.unix_ms(now),
        entry.group,
        entry.trace_header,
    )
    queue.add(content, now, queue.attributes.delay_s if entry.delay_s is None else entry.delay_s)
    trace = entry.trace_header
    return SentMessage(
        content.message_id,
        body_md5,
        content.attributes_md5,
        md5_of_attributes({"AWSTraceHeader": MessageAttribute("String", trace)}) if trace else None,
    )


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
