"""`forebay logs`: what the tasks of a deployed service say, of all of them together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from forebay import platform
from forebay.api import durations
from forebay.cli import console
from forebay.cli.live_options import Cluster, Service, Subject, subject
from forebay.cli.pace import Pace, Patience, RealPace
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients
from forebay.errors import DeployError, SettingsError

if TYPE_CHECKING:
    from forebay.cli.log_lines import Form, Shown
    from forebay.deploy.live.logs import Line, LogReader, Reader

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FOLLOW_S = 2.0
LIMIT = 100
REACH = timedelta(days=7)
"""How far back the last lines are looked for."""
RETENTION_MAX = timedelta(days=3_653)
"""The longest retention of a log group that has one."""

EPILOG = """\b
Examples:
  forebay logs
  forebay logs --follow --env production
  forebay logs --since 2h --filter "attempt.finished" --json
  forebay logs --previous               (of the task that stopped last)

\b
Lines of several tasks are told apart by the first eight characters of the task's id."""


@app.command(epilog=EPILOG)
def logs(
    environment: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    cluster: Cluster = None,
    service: Service = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="NAME", show_default=False, help="The log group. [/forebay/NAME-ENV]"),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on with what comes, until Ctrl-C.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", show_default=False, help="All lines of the last 90s, 5m, 2h, 1d."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            max=100_000,
            show_default=False,
            help="The last N lines. [100; all with --since]",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="ID", show_default=False, help="One task's lines; the beginning of its id will do."
        ),
    ] = None,
    previous: Annotated[bool, typer.Option("--previous", help="Lines of the task that stopped last.")] = False,
    containing: Annotated[
        str | None, typer.Option("--filter", metavar="TEXT", show_default=False, help="Only lines that hold TEXT.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Lines as they were written, JSON too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line: at, task, message.")] = False,
) -> None:
    """Show the lines of a deployed service's tasks."""
    if raw and as_json:
        raise SettingsError("--raw and --json exclude each other: give one of them")
    if previous and (task or follow):
        raise SettingsError("--previous is one task that has stopped: leave out --task and --follow")
    reach = _reach(since)
    about = subject(environment, manifest, cluster, service)
    reader = _reader(about, group, task=task, is_previous=previous, containing=containing)
    teller = Teller(_shown(about, "json" if as_json else "raw" if raw else "text"))
    pace = RealPace()
    count = limit or (None if since else LIMIT)
    if follow:
        go_on(reader, teller, pace, reach=reach, count=count)
    elif not sum(teller.tell(lines) for lines in _first(reader, pace, reach=reach, count=count)):
        console.remark(f"forebay: no lines in the last {since or '7 days'}")


def _reach(since: str | None) -> timedelta:
    if since is None:
        return REACH
    seconds = durations.seconds("--since", since)
    if seconds > RETENTION_MAX.total_seconds():
        raise SettingsError(f"--since {since}: CloudWatch keeps nothing longer than {RETENTION_MAX.days:,} days")
    return timedelta(seconds=seconds)


def _reader(
    about: Subject, group: str | None, *, task: str | None, is_previous: bool, containing: str | None
) -> LogReader:
    from forebay.deploy.live.logs import LogReader, previous_task
    from forebay.deploy.trouble import explained

    group = group or about.where.log_group
    if group is None:
        raise SettingsError(
            "--cluster and --service name no log group: add --group; `forebay local` shows its tasks' lines"
        )
    made = clients()
    if is_previous:
        with explained("looking for the task that stopped last"):
            task = previous_task(made, about.where, group)
    return LogReader(made, group, task=task, containing=containing)


def _shown(about: Subject, form: Form) -> Shown:
    from forebay.cli.log_lines import Shown

    is_sample = about.manifest is not None and about.manifest.handler is None
    return Shown(form=form, is_sample=is_sample, is_on_terminal=platform.is_terminal(sys.stdout))


def _first(reader: Reader, pace: Pace, *, reach: timedelta, count: int | None) -> Iterator[list[Line]]:
    """Yield the lines to begin with, in one or several parts."""
    from forebay.deploy.live.logs import stretches
    from forebay.deploy.trouble import explained

    now = pace.utc()
    with explained("reading the logs"):
        if count is None:
            yield from stretches(reader, now - reach, now)
        else:
            yield reader.last(count, since_utc=now - reach, now_utc=now)


class Teller:
    """Writes lines to standard output, in colour on a terminal."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._write = _colourful() if platform.is_terminal(sys.stdout) else _plain

    def tell(self, lines: Sequence[Line]) -> int:
        """Write the lines; return how many there were."""
        self._shown.meet(lines)
        for line in lines:
            text = self._shown.text(line)
            if text is not None:
                self._write(text, self._shown.name(line))
        return len(lines)


def _plain(text: str, name: tuple[str, str] | None) -> None:
    console.tell(f"{name[0]} {text}" if name else text)


def _colourful() -> Callable[[str, tuple[str, str] | None], None]:
    from rich.console import Console
    from rich.text import Text

    screen = Console(highlight=False, soft_wrap=True)

    def write(text: str, name: tuple[str, str] | None) -> None:
        screen.print(Text.assemble(name, " ", text) if name else Text(text))

    return write


def go_on(
    reader: Reader,
    teller: Teller,
    pace: Pace,
    *,
    reach: timedelta,
    count: int | None,
    looks: int | None = None,
) -> None:
    """Show the first lines and what comes after them, until the end of time or of `looks`.

    Raises `DeployError` when CloudWatch fails several times in a row.
    """
    from forebay.deploy.live.logs import OVERLAP, Tail
    from forebay.deploy.trouble import explained

    began_utc = pace.utc()
    since_utc = max(began_utc - OVERLAP, began_utc - reach)
    recent: list[Line] = []
    for lines in _first(reader, pace, reach=reach, count=count):
        teller.tell(lines)
        recent += [line for line in lines if line.at_utc >= since_utc]
    # With a limit, what is older than the first line was left out; without one, a late line is as welcome as any.
    tail = Tail(reader, since_utc, recent, first=recent[0] if recent and count is not None else None)
    patience = Patience()
    while looks is None or (looks := looks - 1) >= 0:
        pace.wait(FOLLOW_S)
        try:
            with explained("following the logs"):
                lines = tail.more()
        except DeployError as error:
            patience.bear(error)
        else:
            patience.forget()
            teller.tell(lines)
