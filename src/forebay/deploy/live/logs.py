"""The lines of a service's tasks, from CloudWatch Logs: a stretch of time, the last so many, or all that comes.

Rules kept here and nowhere else:

1. Lines are told once, in the order of their times, whatever the order in which CloudWatch has them ready: while
   following, the last half minute is read again each time, and an event that was told is known by its id.
2. The last N lines are looked for in stretches that grow, so that the newest of a busy service cost one small question,
   and that are halved where they hold too much: what a service has said before it fell silent is never read as a whole.
3. A task is the last part of a stream's name, which is how the awslogs driver makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from forebay.deploy.live.service import read_tasks, short
from forebay.deploy.live.where import Where
from forebay.deploy.services import GONE
from forebay.deploy.template import contract
from forebay.deploy.trouble import code_of
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

FIRST_STRETCH = timedelta(minutes=1)
GROWTH = 5
STRETCH = timedelta(hours=1)
OVERLAP = timedelta(seconds=30)
LINES_MAX = 10_000
"""What is read at once to find the last lines: a page of CloudWatch."""
INSTANT = timedelta(milliseconds=2)
"""CloudWatch's times are milliseconds: a stretch as short as this is not halved."""
STREAMS_MAX = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a task."""

    at_utc: datetime
    task_id: str
    message: str
    event_id: str


class Reader(Protocol):
    """What is followed."""

    def between(self, start_utc: datetime, end_utc: datetime | None = None) -> list[Line]: ...

    def last(self, count: int, *, since_utc: datetime, now_utc: datetime) -> list[Line]: ...


class LogReader:
    """Reads one log group. Every method may raise `DeployError` when there is none, and botocore's errors."""

    def __init__(
        self,
        clients: Clients,
        group: str,
        *,
        task: str | None = None,
        containing: str | None = None,
        lines_max: int = LINES_MAX,
    ) -> None:
        """`task`: a task's id or its beginning. `containing`: what a line must hold."""
        self._clients = clients
        self._group = group
        self._task = task
        self._containing = containing
        self._lines_max = lines_max

    def between(self, start_utc: datetime, end_utc: datetime | None = None) -> list[Line]:
        """Return the lines of that time, in order. Without an end: to the newest."""
        return sorted(self._lines(start_utc, end_utc), key=_place)

    def last(self, count: int, *, since_utc: datetime, now_utc: datetime) -> list[Line]:
        """Return the last lines, `count` at most, none older than `since_utc`."""
        found: list[Line] = []
        end: datetime | None = None
        reach, start = FIRST_STRETCH, now_utc
        while len(found) < count and start > since_utc:
            start, lines = self._newest(max(now_utc - reach, since_utc), end, now_utc, most=max(count, self._lines_max))
            found = lines + found
            end, reach = start, (now_utc - start) * GROWTH
        return found[-count:]

    def _newest(
        self, start: datetime, end: datetime | None, now_utc: datetime, *, most: int
    ) -> tuple[datetime, list[Line]]:
        """Return the newest lines of a stretch, about `most` of them, and the instant since which none is missing."""
        lines = self._unless_more(most, start, end)
        while lines is None:
            length = (end or now_utc) - start
            if length <= INSTANT:
                return start, self.between(start, end)
            middle = start + length / 2
            lines = self._unless_more(most, middle, end)
            if lines == []:
                end, lines = middle, None  # All of the too many are in the earlier half.
            else:
                start = middle
        return start, lines

    def _unless_more(self, most: int, start: datetime, end: datetime | None) -> list[Line] | None:
        """Return the lines of a stretch; None when there are more than `most`."""
        lines = list(islice(self._lines(start, end), most + 1))
        return None if len(lines) > most else sorted(lines, key=_place)

    def _lines(self, start_utc: datetime, end_utc: datetime | None) -> Iterator[Line]:
        """Yield the lines of that time as CloudWatch gives them."""
        asked: dict[str, Any] = {"logGroupName": self._group, "startTime": _milliseconds(start_utc)}
        if end_utc is not None:
            asked["endTime"] = _milliseconds(end_utc) - 1  # CloudWatch's end is included.
        if self._task is not None:
            asked["logStreamNamePrefix"] = f"{contract.LOG_STREAM_PREFIX}/{contract.CONTAINER}/{self._task}"
        if self._containing is not None:
            asked["filterPattern"] = _phrase(self._containing)
        for line in self._asked(asked):
            if self._task is None or line.task_id.startswith(self._task):
                yield line

    def _asked(self, asked: dict[str, Any]) -> Iterator[Line]:
        from botocore.exceptions import ClientError

        try:
            for page in self._clients.logs.get_paginator("filter_log_events").paginate(**asked):
                events: Any = page["events"]
                for event in events:
                    yield Line(
                        datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                        short(event["logStreamName"]),
                        event["message"],
                        event["eventId"],
                    )
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            raise _no_group(self._group) from error


