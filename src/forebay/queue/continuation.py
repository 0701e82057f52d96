"""A job that is sent again: the copy that takes its message's place, and the reading of one that has come. Pure.

Rules kept here and nowhere else (docs/wire-format.md):

1. A state travels inside the body, as one more member of the JSON object, for encryption at rest does not cover
   attributes. `forebay.checkpoint` says at which character it was put in, so the body is restored exactly as it was.
2. What does not fit together (somebody rewrote the body, or the attribute) is no state: the job starts anew.
3. A copy keeps the message's own attributes, group and trace. When it was first sent is told only where there is room;
   a state and a count that do not fit mean that there is no copy.
4. FIFO queues get no copies: one would stand behind the later messages of its group.
"""

from __future__ import annotations

import json
from dataclasses import replace

from forebay.model import ATTEMPT_ATTRIBUTE, CHECKPOINT_ATTRIBUTE, FIRST_SENT_ATTRIBUTE, Message, MessageAttribute
from forebay.queue.contents import ATTRIBUTES_MAX, size_bytes
from forebay.queue.port import BODY_MAX_BYTES, Outgoing

OURS = (CHECKPOINT_ATTRIBUTE, ATTEMPT_ATTRIBUTE, FIRST_SENT_ATTRIBUTE)

_MEMBER = f'"{CHECKPOINT_ATTRIBUTE}":'
_CUT_MAX_DIGITS = 7
"""A body has at most 1,048,576 characters."""
_ATTEMPTS_TELLABLE = 999_999


def spliced(body: str, state: str) -> tuple[str, int]:
    """Return the JSON object `body` with `state` (JSON) as its last member, and the character at which it is."""
    cut = body.rindex("}")
    comma = "" if body[:cut].strip() == "{" else ","
    return f"{body[:cut]}{comma}{_MEMBER}{state}{body[cut:]}", cut


def restored(message: Message) -> Message | None:
    """Return the message with its body as the producer wrote it and its state beside it. None if they do not fit."""
    attribute = message.attributes.get(CHECKPOINT_ATTRIBUTE)
    if attribute is None:
        return message
    value, body = attribute.value, message.body
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > _CUT_MAX_DIGITS:
        return None
    cut, end = int(value), body.rfind("}")
    state_at = cut
    for start in (_MEMBER, f",{_MEMBER}"):
        if body.startswith(start, cut):
            state_at = cut + len(start)
    original = body[:cut] + body[end:]
    if state_at == cut or end <= state_at or (body[cut] == ",") == (original[:cut].strip() == "{"):
        return None
    return replace(message, body=original, state=body[state_at:end])


def as_sent(message: Message) -> str:
    """Return the body of a message as it stands in its queue, with its state inside."""
    return message.body if message.state is None else spliced(message.body, message.state)[0]


def copy_of(
    message: Message, *, attempts: int, state: str | None, delay_s: int = 0, most_bytes: int = BODY_MAX_BYTES
) -> Outgoing:
    """Return what is sent in place of `message`: `attempts` of it have been counted, and it goes on from `state`.

    `most_bytes` is what its queue takes in one message.
    """
    copy = _undated(message, attempts, state, delay_s)
    first_sent_at_ms = message.first_sent_at_ms
    if first_sent_at_ms is None or len(copy.attributes) >= ATTRIBUTES_MAX:
        return copy
    dated = replace(copy, attributes={**copy.attributes, FIRST_SENT_ATTRIBUTE: _number(first_sent_at_ms)})
    return dated if size_bytes(dated) <= most_bytes else copy


def has_room(message: Message, *, most_bytes: int = BODY_MAX_BYTES) -> bool:
    """Whether a copy of `message` with a count can be sent."""
    copy = copy_of(message, attempts=_ATTEMPTS_TELLABLE, state=message.state, most_bytes=most_bytes)
    return len(copy.attributes) <= ATTRIBUTES_MAX and size_bytes(copy) <= most_bytes


def obstacle(message: Message) -> str | None:
    """Return why no state of this message's job can be sent, whatever the state; None if nothing is in the way."""
    if is_fifo(message):
        return "its queue is FIFO, where a copy would stand behind the later messages of its group"
    if not _is_object(message.body):
        return "its body is no JSON object, which could carry the state"
    if sum(name not in OURS for name in message.attributes) > ATTRIBUTES_MAX - 2:
        return f"it has more than {ATTRIBUTES_MAX - 2} message attributes, and two of SQS's ten are needed"
    return None


def room_bytes(message: Message, *, attempts: int, most_bytes: int = BODY_MAX_BYTES) -> int:
    """Return how large a state may be, in bytes (UTF-8); less than 0 where not even the count has room."""
    return most_bytes - size_bytes(_undated(message, attempts, "", 0))


def is_fifo(message: Message) -> bool:
    """Whether the message comes from a FIFO queue."""
    return message.source.endswith(".fifo")


def _undated(message: Message, attempts: int, state: str | None, delay_s: int) -> Outgoing:
    attributes = {name: value for name, value in message.attributes.items() if name not in OURS}
    body = message.body
    if state is not None:
        body, cut = spliced(body, state)
        attributes[CHECKPOINT_ATTRIBUTE] = _number(cut)
    if attempts:
        attributes[ATTEMPT_ATTRIBUTE] = _number(attempts)
    trace_header = message.system.get("AWSTraceHeader")
    return Outgoing(body, attributes, delay_s=delay_s, group=message.group, trace_header=trace_header)


def _is_object(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _number(value: int) -> MessageAttribute:
    return MessageAttribute("Number", str(value))
