"""A message in its queue, a delivery of it, and what a queue does where AWS leaves it open.

Rules kept here and nowhere else:

1. A message is ready, delayed, in flight or gone; nothing else.
2. Only its newest delivery has power over it.
3. Sequence numbers follow from serials, which never repeat within a queue: twenty digits, rising, and not consecutive
   (API reference, SendMessage).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from forebay.rules.queue_contents import MessageContent

if TYPE_CHECKING:
    from forebay.rules.queue_groups import Group

IN_FLIGHT_MAX = 120_000
POISON_RECEIVES = 3
NEVER = float("inf")

# Where a message is.
READY = 0
DELAYED = 1
IN_FLIGHT = 2
GONE = 3

SWEEP_ABOVE = 1_024
"""Stale entries are swept out of a structure when they outnumber live ones by this many."""

_SEQUENCE_START = 18_850_000_000_000_000_000
_SEQUENCE_STEP = 256

NO_CONTENT = MessageContent("", "", "", {}, None, 0)


class StoredMessage:
    """A message and its place in one queue."""

    __slots__ = (
        "content",
        "dead_letter_source",
        "delivery",
        "first_received_at_ms",
        "group",
        "hidden_until",
        "order",
        "place",
        "receive_count",
        "received_at",
        "receives_here",
        "sent_at",
        "serial",
        "ticket",
    )

    def __init__(self, content: MessageContent, serial: int, sent_at: float) -> None:
        self.content = content
        self.serial = serial
        self.sent_at = sent_at
        self.place = READY
        self.group: Group | None = None
        """Its message group's share of the queue. None for a message without one."""
        self.order = 0
        """Its place in line; of two that wait, the smaller one is nearer to the front."""
        self.hidden_until = 0.0
        """When it becomes visible again. Says nothing while it is ready."""
        self.ticket = 0
        """Number of the heap entry that hides it now, rising with every hiding. Another's entry is stale."""
        self.delivery = 0
        """Number of its newest delivery here; older handles have no power over it."""
        self.receive_count = 0
        """ApproximateReceiveCount, which counts across an automatic move to a dead-letter queue."""
        self.receives_here = 0
        self.received_at = 0.0
        self.first_received_at_ms = 0
        self.dead_letter_source: str | None = None


class Delivery(NamedTuple):
    """One message as a receive returns it."""

    content: MessageContent
    receipt: str
    receive_count: int
    first_received_at_ms: int
    dead_letter_source: str | None
    sequence: str | None = None
    """SequenceNumber: of FIFO queues only."""

    def system_attributes(self, sender: str) -> dict[str, str]:
        """What SQS itself says of this delivery (API reference, ReceiveMessage). `sender` is the account."""
        content = self.content
        shown = {
            "SenderId": sender,
            "SentTimestamp": str(content.sent_at_ms),
            "ApproximateReceiveCount": str(self.receive_count),
            "ApproximateFirstReceiveTimestamp": str(self.first_received_at_ms),
        }
        if content.group is not None:
            shown["MessageGroupId"] = content.group
        if self.sequence is not None and content.dedupe is not None:
            shown["SequenceNumber"] = self.sequence
            shown["MessageDeduplicationId"] = content.dedupe
        if content.trace_header is not None:
            shown["AWSTraceHeader"] = content.trace_header
        if self.dead_letter_source is not None:
            shown["DeadLetterQueueSourceArn"] = self.dead_letter_source
        return shown

    def __repr__(self) -> str:
        return f"Delivery({self.content.message_id}, receive_count={self.receive_count})"


def sequence_number(serial: int) -> str:
    """Return the SequenceNumber of a message of a FIFO queue."""
    return str(_SEQUENCE_START + _SEQUENCE_STEP * serial)


@dataclass(slots=True, kw_only=True)
class QueueModes:
    """How this queue behaves where AWS leaves it open. May be changed at any time."""

    in_flight_max: int = IN_FLIGHT_MAX
    is_sampled: bool = False
    """Receives answer with fewer messages than wait, as AWS's do: SQS asks a sample of its hosts."""
    duplicates_due: int = 0
    """So many of the next messages delivered are delivered once more, while the first lease still runs."""
    duplicate_ratio: float = 0.0
    """Share of deliveries that are repeated so. 0 to 1."""
    deletes_lost: int = 0
    """So many of the next deletes are answered as success and forgotten: the message comes again."""
