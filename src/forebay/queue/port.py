"""The port between a worker and a queue service: what a source must be able to do.

Rules kept here and nowhere else:

1. A call either answers or raises `QueueError`; nothing else escapes but cancellation.
2. Batch calls take at most `BATCH_MAX` entries and answer for each: a mapping from the entry's index to its
   `Fault` holds only the entries that failed. An empty mapping means that all went well.
3. A receive is never cancelled lightly: SQS may already have hidden what it was about to return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from forebay.errors import Fault, FaultKind
from forebay.model import Message, MessageAttribute, hot_value

BATCH_MAX = 10
"""Entries in one batch call, and messages in one receive (facts/sqs.md section 2)."""

WAIT_MAX_S = 20
"""The longest long poll."""

VISIBILITY_MAX_S = 43_200
"""The longest visibility timeout, counted from the receive (facts/sqs.md section 3)."""

BODY_MAX_BYTES = 1_048_576
"""The largest message, body and attributes together."""

NOTHING_FAILED: Mapping[int, Fault] = {}

NOT_TRIED = Fault(FaultKind.UNAVAILABLE, "NotTried", "others before it were not taken, so it was never sent")
"""What became of a message that was given up before it was sent: it may be sent again without doubling it."""


def is_fifo(address: str) -> bool:
    """Say whether a queue's URL or name is that of a FIFO queue (facts/sqs.md section 2)."""
    return address.endswith(".fifo")


class Received(NamedTuple):
    """The answer to one receive."""

    messages: Sequence[Message]
    answered_at: float
    """Monotonic instant of the answer's first byte: the messages were hidden at most a network delay earlier."""
    queue_wait_s: float = 0.0
    """The longest time that a message on its first delivery had waited, by the service's clock. 0 if none."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a queue says of itself. Unknown (None) where the permission to ask is missing."""

    arn: str | None = None
    dead_letter: str | None = None
    """The URL (or other key) of the dead-letter queue, or None when there is none."""
    receive_count_max: int | None = None
    """RedrivePolicy's maxReceiveCount."""
    is_fifo: bool = False
    may_renew: bool = True
    """False when ChangeMessageVisibility is known to be denied (Copilot's queues): no heartbeats, long receives."""
    message_max_bytes: int = BODY_MAX_BYTES
    """MaximumMessageSize: queues of before August 2025 often take no more than 256 KiB."""
    notes: tuple[str, ...] = ()
    """What the operator should know, such as the IAM statement that is missing."""


class Counts(NamedTuple):
    """The queue's approximate numbers (GetQueueAttributes)."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def is_empty(self) -> bool:
        return self.visible == 0 and self.in_flight == 0 and self.delayed == 0


class Visibility(NamedTuple):
    """One entry of a visibility change: hide the delivery for `seconds` from now; 0 gives it back."""

    receipt: str
    seconds: int


@hot_value
class Outgoing:
    """One message to send."""

    body: str = field(repr=False)
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict[str, MessageAttribute], repr=False)
    delay_s: int = 0
    group: str | None = None
    dedupe: str | None = None
    trace_header: str | None = None
    """AWSTraceHeader: the trace (X-Ray) that the message belongs to."""


class Sent(NamedTuple):
    """What became of one sent message: its id, or why it was not taken."""

    message_id: str | None
    fault: Fault | None


class Source(Protocol):
    """A queue that a worker receives from. Implementations: `queue.sqs.SqsSource`, `queue.memory.MemorySource`."""

    @property
    def key(self) -> str:
        """What tells this source from every other one; equals `Message.source` of what it delivers."""
        ...

    async def describe(self) -> Description:
        """Ask the queue for its dead-letter queue and limits. A denied question answers with notes, not an error."""
        ...

    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        """Wait up to `wait_s` for up to `count_max` messages, hidden from others for `visibility_s`."""
        ...

    async def change_visibility(self, entries: Sequence[Visibility]) -> Mapping[int, Fault]: ...

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, Fault]: ...

    async def bury(self, message: Message, *, error: str) -> None:
        """Send a copy to the dead-letter queue, body unchanged, with attribute `forebay.error`; do not delete."""
        ...

    async def resend(self, message: Outgoing) -> None:
        """Send one message to this queue. Returns once the queue has confirmed it; after an error nobody can say."""
        ...

    async def count(self) -> Counts: ...

    async def aclose(self) -> None: ...


class Sink(Protocol):
    """A queue that a producer sends to."""

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send up to `BATCH_MAX` messages; the answer has one `Sent` for each, in order."""
        ...
