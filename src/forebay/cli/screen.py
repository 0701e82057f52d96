"""Where the verbs of a deployment show what happens: a live picture on a terminal, else lines, or JSON lines.

Rules kept here and nowhere else:

1. On a terminal the picture is drawn in place and what went wrong stays above it; anywhere else every line is written
   once, when it becomes true, and nothing but text goes out.
2. With `--json` each line is one object with `event`, and nothing else goes to standard output.
3. Silence is broken: where nothing is drawn, what still goes on is told every `SILENCE_MAX_S`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from forebay import platform
from forebay.cli.console import remark, tell
from forebay.cli.progress_lines import (
    Line,
    News,
    complaint_lines,
    deployment_lines,
    failure_lines,
    last_word_lines,
    resource_line,
    stop_lines,
)
from forebay.observability.lines import timestamp

if TYPE_CHECKING:
    from forebay.deploy.following import Picture

SILENCE_MAX_S = 30.0
PLAIN_WIDTH = 120


class Screen(Protocol):
    """What a verb says while it works."""

    def say(self, *lines: Line) -> None:
        """Say something for good."""
        ...

    def event(self, name: str, **fields: Any) -> None:
        """Tell a fact to programs; people have been told by `say`."""
        ...

    def show(self, picture: Picture) -> None:
        """Show where an operation stands."""
        ...

    def close(self) -> None:
        """Leave the last picture standing; more can be said below it."""
        ...


def screen_for(*, as_json: bool) -> Screen:
    """Return the screen that suits standard output."""
    if as_json:
        return JsonScreen()
    if platform.is_terminal(sys.stdout):
        from rich.console import Console

        from forebay.cli.live_screen import LiveScreen

        console = Console(highlight=False)
        if console.is_terminal and not console.is_dumb_terminal:
            return LiveScreen(console)
    return PlainScreen()


class PlainScreen:
    """Lines, for logs and pipes."""

    def __init__(self) -> None:
        self._news = News()
        self._told_at_utc: datetime | None = None

    def say(self, *lines: Line) -> None:
        for line in lines:
            tell(line.text)

    def event(self, name: str, **fields: Any) -> None:
        del name, fields

    def show(self, picture: Picture) -> None:
        stack = picture.stack.logical_id
        of_stack = [row for row in picture.changed if row.logical_id == stack]
        ended = [row for row in picture.changed if row.logical_id != stack and not row.is_going_on]
        lines = [resource_line(row, depth=0, now_utc=picture.at_utc) for row in of_stack if row.is_going_on]
        lines += [resource_line(row, depth=1, now_utc=picture.at_utc) for row in ended]
        lines += [line for failure in picture.failures for line in failure_lines(failure)]
        lines += _rollout_lines(picture, self._news, width=PLAIN_WIDTH)
        lines += [Line(f"({picture.note})")] if picture.note else []
        lines += [resource_line(row, depth=0, now_utc=picture.at_utc) for row in of_stack if not row.is_going_on]
        lines = lines or self._still_going_on(picture)
        if lines:
            self._told_at_utc = picture.at_utc
        self.say(*lines)

    def _still_going_on(self, picture: Picture) -> list[Line]:
        if self._told_at_utc is None or (picture.at_utc - self._told_at_utc).total_seconds() < SILENCE_MAX_S:
            return []
        return [resource_line(row, depth=1, now_utc=picture.at_utc) for row in picture.rows if row.is_going_on] or [
            resource_line(picture.stack, depth=0, now_utc=picture.at_utc)
        ]

    def close(self) -> None:
        pass


def _rollout_lines(picture: Picture, news: News, *, width: int) -> list[Line]:
    from forebay.deploy.rollout import HEADINGS

    lines = deployment_lines(news.deployments(picture.rollout), HEADINGS, width=width)
    lines += [line for one in news.complaints(picture.rollout) for line in complaint_lines(one)]
    lines += [line for group in news.stops(picture.rollout) for line in stop_lines(group)]
    return lines + [line for group in news.last_words(picture.rollout) for line in last_word_lines(group)]


class JsonScreen:
    """One object a line, for programs."""

    def __init__(self) -> None:
        self._news = News()

    def say(self, *lines: Line) -> None:
        for line in lines:
            remark(line.text)

    def event(self, name: str, **fields: Any) -> None:
        tell(json.dumps({"event": name, **fields}, ensure_ascii=False, default=str))

    def show(self, picture: Picture) -> None:
        at = timestamp(picture.at_utc)
        hints = {failure.logical_id: failure.hint for failure in picture.failures}
        for row in picture.changed:
            self.event(
                "resource",
                at=timestamp(row.changed_utc) if row.changed_utc else at,
                logical_id=row.logical_id,
                type=row.kind,
                description=row.description,
                status=row.status,
                seconds=round(row.seconds(picture.at_utc), 1),
                reason=row.reason or None,
                hint=hints.get(row.logical_id) if row.has_failed else None,
            )
        if deployments := self._news.deployments(picture.rollout):
            self.event("rollout", at=at, deployments=[_fields(one) for one in deployments])
        for complaint in self._news.complaints(picture.rollout):
            self.event("service.complained", at=at, message=complaint.message, hint=complaint.hint)
        for group in self._news.stops(picture.rollout):
            self.event("tasks.stopped", at=at, **_fields(group))
        for group in self._news.last_words(picture.rollout):
            self.event("tasks.wrote", at=at, reason=group.reason, last_lines=group.last_lines)
        if picture.note:
            self.event("note", at=at, text=picture.note)

    def close(self) -> None:
        pass


def _fields(value: Any) -> Mapping[str, Any]:
    from dataclasses import asdict

    return asdict(value)
