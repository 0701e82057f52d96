"""What SQS would refuse in a message to be sent. Pure: known before a request is spent on it.

One bad message makes SQS refuse a whole batch, so each is looked at first (facts/sqs.md section 2).
"""

from __future__ import annotations

import re

from forebay.errors import Fault, FaultKind
from forebay.queue.port import BODY_MAX_BYTES, Outgoing

ATTRIBUTES_MAX = 10
DELAY_MAX_S = 900
GROUP_MAX_CHARS = 128

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_.-]{0,254}[A-Za-z0-9_-])?")
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}")
_TYPES = ("String", "Number", "Binary")


def size_bytes(message: Outgoing) -> int:
    """Return a message's size as SQS counts it: body, and each attribute's name, type and value."""
    body = message.body
    # Written out, without a function for text: it is asked for twice for each message sent.
    size = len(body) if body.isascii() else len(body.encode("utf-8", "surrogatepass"))
    for name, (data_type, value) in message.attributes.items():
        size += len(name) + len(data_type)  # ASCII, or refused.
        if isinstance(value, bytes) or value.isascii():
            size += len(value)
        else:
            size += len(value.encode("utf-8", "surrogatepass"))
    return size


def forbidden_in(text: str) -> str | None:
    """Return the first character (`U+FFFE`) that SQS does not carry, or None."""
    found = _FORBIDDEN.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def problem(message: Outgoing, size: int | None = None) -> Fault | None:
    """Return why SQS would not take this message, or None. `size` is its size in bytes, where that is known."""
    fault = problem_of_body(message, size)
    if fault is not None:
        return fault
    if not 0 <= message.delay_s <= DELAY_MAX_S:
        return _refused("InvalidParameterValue", f"a delay of {message.delay_s} s is outside 0 to {DELAY_MAX_S}")
    for name, token in (("group", message.group), ("dedupe", message.dedupe)):
        if token is not None and not _TOKEN.fullmatch(token):
            return _refused(
                "InvalidParameterValue", f"{name} must be 1 to {GROUP_MAX_CHARS} printable ASCII characters"
            )
    return _problem_of_attributes(message)


def problem_of_body(message: Outgoing, size: int | None = None) -> Fault | None:
    """Return why SQS would not take this body, or the whole for its size, or None. All else about it may be wrong."""
    if not message.body:
        return _refused("MissingParameter", "the body is empty")
    character = forbidden_in(message.body)
    if character is not None:
        return _refused("InvalidMessageContents", f"the body holds {character}, which SQS does not carry")
    size = size_bytes(message) if size is None else size
    if size > BODY_MAX_BYTES:
        return _refused("MessageTooLong", f"{size:,} bytes with attributes; SQS takes {BODY_MAX_BYTES:,}")
    return None


def _problem_of_attributes(message: Outgoing) -> Fault | None:
    if len(message.attributes) > ATTRIBUTES_MAX:
        return _refused("InvalidParameterValue", f"{len(message.attributes)} attributes; SQS takes {ATTRIBUTES_MAX}")
    for name, (data_type, value) in message.attributes.items():
        if not _NAME.fullmatch(name) or ".." in name or name.lower().startswith(("aws.", "amazon.")):
            return _refused("InvalidParameterValue", "an attribute's name is not one that SQS takes")
        if data_type.partition(".")[0] not in _TYPES:
            return _refused("InvalidParameterValue", f"attribute {name!r} is of no type that SQS knows")
        if not value or isinstance(value, bytes) != data_type.startswith("Binary"):
            return _refused("InvalidParameterValue", f"attribute {name!r} is empty or not of its own type")
        if isinstance(value, str) and _FORBIDDEN.search(value) is not None:
            return _refused("InvalidMessageContents", f"attribute {name!r} holds characters that SQS does not carry")
    return None


def _refused(code: str, detail: str) -> Fault:
    return Fault(FaultKind.REFUSED, code, detail)
