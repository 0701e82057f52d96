"""A job as it was sent in a test. Its body and attributes stay out of every repr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forebay.model import JOB_ATTRIBUTE
from forebay.queue.port import Outgoing


@dataclass(frozen=True, slots=True)
class EnqueuedJob:
    """One job that the test, or a job of it, has sent."""

    job: str | None
    """The job's name (attribute `job`), if the message has one."""
    queue: str
    """The name of the queue that it was sent to."""
    message_id: str
    delay_s: int = 0
    group: str | None = None
    dedupe: str | None = None
    body: str = field(default="", repr=False)
    attributes: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"], repr=False)

    @classmethod
    def of(cls, message: Outgoing, *, queue: str, message_id: str) -> EnqueuedJob:
        attributes = {name: attribute.value for name, attribute in message.attributes.items()}
        job = attributes.get(JOB_ATTRIBUTE)
        return cls(
            job=job if isinstance(job, str) else None,
            queue=queue,
            message_id=message_id,
            delay_s=message.delay_s,
            group=message.group,
            dedupe=message.dedupe,
            body=message.body,
            attributes=attributes,
        )

    @property
    def arguments(self) -> Any:
        """The body as JSON: the job's arguments."""
        return json.loads(self.body)
