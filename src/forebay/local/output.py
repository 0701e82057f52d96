"""What the tasks say, on our own standard output: one line each, as text or as JSON, with the task it is from.

Rules kept here and nowhere else:

1. A task speaks JSON to us; a person reads the same lines as text, worded by the same catalogue as a worker's own.
2. A line that is no event (a `print`, a traceback) passes through unchanged.
3. With a single task its name is left out: then the lines are the worker's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, cast

from forebay.observability.lines import text_line
from forebay.observability.logs import record_text

SHORT = 8
"""So much of a task's id is shown to people."""


def event_of(line: bytes) -> dict[str, object] | None:
    """Return the event that a line holds, or None when it holds none of ours: a user's own JSON has other fields."""
    if not line.startswith(b"{"):
        return None
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    event = cast("dict[str, object]", value)
    return event if _is_text(event.get("event")) and _is_instant(event.get("at")) else None


def _is_instant(at: object) -> bool:
    try:
        return isinstance(at, str) and datetime.fromisoformat(at).tzinfo is not None
    except ValueError:
        return False


def _is_text(name: object) -> bool:
    return isinstance(name, str) and name.isprintable()


class Output:
    """Renders the tasks' lines."""

    def __init__(self, *, log: Literal["text", "json"], names_tasks: bool, tells_its_own: bool) -> None:
        """`tells_its_own`: the worker's own words tell of attempts that begin and succeed, as the sample's do."""
        self._is_json = log == "json"
        self._names_tasks = names_tasks
        self._tells_its_own = tells_its_own

    def rendered(self, task_id: str, line: bytes, event: Mapping[str, object] | None) -> str | None:
        """Return one line of a task as it is to be shown, with its line break; None when it is not.

        `event` is what `event_of` made of it.
        """
        if event is None:
            return line.decode("utf-8", "replace") + "\n"
        if self._is_json:
            return json.dumps({"task": task_id, **event}, ensure_ascii=False, separators=(",", ":")) + "\n"
        return self._text(task_id, event)

    def _text(self, task_id: str, event: Mapping[str, object]) -> str | None:
        name, at_utc = str(event["event"]), datetime.fromisoformat(str(event["at"]))
        if self._tells_its_own and _is_success(event):
            return None
        fields = {name: value for name, value in event.items() if name not in ("event", "at", "level")}
        if name == "log" and "message" in fields and "logger" in fields:
            text: str | None = record_text(str(event.get("level", "INFO")), fields, at_utc)
        else:
            text = text_line(name, fields, at_utc)
        if text is None or not self._names_tasks:
            return text
        stamp, _, rest = text.partition(" ")
        return f"{stamp} [{task_id[:SHORT]}] {rest}"


def _is_success(event: Mapping[str, object]) -> bool:
    """Whether the event tells of attempts that begin or went well."""
    match event["event"]:
        case "attempt.started":
            return True
        case "attempt.finished":
            return event.get("outcome") == "succeeded"
        case "attempts.summary":
            return event.get("count") == event.get("succeeded")
        case _:
            return False
