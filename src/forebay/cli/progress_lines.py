"""The lines of a deployment's screens: one a resource with state and seconds, as in the article, and what went wrong.

Rules kept here and nowhere else:

1. Lines are plain text of a given width; whoever draws them adds colour, which never says anything by itself.
2. A description is cut before a state is: on a narrow terminal the state and the seconds still stand in full.
3. What AWS wrote is shown without control characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from forebay.cli.shapes import clean, columns

if TYPE_CHECKING:
    from forebay.deploy.change_values import Change
    from forebay.deploy.progress import Failure, Row
    from forebay.deploy.rollout import Complaint, Deployment, Rollout, StopGroup

Tone = Literal["plain", "good", "bad", "busy", "faint", "bold"]

DESCRIPTION_MAX = 76
DESCRIPTION_MIN = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and how it is meant."""

    text: str
    tone: Tone = "plain"


def resource_lines(stack: Row, rows: Sequence[Row], *, now_utc: datetime, width: int) -> list[Line]:
    """Return the stack's line and one for each row, in columns."""
    shown = [(0, stack), *((1, row) for row in rows)]
    states = [f"[{row.words}]" for _, row in shown]
    times = [_time(row, now_utc) for _, row in shown]
    state_width, time_width = max(map(len, states)), max(map(len, times))
    room = max(DESCRIPTION_MIN, min(DESCRIPTION_MAX, width - state_width - time_width - 4))
    wanted = max(len(_bullet(depth, row)) for depth, row in shown)
    room = min(room, wanted)
    texts = [
        f"{_cut(_bullet(depth, row), room):<{room}}  {state:<{state_width}}  {time}".rstrip()
        for (depth, row), state, time in zip(shown, states, times, strict=True)
    ]
    return [Line(text, tone_of(row)) for text, (_, row) in zip(texts, shown, strict=True)]


def resource_line(row: Row, *, depth: int, now_utc: datetime) -> Line:
    """Return the line of one resource for output where lines stand by themselves."""
    text = f"{_bullet(depth, row):<{DESCRIPTION_MAX}}  {f'[{row.words}]':<22}  {_time(row, now_utc)}"
    return Line(text.rstrip(), tone_of(row))


def tone_of(row: Row) -> Tone:
    if row.has_failed or "ROLLBACK" in row.status:
        return "bad"
    if row.status.endswith("_COMPLETE"):
        return "good"
    return "busy" if row.is_going_on else "faint"


def deployment_lines(deployments: Sequence[Deployment], headings: Sequence[str], *, width: int) -> list[Line]:
    """Return the rolling table that stands below the service."""
    if not deployments:
        return []
    table = [tuple(headings), *(one.figures for one in deployments)]
    lines = columns(table, indent="      ")
    return [Line(_cut(line, width), "faint" if number == 0 else "plain") for number, line in enumerate(lines)]


def failure_lines(failure: Failure) -> list[Line]:
    """Return why a resource failed, and what to do."""
    said = [Line(f"✘ {failure.description}: {failure.words}: {clean(failure.reason) or 'no reason is given'}", "bad")]
    return said + _hint(failure.hint)


def complaint_lines(complaint: Complaint) -> list[Line]:
    """Return what the service said, and what to do."""
    return [Line(f"✘ The service says: {clean(complaint.message)}", "bad"), *_hint(complaint.hint)]


def stop_lines(group: StopGroup) -> list[Line]:
    """Return how many tasks stopped for one reason, and what to do."""
    tasks = "1 task" if group.count == 1 else f"{group.count} tasks"
    more = " and others" if group.count > len(group.task_ids) else ""
    line = f"✘ {tasks} stopped ({', '.join(group.task_ids)}{more}): {clean(group.reason)}"
    return [Line(line, "bad"), *_written(group), *_hint(group.hint)]


def last_word_lines(group: StopGroup) -> list[Line]:
    """Return what a task that was told before wrote last."""
    return [Line(f"✘ Before its end ({clean(group.reason)}) a task wrote:", "bad"), *_written(group)]


def _written(group: StopGroup) -> list[Line]:
    return [Line(f"  | {clean(one)}", "faint") for one in group.last_lines]


def change_lines(changes: Iterable[Change]) -> list[Line]:
    """Return what a change set would do, a line a resource, and below it what that costs."""
    from forebay.deploy.change_values import SIGNS

    lines: list[Line] = []
    for change in changes:
        tone: Tone = "bad" if change.cost else "good" if change.act == "add" else "plain"
        lines.append(Line(f"{SIGNS[change.act]:>3} {change.line}", tone))
        if change.cost:
            lines.append(Line(f"    ! {change.cost}", "bad"))
    return lines


class News:
    """Knows what has been told of a rollout, so that each thing is told once."""

    def __init__(self) -> None:
        self._complaints: set[str] = set()
        self._stops: dict[str, int] = {}
        self._has_lines: set[str] = set()
        self._deployments: tuple[Deployment, ...] = ()

    def complaints(self, rollout: Rollout) -> list[Complaint]:
        fresh = [one for one in rollout.complaints if one.event_id not in self._complaints]
        self._complaints.update(one.event_id for one in fresh)
        return fresh

    def stops(self, rollout: Rollout) -> list[StopGroup]:
        """The groups that are new or have grown, with their last lines when those are new."""
        fresh = [one for one in rollout.stopped if one.count > self._stops.get(one.reason, 0)]
        told = [replace(one, last_lines=()) if one.reason in self._has_lines else one for one in fresh]
        self._stops.update({one.reason: one.count for one in fresh})
        self._has_lines.update(one.reason for one in fresh if one.last_lines)
        return told

    def last_words(self, rollout: Rollout) -> list[StopGroup]:
        """The groups that have been told already and whose last lines have come since."""
        fresh = [one for one in rollout.stopped if one.last_lines and one.reason not in self._has_lines]
        self._has_lines.update(one.reason for one in fresh)
        return fresh

    def deployments(self, rollout: Rollout) -> tuple[Deployment, ...]:
        """The deployments when they differ from those that were told last."""
        if rollout.deployments == self._deployments:
            return ()
        self._deployments = rollout.deployments
        return rollout.deployments


def _hint(hint: str | None) -> list[Line]:
    return [Line(f"  → {hint}", "bold")] if hint else []


def _bullet(depth: int, row: Row) -> str:
    return f"{'  ' * depth}- {clean(row.description)}"


def _time(row: Row, now_utc: datetime) -> str:
    return f"[{row.seconds(now_utc):.1f}s]" if row.started_utc else ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)].rstrip() + "…"
