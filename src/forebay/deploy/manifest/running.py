"""What a manifest says under `run:`: a worker's settings, as `forebay run` reads them without a YAML library. Pure.

Rules kept here and nowhere else:

1. A setting's text means here what it means to `forebay run`: the same readers, the same bounds (`WorkerSettings`).
2. The file's values come as text, written as they are; those of programs may be numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from forebay.api import setting_texts
from forebay.deploy.manifest.section import Section
from forebay.deploy.manifest.values import Contradiction, Json, ListOf, Text
from forebay.errors import SettingsError
from forebay.settings import WorkerSettings


def _read_by(reader: Callable[[str], Any]) -> BeforeValidator:
    def read(value: Any) -> Any:
        if not isinstance(value, str | int | float):
            return cast("object", value)
        try:
            return reader(str(value))
        except ValueError as error:
            raise ValueError(f"write {error}") from None

    return BeforeValidator(read)


def _number(kind: str) -> WithJsonSchema:
    schema: Json = {"type": [kind, "string"]}
    return WithJsonSchema(schema)


Whole = Annotated[int, _read_by(setting_texts.whole), _number("integer")]
Number = Annotated[float, _read_by(setting_texts.seconds), _number("number")]
Bytes = Annotated[int, _read_by(setting_texts.size), _number("integer")]
Flag = Annotated[bool, _read_by(setting_texts.flag), WithJsonSchema({"type": ["boolean", "string"]})]


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Queues = Annotated[
    ListOf[Text],
    BeforeValidator(_several),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]

FIELDS = {
    "slots": "slots",
    "attempts": "attempts",
    "visibility": "visibility_s",
    "margin": "margin_s",
    "drain": "drain_s",
    "protect": "protect",
    "linger": "protection_linger_s",
    "log": "log",
    "buffer_bytes": "buffer_bytes",
    "processes": "processes",
    "stuck": "stuck",
    "exit_when_empty": "exit_when_empty",
    "error_detail": "error_detail",
    "dead_letter_detail": "dead_letter_detail",
}
"""Key → field of `WorkerSettings`."""


class Run(Section):
    """The settings of `forebay run`, as in `forebay.yml` for a worker on this machine; the container gets them too."""

    queue: Queues = ()
    """For a worker started by hand. A deployed one works the stack's own queue."""
    slots: Whole | None = None
    """Room for received messages; 1 to 100,000."""
    attempts: Whole | None = None
    """Attempts of jobs that do not say their own. Default when deployed: `attempts` of `queue:`."""
    visibility: Whole | None = None
    """Seconds a message stays hidden between heartbeats; 2 to 43,190."""
    margin: Number | None = None
    """Seconds before a lease's end at which trust in it ends."""
    drain: Number | None = None
    """Seconds that running jobs get after a stop request. Default when deployed: 110, with `stop_timeout: 120`."""
    protect: Literal["auto", "always", "never"] | None = None
    """Task protection: where a job needs it, always, or never."""
    linger: Number | None = None
    """Seconds that protection outlasts the last job."""
    log: Literal["text", "json"] | None = None
    """What log lines look like. Default when deployed: json."""
    buffer_bytes: Bytes | None = None
    """Bytes of message bodies held at once, such as 64MiB."""
    processes: Whole | None = None
    """Processes that run the jobs that are not isolated; 1 to 1,000."""
    stuck: Literal["replace", "wait"] | None = None
    """What to do about code that will not end."""
    exit_when_empty: Flag | None = None
    """Leave when the queues are empty. A service would start another task at once: for runs by hand."""
    error_detail: Literal["frames", "full"] | None = None
    """What logs show of an exception; `full` may show user data."""
    dead_letter_detail: Literal["frames", "full"] | None = None
    """What a buried message shows of it."""
    dead_letter: Text | None = None
    """URL of the dead-letter queue, for a worker started by hand."""
    health: Text | None = None
    """HOST:PORT of the health pages. Deployed: 127.0.0.1:8080."""

    @model_validator(mode="after")
    def _a_worker_would_take_them(self) -> Self:
        given = {FIELDS[key]: getattr(self, key) for key in FIELDS if getattr(self, key) is not None}
        try:
            WorkerSettings(**given)
        except SettingsError as error:
            subject = str(error).replace(" ", "_")
            key = next((key for key in FIELDS if subject.startswith((f"{key}=", f"protection_{key}="))), "")
            raise Contradiction(key, str(error)) from None
        return self
