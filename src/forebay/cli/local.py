"""`forebay local`: the whole system on this machine, without an AWS account."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forebay import platform
from forebay.cli import console
from forebay.cli.target import load
from forebay.errors import SettingsError

if TYPE_CHECKING:
    from forebay.local.plan import LocalPlan, Spike
    from forebay.local.port import Picture
    from forebay.local.runtime import View

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

TASKS_DEFAULT = "1-4"
TASKS_MAX = 100
SPIKE_DEFAULT = "20:500"
SPIKE_JOBS_MAX = 1_000_000
SPIKE_MS_MAX = 39_600_000
"""The longest job of the sample worker: eleven hours."""

EPILOG = """\b
Examples:
  forebay local                                (the sample worker, a page, and a small spike of jobs)
  forebay local --tasks 0-8 --spike 300:2000 --open
  forebay local shop.jobs:worker --data .forebay -- --slots 8 --log json

\b
What follows `--` goes to `forebay run` in every task. Ctrl-C drains, a second one stops at once. Off a terminal it
leaves by itself once something has been sent and everything is done."""


Target = Annotated[
    str | None,
    typer.Argument(metavar="TARGET", show_default=False, help="As for `forebay run`. Omitted: the sample worker."),
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
    load(target)  # A target that cannot be imported is told here, once, before anything is started.
    if not 1 <= time_lapse <= 1_000:
        raise SettingsError(f"--time-lapse {time_lapse:g} is outside 1 to 1,000")
    if opens and no_page:
        raise SettingsError("--open shows the page that --no-page leaves out: give one of them")
    count_min, count_max = counts_of(tasks)
    is_on_terminal = platform.is_terminal(sys.stdout)
    log, options = _without_log(options, os.environ)

    from forebay.local.plan import LocalPlan

    plan = LocalPlan(
        run_arguments=[*([target] if target is not None else _sample_options(options, count_max)), *options],
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
        drain_s=_drain_of(options, os.environ),
        log=log,
        environment=dict(os.environ),
    )
    raise typer.Exit(_run(plan, is_on_terminal=is_on_terminal))


def _run(plan: LocalPlan, *, is_on_terminal: bool) -> int:
    """Carry the plan out; return the exit status."""
    from forebay.cloud.background import fastest_loop
    from forebay.local.runtime import LocalRun

    console.steady()
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


# ── options ────────────────────────────────────────────────────────────────────────────────────────────────


def counts_of(text: str) -> tuple[int, int]:
    """Return MIN and MAX of `--tasks`. Raises SettingsError."""
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text.strip())
    if match is None:
        raise SettingsError(f"--tasks {text!r} is neither MIN-MAX, such as 0-8, nor a number of tasks")
    low = int(match[1])
    high = int(match[2]) if match[2] is not None else low
    if not low <= high or not 1 <= high <= TASKS_MAX:
        raise SettingsError(f"--tasks {text}: MIN must not be above MAX, and MAX is 1 to {TASKS_MAX}")
    return low, high


def spike_of(text: str) -> Spike | None:
    """Return the N and MS of `--spike`; None for no jobs. Raises SettingsError."""
    from forebay.local.plan import Spike

    if text.strip() == "0":
        return None
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text.strip())
    if match is None:
        raise SettingsError(f"--spike {text!r} is not N:MS, such as 100:500 for 100 jobs of half a second")
    count, job_ms = int(match[1]), int(match[2])
    if count > SPIKE_JOBS_MAX or job_ms > SPIKE_MS_MAX:
        raise SettingsError(f"--spike {text}: at most {SPIKE_JOBS_MAX:,} jobs of at most {SPIKE_MS_MAX:,} milliseconds")
    return Spike(count, job_ms) if count else None


def _without_log(options: Sequence[str], environment: Mapping[str, str]) -> tuple[Literal["text", "json"], list[str]]:
    """Take `--log` out of the options: the tasks speak JSON to us, and we speak to the user."""
    kept: list[str] = []
    chosen = environment.get("FOREBAY_LOG", "text")
    waiting = iter(options)
    for option in waiting:
        name, equals, value = option.partition("=")
        if name == "--log":
            chosen = value if equals else next(waiting, "")
        else:
            kept.append(option)
    if chosen not in ("text", "json"):
        raise SettingsError(f"--log {chosen!r} is neither text nor json")
    return ("json" if chosen == "json" else "text"), kept


def _drain_of(options: Sequence[str], environment: Mapping[str, str]) -> float | None:
    """Return the tasks' `--drain` as far as it can be seen from here; None when it is left to the default.

    A value that is no number is the task's to complain of.
    """
    text = environment.get("FOREBAY_DRAIN", "")
    for place, option in enumerate(options):
        name, equals, value = option.partition("=")
        if name == "--drain":
            text = value if equals else "".join(options[place + 1 : place + 2])
    try:
        return float(text)
    except ValueError:
        return None


def _sample_options(options: Sequence[str], count_max: int) -> list[str]:
    """Return what the sample worker gets beside the user's options: few slots, and the article's cycle if it is alone.

    The article's worker is protected while it is idle as well. With several tasks that would keep ECS from ever taking
    an idle one.
    """
    from forebay.local.plan import SAMPLE_SLOTS

    named = {option.partition("=")[0] for option in options}
    return [
        *(["--protect", "always"] if "--protect" not in named and count_max == 1 else []),
        *(["--slots", str(SAMPLE_SLOTS)] if "--slots" not in named else []),
    ]
