"""The picture of a deployment on a terminal, drawn anew at each look.

Rules kept here and nowhere else:

1. Failures, complaints and stopped tasks stay above the picture for good, as they happen.
2. A picture is never higher than the terminal: what is finished gives way first, then what has not started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from forebay.cli.progress_lines import (
    Line,
    News,
    Tone,
    complaint_lines,
    deployment_lines,
    failure_lines,
    last_word_lines,
    resource_lines,
    stop_lines,
)

if TYPE_CHECKING:
    from forebay.deploy.following import Picture
    from forebay.deploy.progress import Row

STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "bad": "red",
    "busy": "cyan",
    "faint": "dim",
    "bold": "bold",
}

ROOM_LINES = 6
"""Kept free of resources: the stack's own line, the rolling table, the last line."""


class LiveScreen:
    """Draws on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._news = News()
        self._live: Live | None = None
        self._last: Picture | None = None

    def say(self, *lines: Line) -> None:
        for line in lines:
            self._console.print(Text(line.text, style=STYLES[line.tone]), soft_wrap=True)

    def event(self, name: str, **fields: Any) -> None:
        del name, fields

    def show(self, picture: Picture) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        for failure in picture.failures:
            self.say(*failure_lines(failure))
        for complaint in self._news.complaints(picture.rollout):
            self.say(*complaint_lines(complaint))
        for group in self._news.stops(picture.rollout):
            self.say(*stop_lines(group))
        for group in self._news.last_words(picture.rollout):
            self.say(*last_word_lines(group))
        if picture.note:
            self.say(Line(f"({picture.note})"))
        self._last = picture
        self._live.update(drawn(picture, width=self._console.width, height=self._console.height), refresh=True)

    def close(self) -> None:
        if self._live is not None and self._last is not None:
            # The last picture scrolls, so it may be as high as it needs.
            self._live.update(drawn(self._last, width=self._console.width, height=None, is_over=True), refresh=True)
            self._live.stop()
            self._live = None


def drawn(picture: Picture, *, width: int, height: int | None, is_over: bool = False) -> Group:
    """Return what is drawn of one picture."""
    from forebay.deploy.rollout import HEADINGS
    from forebay.deploy.template.contract import SERVICE

    rows, left_out = fitting(picture.rows, None if height is None else height - ROOM_LINES)
    lines = resource_lines(picture.stack, rows, now_utc=picture.at_utc, width=width)
    place = next((number for number, row in enumerate(rows, 2) if row.logical_id == SERVICE), len(lines))
    lines[place:place] = deployment_lines(picture.rollout.deployments, HEADINGS, width=width)
    if left_out:
        lines.append(Line(f"  … and {left_out} more", "faint"))
    if not is_over:
        lines.append(Line("Ctrl-C leaves; the work goes on in AWS", "faint"))
    return Group(*(Text(line.text, style=STYLES[line.tone], no_wrap=True, overflow="ellipsis") for line in lines))


def fitting(rows: tuple[Row, ...], room: int | None) -> tuple[tuple[Row, ...], int]:
    """Return the rows that fit, in their order, and how many do not."""
    if room is None or len(rows) <= room:
        return rows, 0
    room = max(1, room - 1)  # One line tells how many are left out.

    def importance(row: Row) -> int:
        return 0 if row.has_failed or row.is_going_on else 1 if row.started_utc is None else 2

    kept = sorted(sorted(range(len(rows)), key=lambda index: importance(rows[index]))[:room])
    return tuple(rows[index] for index in kept), len(rows) - len(kept)
