"""How pydantic reads the envelopes of AWS. Imported when the first handler that takes one is made ready, not before.

Rules kept here and nowhere else:

1. Fields are named as Python does it and read by AWS's names: a problem names the place that stands in the body.
2. Text that SNS carries is taken as it is for `str` and `bytes`, else read as JSON.
3. The keys of S3's objects are decoded here, once: on the wire they are URL-encoded, with `+` for a space.
4. What an envelope has beyond these fields is passed over: AWS adds fields without asking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args
from urllib.parse import unquote_plus

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from forebay.api.envelopes import EventBridgeEvent, Ignored, S3Event, S3Record, SnsNotification, is_text
from forebay.model import MessageAttribute

S3_TEST_EVENT = "s3:TestEvent"

_TEXT = core_schema.str_schema()
_TEXT_OR_NONE = core_schema.nullable_schema(_TEXT)
_TIME = core_schema.datetime_schema()


def sns_schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return how `SnsNotification[T]` is read. Without brackets, T is `str`."""
    inner = next(iter(get_args(source)), str)
    message = handler.generate_schema(inner)
    required = {
        "Type": core_schema.literal_schema(["Notification"]),
        "MessageId": _TEXT,
        "TopicArn": _TEXT,
        "Message": message if is_text(inner) else core_schema.json_schema(message),
        "Timestamp": _TIME,
    }
    optional = {
        "Subject": _TEXT_OR_NONE,
        "SequenceNumber": _TEXT_OR_NONE,
        "MessageAttributes": core_schema.dict_schema(_TEXT, _fields({"Type": _TEXT, "Value": _TEXT}, {})),
    }
    return _read(required, optional, _notification)


def event_schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return how `EventBridgeEvent[T]` is read."""
    detail = handler.generate_schema(next(iter(get_args(source)), Any))
    texts: dict[str, CoreSchema] = dict.fromkeys(("detail-type", "source", "id", "account", "region"), _TEXT)
    required = {**texts, "time": _TIME, "detail": detail}
    return _read(required, {"resources": core_schema.list_schema(_TEXT)}, _event)


def s3_schema() -> CoreSchema:
    """Return how `S3Event` is read. Raises `Ignored` for the test event."""
    key = core_schema.no_info_after_validator_function(_decoded, _TEXT)
    size = core_schema.nullable_schema(core_schema.int_schema(ge=0))
    details = {"size": size, "eTag": _TEXT_OR_NONE, "versionId": _TEXT_OR_NONE, "sequencer": _TEXT_OR_NONE}
    s3 = _fields({"bucket": _fields({"name": _TEXT}, {}), "object": _fields({"key": key}, details)}, {})
    record = _read({"eventName": _TEXT, "eventTime": _TIME, "awsRegion": _TEXT, "s3": s3}, {}, _s3_record)
    records = core_schema.list_schema(record)
    return _read({}, {"Records": records, "Event": core_schema.any_schema()}, _s3_event)


def _read(
    required: Mapping[str, CoreSchema], optional: Mapping[str, CoreSchema], made: Callable[[dict[str, Any]], object]
) -> CoreSchema:
    """Return a schema that reads these fields and makes a value of them."""
    return core_schema.no_info_after_validator_function(made, _fields(required, optional))


def _fields(required: Mapping[str, CoreSchema], optional: Mapping[str, CoreSchema]) -> CoreSchema:
    fields = {name: core_schema.typed_dict_field(schema) for name, schema in required.items()}
    fields |= {name: core_schema.typed_dict_field(schema, required=False) for name, schema in optional.items()}
    return core_schema.typed_dict_schema(fields, extra_behavior="ignore")


def _notification(read: dict[str, Any]) -> SnsNotification[Any]:
    attributes: dict[str, dict[str, str]] = read.get("MessageAttributes", {})
    return SnsNotification(
        message=read["Message"],
        message_id=read["MessageId"],
        topic_arn=read["TopicArn"],
        timestamp=read["Timestamp"],
        subject=read.get("Subject"),
        sequence_number=read.get("SequenceNumber"),
        attributes={name: MessageAttribute(one["Type"], one["Value"]) for name, one in attributes.items()},
    )


def _event(read: dict[str, Any]) -> EventBridgeEvent[Any]:
    return EventBridgeEvent(detail_type=read.pop("detail-type"), **read)


def _decoded(key: str) -> str:
    return unquote_plus(key, errors="strict")


def _s3_record(read: dict[str, Any]) -> S3Record:
    thing = read["s3"]["object"]
    return S3Record(
        event_name=read["eventName"],
        bucket=read["s3"]["bucket"]["name"],
        key=thing["key"],
        time=read["eventTime"],
        region=read["awsRegion"],
        size=thing.get("size"),
        etag=thing.get("eTag"),
        version_id=thing.get("versionId"),
        sequencer=thing.get("sequencer"),
    )


def _s3_event(read: dict[str, Any]) -> S3Event:
    if "Records" in read:
        return S3Event(tuple(read["Records"]))
    if read.get("Event") == S3_TEST_EVENT:
        raise Ignored
    raise PydanticCustomError("s3_records_missing", "no records")
