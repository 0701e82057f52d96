"""What there is to say about a kind of event, apart from the kinds themselves (`events`, `work_events`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """How much an operator should care. The numbers are those of `logging`."""

    DEBUG = 10
    """For the curious."""
    INFO = 20
    """A change of phase, or an attempt."""
    WARNING = 30
    """Somebody may have to act."""
    ERROR = 40
    """Work was lost, done twice, or cannot go on."""


class Keep(IntEnum):
    """What may happen to a line when nobody reads standard output."""

    ROUTINE = 0
    """Dropped and counted when the buffer is full."""
    IMPORTANT = 1
    """Kept beyond the buffer, up to a bound of its own."""
    VITAL = 2
    """Kept always: the start, the drain and the ledger."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event."""

    name: str
    level: Level
    text: str | None
    """The text line after its time. `{field}` is a value; a part in `[…]` is left out when a field of it is absent.
    None: told in JSON only."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Every field that may come with it, and what it means."""
    keep: Keep = Keep.ROUTINE
    per_second: int = 20
    """Lines a second and queue; what is beyond is counted in the next line's `suppressed`."""


QUEUE = {"queue": "the queue's name: the last part of its URL"}
ATTEMPT = {
    "job": "the handler's name",
    "message_id": "SQS's id of the message",
    "attempt": "which attempt at the job this is, from 1: with retry='resend' exact, else as SQS counts deliveries",
    **QUEUE,
}
