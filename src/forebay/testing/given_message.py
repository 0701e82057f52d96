"""What a test gives a job to do, made into the message that would have brought it.

Rules kept here and nowhere else:

1. A call (`job.call(…)`) is the message that a producer would send; a `Message` is taken as it is; any other body is
   sent as it is when it is text, else as JSON.
2. A state is put into the message as a worker does that sends the job again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forebay.api.queue import Call
from forebay.errors import JobError
from forebay.model import JOB_ATTRIBUTE, Message
from forebay.queue import continuation
from forebay.queue.port import Outgoing
from forebay.testing.queued import attribute_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the attempt is to find: see `WorkerClient.attempt`."""

    what: Any
    job: str | None = None
    attributes: Mapping[str, str | bytes | int | float] = field(default_factory=dict[str, "str | bytes | int | float"])
    group: str | None = None
    attempt: int | None = None
    state: object = None

    @property
    def receive_count(self) -> int:
        """Which delivery of the message it is."""
        told = self.what.receive_count if isinstance(self.what, Message) else 1
        return told if self.attempt is None else self.attempt

    def message(self, source: str) -> Message:
        """Return the message as a receive would bring it."""
        match self.what:
            case Call(message=outgoing):
                body, attributes, group = outgoing.body, dict(outgoing.attributes), outgoing.group
            case Message():
                body, attributes, group = self.what.body, dict(self.what.attributes), self.what.group
            case str():
                body, attributes, group = self.what, {}, None
            case bytes():
                body, attributes, group = self.what.decode(), {}, None
            case _:
                body, attributes, group = json.dumps(self.what), {}, None
        attributes |= {name: attribute_of(value) for name, value in self.attributes.items()}
        if self.job is not None:
            attributes[JOB_ATTRIBUTE] = attribute_of(self.job)
        return Message(
            source, "given", "given", body, self.receive_count, group=self.group or group, attributes=attributes
        )

    def outgoing(self, message: Message, *, counts_exactly: bool) -> Outgoing:
        """Return what is to be put into the queue. `counts_exactly`: the job is of `retry="resend"`."""
        state = None
        if self.state is not None:
            obstacle = continuation.obstacle(message)
            if obstacle is not None:
                raise JobError(f"state=…: this message cannot carry one: {obstacle}")
            state = json.dumps(self.state)
        return continuation.copy_of(message, attempts=message.receive_count - 1 if counts_exactly else 0, state=state)
