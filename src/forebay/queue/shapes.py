"""The shapes of SQS's JSON protocol: what we write, and what we believe of what we read. Pure but for checksums.

Rules kept here and nowhere else (facts/sqs.md section 1):

1. An answer of a wrong shape is `NO_ANSWER`: the call may have been carried out, and nobody can say.
2. One damaged message never costs its siblings: it is left out and named with the reason.
3. A body that does not match its MD5OfBody is damaged. So is a message whose attributes cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import md5
from types import MappingProxyType
from typing import NamedTuple, cast

from forebay.errors import Fault, FaultKind, QueueError
from forebay.model import Message, MessageAttribute
from forebay.queue.attributes import Json, read_attributes, write_attributes
from forebay.queue.faults import classify_entry
from forebay.queue.port import BATCH_MAX, NOTHING_FAILED, Outgoing, Sent

IDS = tuple(str(number) for number in range(BATCH_MAX))
"""Batch entry ids are sequence numbers: distinct by themselves, and an index to read the answer by."""

_NO_ATTRIBUTES: Mapping[str, MessageAttribute] = MappingProxyType({})
_NOTHING: Mapping[str, str] = MappingProxyType({})
_UNNAMED = Fault(FaultKind.NO_ANSWER, "NotAnswered", "the answer does not name this entry")


class Damaged(NamedTuple):
    """A received message that cannot be handed to anybody."""

    message_id: str
    reason: str


class Delivered(NamedTuple):
    """What one receive brought."""

    messages: list[Message]
    damaged: list[Damaged]


def malformed(what: str) -> QueueError:
    """Return the error of an answer that has not the shape that SQS promises."""
    return QueueError(Fault(FaultKind.NO_ANSWER, "MalformedAnswer", what))


def read_messages(answer: Json, *, source: str) -> Delivered:
    """Return the messages of a ReceiveMessage answer. Raises `QueueError` if it holds no list of them."""
    items = answer.get("Messages")
    if items is None:
        return Delivered([], [])
    if not isinstance(items, list):
        raise malformed("Messages is not a list")
    messages: list[Message] = []
    damaged: list[Damaged] = []
    for item in cast("list[object]", items):
        found = _read_message(item, source)
        if isinstance(found, Message):
            messages.append(found)
        else:
            damaged.append(found)
    return Delivered(messages, damaged)


def _read_message(item: object, source: str) -> Message | Damaged:
    """Return one message, or why it is none. The hottest function of the client: 3 µs here are 3 µs a job."""
    if type(item) is not dict:
        return Damaged("", "it is not an object")
    fields = cast("Json", item)
    message_id, receipt, body = fields.get("MessageId"), fields.get("ReceiptHandle"), fields.get("Body", "")
    if type(message_id) is not str or not message_id:
        return Damaged("", "it has no MessageId")
    if type(receipt) is not str or not receipt:
        return Damaged(message_id, "it has no ReceiptHandle")
    if type(body) is not str:
        return Damaged(message_id, "its Body is no text")
    checksum = fields.get("MD5OfBody")
    if checksum is not None and not _matches(body, checksum):
        return Damaged(message_id, "its Body does not match MD5OfBody")
    raw_attributes = fields.get("MessageAttributes")
    attributes = read_attributes(raw_attributes) if raw_attributes else _NO_ATTRIBUTES
    if attributes is None:
        return Damaged(message_id, "its MessageAttributes cannot be read")
    system = _text_only(fields.get("Attributes"))
    return Message(
        source,
        message_id,
        receipt,
        body,
        _whole(system.get("ApproximateReceiveCount")) or 1,
        _whole(system.get("SentTimestamp")),
        _whole(system.get("ApproximateFirstReceiveTimestamp")),
        system.get("MessageGroupId"),
        attributes,
        system,
    )


def _matches(body: str, checksum: object) -> bool:
    try:
        return md5(body.encode(), usedforsecurity=False).hexdigest() == checksum
    except UnicodeEncodeError:  # a lone surrogate: no such body can have been sent
        return False


def _text_only(raw: object) -> Mapping[str, str]:
    """Return what is text of a map that ought to be all text."""
    if type(raw) is not dict:
        return _NOTHING
    values = cast("dict[str, str]", raw)
    try:
        "".join(values.values())  # the cheapest proof that all of them are text
    except TypeError:
        return {name: value for name, value in cast("Json", raw).items() if isinstance(value, str)}
    return values


def _whole(value: str | None) -> int | None:
    return int(value) if value is not None and len(value) <= 15 and value.isascii() and value.isdigit() else None


def write_outgoing(entry_id: str, message: Outgoing) -> Json:
    """Return one entry of SendMessageBatch."""
    entry: Json = {"Id": entry_id, "MessageBody": message.body}
    if message.attributes:
        entry["MessageAttributes"] = write_attributes(message.attributes)
    if message.trace_header:
        entry["MessageSystemAttributes"] = {
            "AWSTraceHeader": {"DataType": "String", "StringValue": message.trace_header},
        }
    if message.delay_s:
        entry["DelaySeconds"] = message.delay_s
    if message.group is not None:
        entry["MessageGroupId"] = message.group
    if message.dedupe is not None:
        entry["MessageDeduplicationId"] = message.dedupe
    return entry


def read_batch(answer: Json, count: int) -> Mapping[int, Fault]:
    """Return what failed of a batch of `count` entries, by index. Entries that the answer does not name failed."""
    named = _ids(answer.get("Successful"), "Successful")
    failed = answer.get("Failed")
    if not failed and named.issuperset(IDS[:count]):
        return NOTHING_FAILED
    faults = _read_failed(failed, count)
    for index in range(count):
        if index not in faults and IDS[index] not in named:
            faults[index] = _UNNAMED
    return faults


def read_sent(answer: Json, count: int) -> list[Sent]:
    """Return what became of each message of a SendMessageBatch of `count` entries."""
    faults = read_batch(answer, count)
    ids: dict[str, str] = {}
    for item in cast("list[object]", answer.get("Successful") or []):
        fields = cast("Json", item)
        ids[cast("str", fields["Id"])] = str(fields.get("MessageId", ""))
    return [Sent(None, faults[index]) if index in faults else Sent(ids[IDS[index]], None) for index in range(count)]


def _ids(raw: object, name: str) -> set[str]:
    """Return the entry ids of a list of results that are ours to begin with."""
    if raw is None:
        return set()
    if not isinstance(raw, list):
        raise malformed(f"{name} is not a list")
    ids: set[str] = set()
    for item in cast("list[object]", raw):
        entry_id = cast("Json", item).get("Id") if isinstance(item, dict) else None
        if not isinstance(entry_id, str):
            raise malformed(f"an entry of {name} has no Id")
        ids.add(entry_id)
    return ids


def _read_failed(raw: object, count: int) -> dict[int, Fault]:
    faults: dict[int, Fault] = {}
    ids = _ids(raw, "Failed")
    if not ids:
        return faults
    for item in cast("list[Json]", raw):
        entry_id = cast("str", item["Id"])
        if entry_id not in IDS[:count]:
            continue
        faults[int(entry_id)] = classify_entry(
            str(item.get("Code") or ""), str(item.get("Message") or ""), is_sender_fault=item.get("SenderFault") is True
        )
    return faults


def read_attributes_map(answer: Json) -> dict[str, str]:
    """Return the attributes of a GetQueueAttributes answer."""
    raw = answer.get("Attributes")
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise malformed("Attributes is not an object")
    return {name: value for name, value in cast("Json", raw).items() if isinstance(value, str)}


def read_queue_url(answer: Json) -> str:
    """Return the URL of a GetQueueUrl answer."""
    url = answer.get("QueueUrl")
    if not isinstance(url, str) or not url:
        raise malformed("no QueueUrl")
    return url


def receipt_entries(receipts: Sequence[str]) -> list[Json]:
    """Return the entries of DeleteMessageBatch."""
    return [{"Id": entry_id, "ReceiptHandle": receipt} for entry_id, receipt in zip(IDS, receipts, strict=False)]
