"""What may be sent: bodies, message attributes, their sizes and their MD5 digests.

Rules kept here and nowhere else:

1. A message's size is its body and its attributes (names, types, values); `AWSTraceHeader` counts for nothing.
2. The characters are those of XML 1.0, and an empty body is no message (facts/sqs.md section 2).
3. The digest of attributes is the one of facts/sqs.md section 7, over whichever attributes are returned.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.model import MessageAttribute
from forebay.rules import queue_errors as errors

BODY_MAX_BYTES = 1_048_576
ATTRIBUTES_MAX = 10
ATTRIBUTE_NAME_MAX = 256
DELAY_MAX_S = 900
TOKEN_MAX = 128

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_NO_ATTRIBUTES: Mapping[str, MessageAttribute] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEntry:
    """One message as a producer asks for it. `entry_id` is the batch's word for it, unused by a single send."""

    body: str = field(repr=False)
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict[str, MessageAttribute], repr=False)
    delay_s: int | None = None
    """None leaves it to the queue's DelaySeconds."""
    group: str | None = None
    dedupe: str | None = None
    trace_header: str | None = None
    """The system attribute AWSTraceHeader."""
    entry_id: str = "1"


@dataclass(frozen=True, slots=True, eq=False)
class MessageContent:
    """What stays the same through every delivery of a message."""

    message_id: str
    body: str = field(repr=False)
    body_md5: str
    attributes: Mapping[str, MessageAttribute] = field(repr=False)
    attributes_md5: str | None
    """Of all of them together; None when there are none."""
    sent_at_ms: int
    group: str | None = None
    trace_header: str | None = None
    dedupe: str | None = None
    """MessageDeduplicationId, given or made from the body: of FIFO queues only."""


def check_body(body: str, attributes: Mapping[str, MessageAttribute], limit_bytes: int) -> str:
    """Return the body's MD5. Raises `ServiceFailure` for what SQS refuses of body, attributes and their size."""
    if not body:
        raise errors.missing_parameter("MessageBody")
    if has_illegal_characters(body):
        raise errors.invalid_message_contents()
    encoded = body.encode()
    size_bytes = len(encoded)
    if attributes:
        size_bytes += check_attributes(attributes)
    if size_bytes > limit_bytes:
        raise errors.message_too_long(limit_bytes)
    return hashlib.md5(encoded, usedforsecurity=False).hexdigest()


def has_illegal_characters(text: str) -> bool:
    """True when `text` holds a character outside the XML set."""
    # Printable text (the common case, decided in C) holds no control character, surrogate or U+FFFE.
    return not text.isprintable() and _ILLEGAL.search(text) is not None


def check_attributes(attributes: Mapping[str, MessageAttribute]) -> int:
    """Return the size of the attributes in bytes. Raises `ServiceFailure` for what SQS refuses."""
    if len(attributes) > ATTRIBUTES_MAX:
        raise errors.invalid_parameter(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{ATTRIBUTES_MAX}]."
        )
    return sum(_check_attribute(name, attribute) for name, attribute in attributes.items())


