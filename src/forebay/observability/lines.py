"""How one event becomes one line, as JSON or as text.

Rules kept here and nowhere else:

1. A line never contains a line break but its last character, so that a reader can split on it.
2. Times are UTC with milliseconds and a `Z`: `2026-11-23T14:13:33.343Z`.
3. Rendering never raises: a value that cannot be shown is shown as its type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Protocol

from forebay.observability.events import CATALOGUE, EventKind, Level

_PART = re.compile(r"\[([^\]]*)\]")
_FIELD = re.compile(r"\{(\w+)\}")
_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_UNKNOWN = EventKind("", Level.INFO, None)


class RenderLine(Protocol):
    """Makes a line of one event."""

    def __call__(self, event: str, fields: Mapping[str, object], at_utc: datetime, /) -> str | None: ...


def timestamp(at_utc: datetime) -> str:
    """Return the instant as RFC 3339 in UTC with milliseconds."""
    return at_utc.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def json_line(event: str, fields: Mapping[str, object], at_utc: datetime) -> str:
    """Return the event as one JSON object and a line break: `event`, `at`, `level` unless it is INFO, the fields."""
    line: dict[str, object] = {"event": event, "at": timestamp(at_utc)}
    kind = CATALOGUE.get(event, _UNKNOWN)
    if kind.level is not Level.INFO:
        line["level"] = kind.level.name
    for name, value in fields.items():
        if value is None or name in ("event", "at"):
            continue
        if isinstance(value, float):
            # JSON has no infinity and no NaN.
            line[name] = round(value, 6) if isfinite(value) else str(value)
        else:
            line[name] = value
    try:
        return _encode(line) + "\n"
    except (TypeError, ValueError):
        # A key that is no string, or a value that holds itself: the event is worth more than the field.
        return _encode({name: _plain(value) for name, value in line.items()}) + "\n"


def text_line(event: str, fields: Mapping[str, object], at_utc: datetime) -> str | None:
    """Return the event as `time message` and a line break, or None when it is told in JSON only."""
    kind = CATALOGUE.get(event)
    if kind is not None and kind.text is None:
        return None
    message = _sentence(kind, fields) if kind is not None else None
    if message is None:
        message = event + "".join(f" {name}={_shown(value)}" for name, value in fields.items() if value is not None)
    if "suppressed" in fields:
        message += f" ({_shown(fields['suppressed'])} more like this)"
    return f"{timestamp(at_utc)} {one_line(message)}\n"


def one_line(message: str) -> str:
    """Return the message with each line break (and what surrounds it) turned into ` | `."""
    return _BREAKS.sub(" | ", message.strip())


def _sentence(kind: EventKind, fields: Mapping[str, object]) -> str | None:
    """Fill the event's template; None when a field that it cannot do without is missing."""
    assert kind.text is not None

    def optional(part: re.Match[str]) -> str:
        names = _FIELD.findall(part[1])
        return part[1] if all(fields.get(name) not in (None, "") for name in names) else ""

    template = _PART.sub(optional, kind.text)
    if any(fields.get(name) is None for name in _FIELD.findall(template)):
        return None
    return _FIELD.sub(lambda found: _shown(fields[found[1]]), template)


def _shown(value: object) -> str:
    if isinstance(value, float):
        if not abs(value) < 1e15:
            return str(value)
        return f"{value:.{3 if abs(value) >= 0.01 else 6}f}".rstrip("0").rstrip(".")
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  (somebody's __str__; a log line must not stop a worker)
        return f"<{type(value).__name__}: {type(error).__name__} while shown>"


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | str) else _shown(value)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_shown).encode
