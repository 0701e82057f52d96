"""The copy of a message that goes to its dead-letter queue, and where that queue is. Pure.

Rules kept here and nowhere else:

1. A copy keeps body (with the state that the job had reached inside), attributes, group and trace. `forebay.error` is
   added, or left off where it does not fit: SQS takes ten attributes and 1 MiB with them (facts/sqs.md section 2).
2. A FIFO copy without a group gets one of its own; its deduplication id is the message's, so that a burial repeated
   within five minutes makes one copy.
3. The count of attempts is left off: whoever moves a message back gives it all of them anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

from forebay.model import ATTEMPT_ATTRIBUTE, ERROR_ATTRIBUTE, Message, MessageAttribute
from forebay.queue.contents import ATTRIBUTES_MAX, size_bytes
from forebay.queue.continuation import as_sent
from forebay.queue.port import BODY_MAX_BYTES, Outgoing


def buried_copy(message: Message, error: str, *, is_fifo: bool) -> Outgoing:
    """Return the copy of `message` for its dead-letter queue, with `error` in an attribute if there is room."""
    left_off = (ERROR_ATTRIBUTE, ATTEMPT_ATTRIBUTE)
    attributes = {name: value for name, value in message.attributes.items() if name not in left_off}
    group = message.group
    if is_fifo and group is None:
        group = message.message_id
    plain = Outgoing(
        as_sent(message),
        attributes,
        group=group,
        dedupe=message.message_id if is_fifo else None,
        trace_header=message.system.get("AWSTraceHeader"),
    )
    noted = replace(plain, attributes={**attributes, ERROR_ATTRIBUTE: MessageAttribute("String", error)})
    fits = len(noted.attributes) <= ATTRIBUTES_MAX and size_bytes(noted) <= BODY_MAX_BYTES
    return noted if fits and error else plain


def read_redrive_policy(policy: str | None) -> tuple[str | None, int | None, tuple[str, ...]]:
    """Return the ARN and maxReceiveCount of a RedrivePolicy, and what is wrong with it."""
    if not policy:
        return None, None, ()
    try:
        value: object = json.loads(policy)
        fields = cast("dict[str, object]", value if isinstance(value, dict) else {})
        arn = fields["deadLetterTargetArn"]
        count = int(cast("str | int", fields["maxReceiveCount"]))
    except (ValueError, KeyError, TypeError):
        return None, None, ("the queue's RedrivePolicy cannot be read",)
    return str(arn), count, ()


def read_message_max_bytes(attribute: str | None) -> int:
    """Return how many bytes a queue takes in one message, by its MaximumMessageSize; unknown: SQS's own limit."""
    return int(attribute) if attribute and attribute.isascii() and attribute.isdigit() else BODY_MAX_BYTES