def _check_attribute(name: str, attribute: MessageAttribute) -> int:
    _check_attribute_name(name)
    data_type, value = attribute
    base_type = data_type.partition(".")[0]
    if base_type not in ("String", "Number", "Binary"):
        raise errors.invalid_parameter(
            f"The type of message (user) attribute '{name}' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        )
    if (base_type == "Binary") != isinstance(value, bytes) or len(data_type) > ATTRIBUTE_NAME_MAX:
        raise errors.invalid_parameter(
            f"The message attribute '{name}' with type '{base_type}' must use field "
            f"'{'Binary' if base_type == 'Binary' else 'String'}'."
        )
    if not value:
        raise errors.invalid_parameter(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{base_type}'."
        )
    if isinstance(value, str):
        _check_attribute_text(name, base_type, value)
        value = value.encode()
    return len(name) + len(data_type.encode()) + len(value)


def _check_attribute_name(name: str) -> None:
    if not _ATTRIBUTE_NAME.fullmatch(name) or len(name) > ATTRIBUTE_NAME_MAX:
        raise errors.invalid_parameter(
            "Message (user) attributes name can only contain upper and lower score alphabets, digits, periods, "
            f"hyphens and underscores, at most {ATTRIBUTE_NAME_MAX} of them."
        )
    if name.startswith(".") or name.endswith(".") or ".." in name:
        raise errors.invalid_parameter(
            f"Message (user) attribute name '{name}' can neither start nor end with a period, nor hold two in a row."
        )
    if name.lower().startswith(("aws.", "amazon.")):
        raise errors.invalid_parameter(f"You cannot use message attributes starting with 'AWS.' or 'Amazon.': '{name}'")


def _check_attribute_text(name: str, base_type: str, value: str) -> None:
    if has_illegal_characters(value):
        raise errors.invalid_message_contents()
    if base_type == "Number":
        try:
            float(value)
        except ValueError:
            # The value itself stays out of the message: answers end up in logs.
            raise errors.invalid_parameter(
                f"Can't cast the value of message (user) attribute '{name}' to a number."
            ) from None


def check_send(entry: SendEntry) -> None:
    """Check what is neither body nor attribute. Raises `ServiceFailure` for what a standard queue refuses."""
    if entry.delay_s is not None and not 0 <= entry.delay_s <= DELAY_MAX_S:
        raise errors.invalid_value("DelaySeconds", entry.delay_s, f"DelaySeconds must be >= 0 and <= {DELAY_MAX_S}.")
    if entry.dedupe is not None:
        raise errors.not_for_this_type("MessageDeduplicationId", entry.dedupe)
    # On a standard queue a group makes it a fair one (facts/sqs.md section 4).
    if entry.group is not None:
        check_token("MessageGroupId", entry.group)


def check_fifo_send(entry: SendEntry, *, is_content_based: bool) -> None:
    """Check what is neither body nor attribute. Raises `ServiceFailure` for what a FIFO queue refuses."""
    if entry.delay_s:
        # API reference, SendMessage: "you can't set DelaySeconds per message". 0 asks for nothing.
        raise errors.not_for_this_type("DelaySeconds", entry.delay_s)
    if entry.group is None:
        raise errors.missing_parameter("MessageGroupId")
    check_token("MessageGroupId", entry.group)
    if entry.dedupe is not None:
        check_token("MessageDeduplicationId", entry.dedupe)
    elif not is_content_based:
        raise errors.invalid_parameter(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )


def check_token(name: str, value: str) -> None:
    """Raise for what is no group, deduplication id or attempt id: API reference, SendMessage and ReceiveMessage."""
    if len(value) > TOKEN_MAX or not _TOKEN.fullmatch(value):
        reason = f"{name} can only include alphanumeric and punctuation characters. 1 to {TOKEN_MAX} in length."
        raise errors.invalid_value(name, value, reason)


def md5_of_attributes(attributes: Mapping[str, MessageAttribute]) -> str:
    """Return the MD5 that SQS gives for these attributes, as hexadecimal digits."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        data_type, value = attributes[name]
        for part in (name.encode(), data_type.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        raw = value if isinstance(value, bytes) else value.encode()
        digest.update((b"\x02" if isinstance(value, bytes) else b"\x01") + len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


def wanted_attributes(
    attributes: Mapping[str, MessageAttribute], names: frozenset[str]
) -> Mapping[str, MessageAttribute]:
    """Return those of `attributes` that a receive asked for: `All`, `.*`, `prefix.*` or plain names."""
    if not names or not attributes:
        return _NO_ATTRIBUTES
    if "All" in names or ".*" in names:
        return attributes
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {
        name: attribute
        for name, attribute in attributes.items()
        if name in names or (prefixes and name.startswith(prefixes))
    }
