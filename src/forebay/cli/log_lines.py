"""How a task's line from CloudWatch Logs is shown: as text, as it is, or as JSON.

Rules kept here and nowhere else:

1. A line of ours in JSON is worded as `--log text` words it, and left out where that leaves it out. Everything else, a
   `print` or a traceback, is shown as it is.
2. Lines carry their task's name from the moment on at which there are several, so that the lines of the article's one
   task are the article's.
3. On a terminal no line can move the cursor or change the screen: control characters are shown, not obeyed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Literal

from forebay.deploy.live.logs import Line
from forebay.local.output import SHORT, Output, event_of
from forebay.observability.lines import timestamp

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Form = Literal["text", "raw", "json"]


class Shown:
    """Makes lines for people or programs, one after the other."""

    def __init__(self, *, form: Form, is_sample: bool, is_on_terminal: bool) -> None:
        self._form: Form = form
        self._is_on_terminal = is_on_terminal
        self._output = Output(log="text", names_tasks=False, tells_its_own=is_sample)
        self._tasks: dict[str, str] = {}
        """Task → its colour, in the order in which they were first heard."""

    def meet(self, lines: Iterable[Line]) -> None:
        """Know the tasks of lines that are about to be shown."""
        for line in lines:
            self._tasks.setdefault(line.task_id, COLOURS[len(self._tasks) % len(COLOURS)])

    def text(self, line: Line) -> str | None:
        """Return what is shown of the line, without its task; None when it is left out."""
        match self._form:
            case "json":
                return json_of(line)
            case "raw":
                return line.message
            case "text":
                rendered = self._rendered(line)
                if rendered is None or not self._is_on_terminal:
                    return rendered
                return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", rendered)

    def _rendered(self, line: Line) -> str | None:
        written = line.message.encode("utf-8", "surrogatepass")
        text = self._output.rendered(line.task_id, written, event_of(written))
        return None if text is None else text.removesuffix("\n")

    def name(self, line: Line) -> tuple[str, str] | None:
        """Return the task's short name and its colour; None while there is only one task."""
        if self._form == "json" or len(self._tasks) < 2:
            return None
        return line.task_id[:SHORT], self._tasks[line.task_id]


def json_of(line: Line) -> str:
    """Return the line as one JSON object; its message is an object when the task wrote one."""
    message: object = line.message
    if line.message.startswith("{"):
        try:
            message = json.loads(line.message)
        except (ValueError, RecursionError):
            message = line.message
    return json.dumps({"at": timestamp(line.at_utc), "task": line.task_id, "message": message}, ensure_ascii=False)
