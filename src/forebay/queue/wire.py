"""The operations of SQS that a worker needs, over the JSON protocol.

Each method is one operation: its arguments are the request's, its result is what we believe of the answer
(`queue.shapes`). Entries of batches are numbered, and each entry's own result is told (facts/sqs.md section 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from forebay.errors import Fault, FaultKind, QueueError
from forebay.queue import shapes
from forebay.queue.attributes import Json
from forebay.queue.calls import Caller
from forebay.queue.codec import encode
from forebay.queue.port import BATCH_MAX, WAIT_MAX_S, Outgoing, Sent, Visibility

CALL_TIMEOUT_S = 10.0
"""For calls that answer at once."""

POLL_MARGIN_S = 10.0
"""A receive may answer this long after its wait has ended."""

PROBE_MARGIN_S = 2.0
"""The same while the service is in trouble: a hung poll must not hide that it is back."""


class Poll(NamedTuple):
    """What one ReceiveMessage brought, and when."""

    delivered: shapes.Delivered
    first_byte_at: float


class SqsClient:
    """Calls SQS. Every method raises `QueueError` and nothing else."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    async def receive_message(
        self,
        queue_url: str,
        *,
        count_max: int,
        wait_s: float,
        visibility_s: int,
        margin_s: float = POLL_MARGIN_S,
    ) -> Poll:
        """Long poll for up to `count_max` messages, with all of their attributes."""
        wait_whole_s = min(WAIT_MAX_S, math.ceil(wait_s))
        called = await self.caller.call(
            "ReceiveMessage",
            _body(
                {
                    "QueueUrl": queue_url,
                    "MaxNumberOfMessages": min(count_max, BATCH_MAX),
                    "WaitTimeSeconds": wait_whole_s,
                    "VisibilityTimeout": visibility_s,
                    "MessageSystemAttributeNames": ["All"],
                    "MessageAttributeNames": ["All"],
                }
            ),
            timeout_s=wait_whole_s + margin_s,
            is_poll=True,
        )
        return Poll(shapes.read_messages(called.answer, source=queue_url), called.first_byte_at)

    async def delete_message_batch(
        self, queue_url: str, receipts: Sequence[str], *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Mapping[int, Fault]:
        """Delete deliveries; returns the faults of those that failed."""
        body = _body({"QueueUrl": queue_url, "Entries": shapes.receipt_entries(receipts)})
        called = await self.caller.call("DeleteMessageBatch", body, timeout_s=timeout_s)
        return shapes.read_batch(called.answer, len(receipts))

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[Visibility], *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Mapping[int, Fault]:
        """Hide deliveries for so many seconds from now; returns the faults of those that failed."""
        rows = shapes.receipt_entries([entry.receipt for entry in entries])
        for row, entry in zip(rows, entries, strict=True):
            row["VisibilityTimeout"] = entry.seconds
        body = _body({"QueueUrl": queue_url, "Entries": rows})
        called = await self.caller.call("ChangeMessageVisibilityBatch", body, timeout_s=timeout_s)
        return shapes.read_batch(called.answer, len(entries))

    async def send_message_batch(
        self,
        queue_url: str,
        messages: Sequence[Outgoing],
        *,
        is_repeatable: bool = False,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Sequence[Sent]:
        """Send messages; returns what became of each, in order."""
        rows = [
            shapes.write_outgoing(entry_id, message) for entry_id, message in zip(shapes.IDS, messages, strict=False)
        ]
        called = await self.caller.call(
            "SendMessageBatch",
            _body({"QueueUrl": queue_url, "Entries": rows}),
            timeout_s=timeout_s,
            is_repeatable=is_repeatable,
        )
        return shapes.read_sent(called.answer, len(messages))

    async def get_queue_attributes(self, queue_url: str, names: Sequence[str]) -> Mapping[str, str]:
        """Return the queue's attributes of these names, as far as it has them."""
        body = _body({"QueueUrl": queue_url, "AttributeNames": list(names)})
        called = await self.caller.call("GetQueueAttributes", body, timeout_s=CALL_TIMEOUT_S)
        return shapes.read_attributes_map(called.answer)

    async def get_queue_url(self, name: str, *, owner: str | None = None) -> str:
        """Return the URL of the queue of this name, of the account `owner` if given."""
        request: Json = {"QueueName": name}
        if owner is not None:
            request["QueueOwnerAWSAccountId"] = owner
        called = await self.caller.call("GetQueueUrl", _body(request), timeout_s=CALL_TIMEOUT_S)
        return shapes.read_queue_url(called.answer)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.caller.aclose()


def _body(request: Json) -> bytes:
    try:
        return encode(request)
    except ValueError as error:
        raise QueueError(Fault(FaultKind.REFUSED, "NotUnicode", str(error))) from error
