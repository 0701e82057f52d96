"""A message as it lies in a queue, for tests to look at. Its body and attributes stay out of every repr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from forebay.model import ERROR_ATTRIBUTE, JOB_ATTRIBUTE, MessageAttribute
from forebay.rules.queue_messages import DELAYED, IN_FLIGHT, StoredMessage


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One message as it lies in a queue."""

    message_id: str
    body: str = field(repr=False)
    job: str | None
    """The job that it names (attribute `job`), if any."""
    place: Literal["visible", "in flight", "delayed"]
    receive_count: int
    sent_at_utc: datetime
    group: str | None = None
    attributes: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"], repr=False)

    @property
    def arguments(self) -> Any:
        """The body as JSON: the job's arguments."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """Why a worker buried it, from attribute `forebay.error`; empty when no worker did."""
        note = self.attributes.get(ERROR_ATTRIBUTE, "{}")
        return cast("dict[str, Any]", json.loads(note))


def attribute_of(value: str | bytes | float) -> MessageAttribute:
    """Return the value as a message attribute: text, bytes or a number."""
    if isinstance(value, bytes):
        return MessageAttribute("Binary", value)
    return MessageAttribute("String", value) if isinstance(value, str) else MessageAttribute("Number", str(value))


def shown(message: StoredMessage) -> QueuedMessage:
    """Return what a test sees of a message."""
    content = message.content
    attributes = {name: attribute.value for name, attribute in content.attributes.items()}
    job = attributes.get(JOB_ATTRIBUTE)
    return QueuedMessage(
        message_id=content.message_id,
        body=content.body,
        job=job if isinstance(job, str) else None,
        place="in flight" if message.place == IN_FLIGHT else "delayed" if message.place == DELAYED else "visible",
        receive_count=message.receive_count,
        sent_at_utc=datetime.fromtimestamp(content.sent_at_ms / 1000, UTC),
        group=content.group,
        attributes=attributes,
    )
