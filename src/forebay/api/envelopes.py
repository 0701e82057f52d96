"""The envelopes in which AWS delivers what others have sent: SNS, EventBridge and S3, as typed parameters of a handler.

Rules kept here and nowhere else:

1. What an envelope carries is validated by the type that the handler writes between its brackets.
2. S3's test event, which nobody asked for, is for no handler: it ends an attempt as succeeded.
3. Who really sent a message is not decided here. That is up to the queue's access policy; signatures are not verified.
4. What others have sent stands in no repr.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from forebay.handlers.failure import Answer
from forebay.model import SUCCEEDED, MessageAttribute, Succeeded

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

T = TypeVar("T")


class Ignored(Answer):
    """A body that its envelope says to ignore. The attempt has succeeded without a handler."""

    def outcome(self) -> Succeeded:
        return SUCCEEDED


class _Delivered(Generic[T]):
    """What the two generic envelopes share. Pydantic would read a generic dataclass by rules of its own."""

    __slots__ = ()
    _told: tuple[str, ...]
    """The attributes that a repr may show."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names: tuple[str, ...] = self.__slots__
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(f'{name}={getattr(self, name)!r}' for name in self._told)}>"


class SnsNotification(_Delivered[T]):
    """A notification of SNS, delivered in its envelope (a subscription without raw message delivery)."""

    __slots__ = ("attributes", "message", "message_id", "sequence_number", "subject", "timestamp", "topic_arn")
    _told = ("message_id", "topic_arn")

    def __init__(
        self,
        *,
        message: T,
        message_id: str,
        topic_arn: str,
        timestamp: datetime,
        subject: str | None = None,
        sequence_number: str | None = None,
        attributes: Mapping[str, MessageAttribute] | None = None,
    ) -> None:
        self.message = message
        """What was published: as `str` or `bytes` verbatim, else its JSON, validated."""
        self.message_id = message_id
        self.topic_arn = topic_arn
        self.timestamp = timestamp
        self.subject = subject
        self.sequence_number = sequence_number
        """Only from FIFO topics."""
        self.attributes: Mapping[str, MessageAttribute] = attributes or {}
        """The message attributes with which it was published."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from forebay.api.envelope_schemas import sns_schema

        return sns_schema(source, handler)


class EventBridgeEvent(_Delivered[T]):
    """An event of EventBridge, as a rule without an input transformer puts it on a queue."""

    __slots__ = ("account", "detail", "detail_type", "id", "region", "resources", "source", "time")
    _told = ("id", "source", "detail_type")

    def __init__(
        self,
        *,
        detail: T,
        detail_type: str,
        source: str,
        id: str,
        time: datetime,
        account: str,
        region: str,
        resources: Sequence[str] = (),
    ) -> None:
        self.detail = detail
        """What the event says, validated."""
        self.detail_type = detail_type
        self.source = source
        self.id = id
        self.time = time
        self.account = account
        self.region = region
        self.resources = tuple(resources)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from forebay.api.envelope_schemas import event_schema

        return event_schema(source, handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Record:
    """What happened to one object."""

    event_name: str
    """Such as `ObjectCreated:Put`."""
    bucket: str
    key: str = field(repr=False)
    """The object's key as it is in the bucket: decoded."""
    time: datetime
    region: str
    size: int | None = None
    """In bytes. None for what has none, such as a deletion."""
    etag: str | None = None
    version_id: str | None = None
    """Only from buckets with versions."""
    sequencer: str | None = None
    """Orders the events of one key, as a hexadecimal number: the higher one is the later. Says nothing across keys."""


@dataclass(frozen=True, slots=True)
class S3Event:
    """A notification of S3: its records. The test event that S3 sends when notifications are set up never gets here."""

    records: tuple[S3Record, ...]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from forebay.api.envelope_schemas import s3_schema

        return s3_schema()


ENVELOPES = (SnsNotification, EventBridgeEvent, S3Event)


def is_envelope(annotation: Any) -> bool:
    """Say whether a parameter of this type takes a whole body that AWS has made."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_envelope(annotation.__origin__)
    if origin is Union or origin is UnionType:
        return all(is_envelope(member) for member in get_args(annotation))
    return (origin or annotation) in ENVELOPES


def is_text(annotation: Any) -> bool:
    """Say whether a value of this type is text as it came, and no JSON. `Annotated[str, …]` is, with conditions."""
    return (annotation.__origin__ if get_origin(annotation) is Annotated else annotation) in (str, bytes)
