"""What is said over the pipe between a worker and its children: attempts, outcomes and log records as plain JSON.

Rules kept here and nowhere else:

1. Both directions of each word stand side by side here, so that a field cannot be sent and not read.
2. Instants never travel: a deadline goes as the seconds that are left of it.
3. Bodies travel as bytes behind the header, as they are.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any, cast

from forebay.handlers.pipe import Header
from forebay.model import (
    SUCCEEDED,
    Attempt,
    Continued,
    Crashed,
    Failed,
    Interrupted,
    Message,
    MessageAttribute,
    Outcome,
    Postponed,
    Rejected,
    Signals,
    Succeeded,
    TimedOut,
)

_FLAGS = ("stopping", "lease_lost", "hand_on")


def attempts_said(attempts: Sequence[Attempt], *, now: float) -> tuple[Header, bytes]:
    """Return the frame that starts these attempts."""
    said: list[Header] = []
    bodies: list[bytes] = []
    for attempt in attempts:
        message = attempt.message
        body = message.body.encode("utf-8", "surrogatepass")
        bodies.append(body)
        said.append(
            {
                "n": attempt.number,
                "job": attempt.job,
                "limit_s": attempt.limit_s,
                "batch": attempt.batch,
                "ordinal": attempt.ordinal,
                "message_max_bytes": attempt.message_max_bytes,
                "signals": signals_said(attempt.signals, now=now),
                "body": len(body),
                "message": [
                    message.source,
                    message.message_id,
                    message.receipt,
                    message.receive_count,
                    message.sent_at_ms,
                    message.first_received_at_ms,
                    message.group,
                    _attributes_said(message.attributes),
                    dict(message.system),
                    message.state,
                ],
            }
        )
    return {"t": "start", "attempts": said}, b"".join(bodies)


def attempts_heard(header: Header, tail: bytes, *, now: float, signals: Callable[[int], Signals]) -> list[Attempt]:
    """Return the attempts of a frame, each with signals made by `signals` for its number."""
    heard: list[Attempt] = []
    at = 0
    for said in header["attempts"]:
        body = tail[at : at + said["body"]].decode("utf-8", "surrogatepass")
        at += said["body"]
        source, message_id, receipt, count, sent, first, group, attributes, system, state = said["message"]
        message = Message(
            source=source,
            message_id=message_id,
            receipt=receipt,
            body=body,
            receive_count=count,
            sent_at_ms=sent,
            first_received_at_ms=first,
            group=group,
            attributes=_attributes_heard(attributes),
            system=system,
            state=state,
        )
        own = signals(said["n"])
        raise_signals(own, said["signals"], now=now)
        own_fields = (said["batch"], said["ordinal"], said["message_max_bytes"])
        heard.append(Attempt(said["n"], said["job"], message, said["limit_s"], own, *own_fields))
    return heard


def _attributes_said(attributes: Mapping[str, MessageAttribute]) -> dict[str, list[object]]:
    return {
        name: [kind, value] if isinstance(value, str) else [kind, b64encode(value).decode("ascii"), "base64"]
        for name, (kind, value) in attributes.items()
    }


def _attributes_heard(said: Mapping[str, list[Any]]) -> dict[str, MessageAttribute]:
    return {
        name: MessageAttribute(parts[0], b64decode(parts[1]) if len(parts) == 3 else parts[1])
        for name, parts in said.items()
    }


def signals_said(signals: Signals, *, now: float) -> Header:
    """Return what has been told to running code so far."""
    said: Header = {name: True for name in _FLAGS if getattr(signals, name)}
    if signals.deadline_at is not None:
        said["remaining_s"] = signals.deadline_at - now
    return said


def raise_signals(signals: Signals, said: Header, *, now: float) -> None:
    """Raise the flags that have risen at the other end, and take its deadline."""
    for name in _FLAGS:
        if said.get(name):
            setattr(signals, name, True)
    if "remaining_s" in said:
        signals.deadline_at = now + said["remaining_s"]


_OUTCOMES: Mapping[str, type] = {
    kind.__name__: kind for kind in (Failed, Postponed, Rejected, TimedOut, Crashed, Continued, Interrupted, Succeeded)
}


def outcome_said(outcome: Outcome) -> list[object] | None:
    """Return an outcome's name and fields in full; None for the commonest."""
    if type(outcome) is Succeeded:
        return None
    return [type(outcome).__name__, {field.name: getattr(outcome, field.name) for field in fields(outcome)}]


def outcome_heard(said: list[Any] | None) -> Outcome:
    """Return the outcome that the other end had."""
    if said is None:
        return SUCCEEDED
    name, values = said
    made: Outcome = _OUTCOMES[name](
        **{key: tuple(cast("list[str]", value)) if isinstance(value, list) else value for key, value in values.items()}
    )
    return made


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CARRIED = ("name", "levelno", "levelname", "created", "msecs", "pathname", "filename", "module", "lineno", "funcName")

RECORD_CHARACTERS_MAX = 256 * 1024
"""Of one log record's message or traceback; what is longer is cut."""

EXTRA_MAX = 64
EXTRA_CHARACTERS_MAX = 8 * 1024
NUMBER_BITS_MAX = 1024
"""Of what stands beside the message. All bounds together keep a record's frame below the pipe's, whatever it holds."""


def record_said(record: logging.LogRecord, exception_place: str | None) -> Header:
    """Return a log record with its message formatted. `extra={…}` goes along as far as it is text or numbers.

    Raises what the record's arguments raise, and `TypeError` for a record that logging itself would not make.
    """
    said: Header = {name: getattr(record, name) for name in _CARRIED}
    if not all(value is None or isinstance(value, (str, int, float)) for value in said.values()):
        raise TypeError("a log record with what is neither text nor a number in a field of logging's own")
    said["msg"] = record.getMessage()[:RECORD_CHARACTERS_MAX]
    beside = ((name, value) for name, value in vars(record).items() if name not in _STANDARD)
    said["extra"] = {name: _bounded(value) for name, value in islice(filter(_is_plain, beside), EXTRA_MAX)}
    if exception_place is not None:
        said["exc_text"] = record.exc_text or ""
        said["exc_text"] = said["exc_text"][-RECORD_CHARACTERS_MAX:]
        said["exception_place"] = exception_place
    return said


def _is_plain(beside: tuple[str, Any]) -> bool:
    """Whether JSON has a word for it: it has one for any number, but Python refuses to write the longest."""
    _, value = beside
    return isinstance(value, (str, float)) or (isinstance(value, int) and value.bit_length() <= NUMBER_BITS_MAX)


def _bounded(value: str | float) -> str | float:
    return value[:EXTRA_CHARACTERS_MAX] if isinstance(value, str) else value


def record_heard(said: Header) -> logging.LogRecord:
    """Return the record as this process's log handlers take it."""
    extra = said.pop("extra")
    return logging.makeLogRecord({**extra, **said, "args": None})
