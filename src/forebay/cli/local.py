"""`forebay local`: the whole system on this machine, without an AWS account."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forebay import platform
from forebay.api import project_file
from forebay.cli import console
from forebay.cli.local_options import (
    check_run_options,
    counts_of,
    drain_of,
    sample_options,
    spike_of,
    surroundings_of,
    without_log,
)
from forebay.cli.target import load_chosen
from forebay.errors import SettingsError

if TYPE_CHECKING:
    from forebay.local.plan import LocalPlan
    from forebay.local.port import Picture
    from forebay.local.view import View

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

TASKS_DEFAULT = "1-4"
SPIKE_DEFAULT = "20:500"

EPILOG = """\b
Examples:
  forebay local                  (the sample worker, a page, and a small spike)
  forebay local --tasks 0-8 --spike 300:2000 --open
  forebay local shop.jobs:worker --data .forebay -- --slots 8 --log json

\b
What follows `--` goes to `forebay run` in every task. Ctrl-C drains, a second
one stops at once. Off a terminal it leaves by itself once something has been
sent and everything is done."""


Target = Annotated[
    str | None,
    typer.Argument(metavar="TARGET", show_default=False, help="As for `forebay run`. Omitted: as there."),
]
RunOptions = Annotated[
    list[str] | None, typer.Argument(metavar="-- RUN_OPTIONS", show_default=False, help="Options of `forebay run`.")
]
Tasks = Annotated[
    str, typer.Option("--tasks", metavar="MIN-MAX", help="Between how many tasks to scale; N alone: no scaling.")
]
SpikeOption = Annotated[
    str | None,
    typer.Option(
        "--spike",
        metavar="N:MS",
        show_default=False,
        help="Send N jobs of MS milliseconds at the start; 0: none. [20:500; with a TARGET none]",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65_534,
        show_default=False,
        help="Port of the page; the AWS endpoint is at the next one. 0: any free ones. [8480, else any]",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", show_default=False, help="Keep queues there, also through a crash."),
]
TimeLapse = Annotated[
    float,
    typer.Option("--time-lapse", metavar="X", help="Metrics and scaling run X times as fast as on AWS; 1: as on AWS."),
]
ColdStart = Annotated[
    float, typer.Option("--cold-start", metavar="SECONDS", min=0, max=600, help="How long a task is pending.")
]
ExitWhenDrained = Annotated[
    bool | None,
    typer.Option(
        "--exit-when-drained/--stay", show_default=False, help="Leave when every job is done. [stay on a terminal]"
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
NoPage = Annotated[bool, typer.Option("--no-page", help="No page; on a terminal a compact live view instead.")]


@app.command(epilog=EPILOG)
def local(
    target: Target = None,
    run_options: RunOptions = None,
    tasks: Tasks = TASKS_DEFAULT,
    spike: SpikeOption = None,
    port: Port = None,
    data: Data = None,
    time_lapse: TimeLapse = 20,
    cold_start: ColdStart = 1,
    exit_when_drained: ExitWhenDrained = None,
    opens: Open = False,
    no_page: NoPage = False,
) -> None:
    """Run SQS, ECS, autoscaling and your worker on this machine, with a page to watch and break them."""
    options = list(run_options or ())
    if target is not None and target.startswith("-"):
        options, target = [target, *options], None
    worker, target = load_chosen(
        target
    )  # A target that cannot be imported is told here, once, before anything is started.
    if not 1 <= time_lapse <= 1_000:
        raise SettingsError(f"--time-lapse {time_lapse:g} is outside 1 to 1,000")
    if opens and no_page:
        raise SettingsError("--open shows the page that --no-page leaves out: give one of them")
    count_min, count_max = counts_of(tasks)
    is_on_terminal = platform.is_terminal(sys.stdout)
    check_run_options(options)
    log, options = without_log(options, os.environ)
    file = project_file.read(Path.cwd())

    from forebay.local.plan import LocalPlan

    plan = LocalPlan(
        run_arguments=[*([target] if target is not None else sample_options(options, count_max)), *options],
        queues_of_jobs=worker.home.names_of_jobs(),
        is_sample=target is None,
        count_min=count_min,
        count_max=count_max,
        spike=spike_of(spike if spike is not None else "0" if target is not None else SPIKE_DEFAULT),
        leave_when_drained=not is_on_terminal if exit_when_drained is None else exit_when_drained,
        has_page=not no_page,
        opens_page=opens,
        port=port,
        data=data,
        time_lapse=time_lapse,
        start_delay_s=cold_start,
        drain_s=drain_of(options, os.environ, file, worker.arguments),
        log=log,
        environment=surroundings_of(os.environ, file),
    )
    raise typer.Exit(_run(plan, is_on_terminal=is_on_terminal))


def _run(plan: LocalPlan, *, is_on_terminal: bool) -> int:
    """Carry the plan out; return the exit status."""
    from forebay.cloud.background import fastest_loop
    from forebay.local.runtime import LocalRun

    with _view(plan, is_on_terminal=is_on_terminal) as view, asyncio.Runner(loop_factory=fastest_loop()) as runner:
        return runner.run(LocalRun(plan, view).run())


def _view(plan: LocalPlan, *, is_on_terminal: bool) -> AbstractContextManager[View]:
    if not plan.has_page and is_on_terminal and plan.log == "text":
        from forebay.cli.live_view import LiveView

        return LiveView()
    return nullcontext(_Lines(is_json=plan.log == "json"))


class _Lines:
    """The tasks' lines as they come. With JSON, standard output belongs to the tasks' objects alone."""

    shows_pictures = False

    def __init__(self, *, is_json: bool) -> None:
        self.tell = console.remark if is_json else console.tell

    def task_line(self, line: str, *, is_warning: bool) -> None:  # noqa: ARG002 - shown in any case
        console.tell(line.removesuffix("\n"))

    def show(self, picture: Picture) -> None:
        raise AssertionError(f"lines show no pictures, not even of {picture['endpoint']}")

    def end(self, picture: Picture) -> None:
        """Go on as before: there is nothing that the last lines could stand below."""
