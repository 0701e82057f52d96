"""`forebay status`: what runs, what waits, what is protected, and what rings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from forebay import platform
from forebay.cli import console
from forebay.cli.live_options import Cluster, Service, Subject, subject
from forebay.cli.pace import Pace, Patience, RealPace
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.live.values import Status

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

WATCH_S = 2.0

EPILOG = """\b
Examples:
  forebay status
  forebay status --env production --watch
  forebay status --cluster local --service worker --queue jobs   (the local cloud)

\b
What cannot be read, for want of a permission, is told in its place; the rest is shown.
Exits 1 when there is no such service, or nothing can be read."""


@app.command(epilog=EPILOG)
def status(
    environment: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    cluster: Cluster = None,
    service: Service = None,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            metavar="NAME",
            show_default=False,
            help="The queue, by name or URL. [the manifest's; with --cluster and --service FOREBAY_QUEUE_URL]",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a deployed service: tasks, deployments, queue, protection, stopped tasks, scaling, alarms and cost."""
    about = subject(environment, manifest, cluster, service, queue=queue)
    pace = RealPace()
    look = _look(about, pace)
    if not watch:
        _tell(_lines(look(), about, as_json=as_json), is_coloured=not as_json)
    elif as_json or not platform.is_terminal(sys.stdout):
        follow(look, lambda seen: _tell([*_lines(seen, about, as_json=as_json), *([] if as_json else [""])]), pace)
    else:
        _watch_on_terminal(look, about, pace)


def _look(about: Subject, pace: Pace) -> Callable[[], Status]:
    from forebay.deploy.live.status import read_status

    made = clients()
    return lambda: read_status(made, about.where, pace.utc())


def _lines(seen: Status, about: Subject, *, as_json: bool) -> list[str]:
    from forebay.cli.cost_lines import cost_lines
    from forebay.cli.plain import plain
    from forebay.cli.status_screen import screen
    from forebay.deploy.cost import estimate

    if as_json:
        cost = None if about.manifest is None else plain(estimate(about.manifest))
        return [json.dumps({**plain(seen), "cost": cost}, ensure_ascii=False)]
    cost_told = [] if about.manifest is None else ["", *cost_lines(about.manifest)]
    return [f"Found service {about.where.title}", *screen(seen), *cost_told]


def _tell(lines: Sequence[str], *, is_coloured: bool = False) -> None:
    if not is_coloured or not platform.is_terminal(sys.stdout):
        for line in lines:
            console.tell(line)
        return
    from rich.console import Console

    from forebay.cli.status_colours import coloured

    screen = Console(highlight=False, soft_wrap=True)
    for line in lines:
        screen.print(coloured(line))


def follow(look: Callable[[], Status], show: Callable[[Status], None], pace: Pace, *, looks: int | None = None) -> None:
    """Show what is seen, and look again, until the end of time or of `looks`.

    Raises `DeployError` when the first look fails, or several in a row.
    """
    show(look())
    patience = Patience()
    while looks is None or (looks := looks - 1) > 0:
        pace.wait(WATCH_S)
        try:
            show(look())
        except DeployError as error:
            patience.bear(error)
        else:
            patience.forget()


def _watch_on_terminal(look: Callable[[], Status], about: Subject, pace: Pace) -> None:
    from rich.console import Console, Group
    from rich.live import Live

    from forebay.cli.status_colours import coloured

    with Live(console=Console(highlight=False), auto_refresh=False, vertical_overflow="crop") as live:

        def draw(seen: Status) -> None:
            lines = [*_lines(seen, about, as_json=False), "", f"{seen.read_utc:%H:%M:%S}Z; Ctrl-C leaves"]
            texts = [coloured(line) for line in lines]
            for text in texts:
                text.no_wrap, text.overflow = True, "ellipsis"
            live.update(Group(*texts), refresh=True)

        follow(look, draw, pace)
