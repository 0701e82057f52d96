"""Shapes of text on a screen: bars, tables and lengths of time, as the article's screens have them. Pure.

Rules kept here and nowhere else:

1. Lines are indented by two unless said otherwise. A table's columns are at least twelve wide with indent and gap, as
   AWS Copilot drew them.
2. A length of time is told in its largest unit; who needs more asks for JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

BAR_BLOCKS = 10
CELL_MIN = 12
GAP = 2
INDENT = "  "

UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def bar(part: int, whole: int, *, blocks: int = BAR_BLOCKS) -> str:
    """Return a bar of which `part` in `whole` is filled: full only when all is there, empty only when nothing is."""
    if whole <= 0 or part <= 0:
        return "░" * blocks
    filled = blocks if part >= whole else max(1, blocks * part // whole)
    return "█" * filled + "░" * (blocks - filled)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose headings are underlined."""
    return columns([headings, ["-" * len(heading) for heading in headings], *rows], least=CELL_MIN)


def columns(rows: Sequence[Sequence[str]], *, least: int = 0, indent: str = INDENT) -> list[str]:
    """Return the rows as lines, each column as wide as its widest cell, and at least so wide."""
    indented = [[indent + row[0], *row[1:]] for row in rows]
    widths = [
        max(least, *(len(row[place]) + GAP for row in indented if place < len(row)))
        for place in range(max(map(len, indented), default=0))
    ]
    return ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in indented]


def ago(at_utc: datetime | None, now_utc: datetime) -> str:
    """Return how long ago something was, such as `8 minutes ago`; `-` when it has not been."""
    if at_utc is None:
        return "-"
    seconds = (now_utc - at_utc).total_seconds()
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """Return a length of time in its largest unit, such as `8 minutes`."""
    for name, size in UNITS:
        if seconds >= size:
            return plural(int(seconds // size), name)
    return "0 seconds"


def plural(count: int, noun: str) -> str:
    """Return the count with its noun: `1 task`, `2 tasks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def instant(at_utc: datetime) -> str:
    """Return the time of day in UTC, such as `14:20:05Z`."""
    return f"{at_utc:%H:%M:%S}Z"


def clean(text: str) -> str:
    """Return the text on one line and without control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def event_text(message: str) -> str:
    """Return a service event of ECS without the names that the reader knows, and with short ids of tasks."""
    text = _OWN_NAME.sub("", clean(message))
    return _TASK_ID.sub(r"\1", _TASK_SET.sub("it", text))


_OWN_NAME = re.compile(r"^\(service [^)]*\),? ")
_TASK_SET = re.compile(r"\(taskSet [^)]*\)")
_TASK_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")