def stretches(reader: Reader, start_utc: datetime, now_utc: datetime) -> Iterator[list[Line]]:
    """Yield the lines from an instant to the newest, an hour's at a time: a week of a busy service fills no memory."""
    while start_utc + STRETCH < now_utc:
        yield reader.between(start_utc, start_utc + STRETCH)
        start_utc += STRETCH
    yield reader.between(start_utc)


class Tail:
    """Everything that comes, from an instant on."""

    def __init__(
        self, reader: Reader, since_utc: datetime, told: Sequence[Line] = (), *, first: Line | None = None
    ) -> None:
        """`told`: what was told since then. `first`: the line before which some were left out on purpose."""
        self._reader = reader
        self._floor = (since_utc, "") if first is None else _place(first)
        """Nothing before it is told, not even late."""
        self._newest = self._floor[0]
        self._told: dict[str, datetime] = {}
        """Event id → its time, of all that may be read again."""
        self._remember(told)

    def more(self) -> list[Line]:
        """Return what has come since the last call."""
        start = max(self._floor[0], self._newest - OVERLAP)
        fresh = [
            line
            for line in self._reader.between(start)
            if line.event_id not in self._told and _place(line) >= self._floor
        ]
        self._remember(fresh)
        return fresh

    def _remember(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._told[line.event_id] = line.at_utc
            self._newest = max(self._newest, line.at_utc)
        self._told = {event_id: at for event_id, at in self._told.items() if at >= self._newest - OVERLAP}


def _place(line: Line) -> tuple[datetime, str]:
    return line.at_utc, line.event_id


def previous_task(clients: Clients, where: Where, group: str) -> str:
    """Return the task that spoke last of those that have stopped; ECS itself forgets them after an hour."""
    from botocore.exceptions import ClientError

    alive = _alive(clients, where)
    pages = clients.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, orderBy="LastEventTime", descending=True
    )
    try:
        streams: Any = (stream for page in pages for stream in page["logStreams"])
        for stream in islice(streams, STREAMS_MAX):
            if (task_id := short(stream["logStreamName"])) not in alive:
                return task_id
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise _no_group(group) from error
    raise DeployError(f"{group} has no lines of a task that has stopped: leave out --previous")


def _alive(clients: Clients, where: Where) -> set[str]:
    """Return the ids of the tasks that have not stopped; none when only the lines of the service are left."""
    from botocore.exceptions import ClientError

    try:
        return {task.task_id for task in read_tasks(clients, where).alive}
    except ClientError as error:
        if code_of(error) not in GONE:
            raise
        return set()


def _no_group(group: str) -> DeployError:
    return DeployError(
        f"there is no log group {group}: the stack makes it, and a first deployment that failed has taken it along; so "
        "deploy, or look at --env and AWS_REGION"
    )


def _phrase(text: str) -> str:
    """Return the filter pattern that finds the text as it stands."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
