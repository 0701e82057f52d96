"""The JSON of SQS's wire protocol: parameters out of a request, and results into an answer.

Rules kept here and nowhere else:

1. A parameter of the wrong JSON type is SerializationException, a missing one MissingParameter; every other refusal
   is the rules' own.
2. Attributes come only if asked for; an empty receive has no key `Messages` (facts/sqs.md section 1).
3. An entry that failed in a batch carries the legacy code, as an error of a whole call does in its header.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from forebay.model import MessageAttribute
from forebay.rules import queue_errors as errors
from forebay.rules.queue_contents import md5_of_attributes, wanted_attributes
from forebay.rules.queue_semantics import Delivery, SendEntry, SentMessage, ServiceFailure

try:
    import orjson
except ImportError:
    loads: Callable[[bytes], Any] = json.loads

    def dumps(value: object, /) -> bytes:
        """Return `value` as JSON."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
else:
    loads = orjson.loads

    def dumps(value: object, /) -> bytes:
        """Return `value` as JSON."""
        return orjson.dumps(value)


Params = Mapping[str, Any]
Json = dict[str, Any]
Value = TypeVar("Value")

SYSTEM_ATTRIBUTES = frozenset(
    (
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    )
)
_NO_NAMES: frozenset[str] = frozenset()


class View(NamedTuple):
    """What a receive wants to see of each message."""

    system: frozenset[str]
    attributes: frozenset[str]


# ── parameters ─────────────────────────────────────────────────────────────────────────────────────────────


def text_of(params: Params, name: str) -> str:
    value = params.get(name)
    if value is None or value == "":
        raise errors.missing_parameter(name)
    if not isinstance(value, str):
        raise errors.serialization_failure(f"{name} must be a string.")
    return value


def optional_text_of(params: Params, name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise errors.serialization_failure(f"{name} must be a string.")
    return value


def number_of(params: Params, name: str) -> int | None:
    value = params.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise errors.serialization_failure(f"{name} must be a whole number.")
    return value


def names_of(params: Params, name: str) -> frozenset[str]:
    return frozenset(list_of(params, name)) if params.get(name) else _NO_NAMES


def list_of(params: Params, name: str) -> list[str]:
    value: object = params.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise errors.serialization_failure(f"{name} must be a list of strings.")
    return cast("list[str]", value)


def mapping_of(params: Params, name: str) -> Mapping[str, Any]:
    value = params.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise errors.serialization_failure(f"{name} must be an object.")
    return cast("dict[str, Any]", value)


def entries_of(params: Params) -> Sequence[Params]:
    value: object = params.get("Entries")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in cast("list[object]", value)):
        raise errors.serialization_failure("Entries must be a list of objects.")
    return cast("list[dict[str, Any]]", value)


def _message_attributes(params: Params) -> dict[str, MessageAttribute]:
    return {name: _message_attribute(name, value) for name, value in mapping_of(params, "MessageAttributes").items()}


def _message_attribute(name: str, value: object) -> MessageAttribute:
    if not isinstance(value, dict):
        raise errors.serialization_failure(f"MessageAttributes.{name} must be an object.")
    fields = cast("dict[str, Any]", value)
    data_type = text_of(fields, "DataType")
    binary = optional_text_of(fields, "BinaryValue")
    if binary is None:
        return MessageAttribute(data_type, optional_text_of(fields, "StringValue") or "")
    try:
        return MessageAttribute(data_type, b64decode(binary, validate=True))
    except (binascii.Error, ValueError):
        raise errors.serialization_failure(f"MessageAttributes.{name}.BinaryValue must be base64.") from None


def send_entry_of(params: Params) -> SendEntry:
    system = mapping_of(params, "MessageSystemAttributes")
    for name in system:
        if name != "AWSTraceHeader":
            raise errors.invalid_parameter(f"Message system attribute name '{name}' is invalid.")
    trace = _message_attribute("AWSTraceHeader", system["AWSTraceHeader"]).value if system else None
    if isinstance(trace, bytes):
        raise errors.invalid_parameter("The message system attribute 'AWSTraceHeader' must have type 'String'.")
    return SendEntry(
        body=text_of(params, "MessageBody"),
        attributes=_message_attributes(params),
        delay_s=number_of(params, "DelaySeconds"),
        group=optional_text_of(params, "MessageGroupId"),
        dedupe=optional_text_of(params, "MessageDeduplicationId"),
        trace_header=trace,
        entry_id=optional_text_of(params, "Id") or "",
    )


def seconds_of(params: Params) -> int:
    seconds = number_of(params, "VisibilityTimeout")
    if seconds is None:
        raise errors.missing_parameter("VisibilityTimeout")
    return seconds


# ── results ────────────────────────────────────────────────────────────────────────────────────────────────


def received(deliveries: Iterable[Delivery], view: View, sender: str) -> Json:
    """Return ReceiveMessage's answer; with nothing received, the key `Messages` is absent."""
    messages = [_received_one(delivery, view, sender) for delivery in deliveries]
    return {"Messages": messages} if messages else {}


def _received_one(delivery: Delivery, view: View, sender: str) -> Json:
    content = delivery.content
    message: Json = {
        "MessageId": content.message_id,
        "ReceiptHandle": delivery.receipt,
        "MD5OfBody": content.body_md5,
        "Body": content.body,
    }
    if view.system:
        shown = delivery.system_attributes(sender)
        wanted = view.system
        message["Attributes"] = shown if "All" in wanted else {name: shown[name] for name in shown if name in wanted}
    if view.attributes and content.attributes:
        attributes = wanted_attributes(content.attributes, view.attributes)
        if attributes:
            is_all = len(attributes) == len(content.attributes)
            message["MD5OfMessageAttributes"] = content.attributes_md5 if is_all else md5_of_attributes(attributes)
            message["MessageAttributes"] = {name: _shown(attribute) for name, attribute in attributes.items()}
    return message


def _shown(attribute: MessageAttribute) -> Json:
    data_type, value = attribute
    if isinstance(value, bytes):
        return {"DataType": data_type, "BinaryValue": b64encode(value).decode()}
    return {"DataType": data_type, "StringValue": value}


def sent(result: SentMessage) -> Json:
    shown: Json = {"MessageId": result.message_id, "MD5OfMessageBody": result.body_md5}
    if result.attributes_md5 is not None:
        shown["MD5OfMessageAttributes"] = result.attributes_md5
    if result.trace_header_md5 is not None:
        shown["MD5OfMessageSystemAttributes"] = result.trace_header_md5
    if result.sequence is not None:
        shown["SequenceNumber"] = result.sequence
    return shown


def batch(ids: Sequence[str], results: Sequence[Value | ServiceFailure], show: Callable[[Value], Json]) -> Json:
    """Return a batch's answer: each entry under its id, in `Successful` or in `Failed`. Both are always there."""
    answer: Json = {"Successful": [], "Failed": []}
    for entry_id, result in zip(ids, results, strict=True):
        if isinstance(result, ServiceFailure):
            answer["Failed"].append(failed_entry(entry_id, result))
        else:
            answer["Successful"].append({"Id": entry_id, **show(result)})
    return answer


def failed_entry(entry_id: str, failure: ServiceFailure) -> Json:
    """Return how a batch's answer tells that one entry failed."""
    return {
        "Id": entry_id,
        "SenderFault": failure.sender_fault,
        "Code": failure.legacy_code,
        "Message": failure.message,
    }


def bare(_: None) -> Json:
    return {}
