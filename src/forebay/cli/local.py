"""`forebay local`: the whole system on this machine, without an AWS account."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from forebay import platform
from forebay.cli import console
from forebay.cli.target import load

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SPIKE_JOBS = 10
SPIKE_MS = 500

EPILOG = """\b
Examples:
  forebay local                                (the sample worker and a small spike of jobs)
  forebay local --jobs 200 --ms 1000 --exit-when-drained
  forebay local shop.jobs:worker -- --slots 8 --log json

\b
What follows `--` goes to `forebay run`. Ctrl-C drains, a second one stops. Off a terminal it leaves by itself once
something has been sent and everything is done."""


Target = Annotated[
    str | None,
    typer.Argument(metavar="TARGET", show_default=False, help="As for `forebay run`. Omitted: the sample worker."),
]
RunOptions = Annotated[
    list[str] | None, typer.Argument(metavar="-- RUN_OPTIONS", show_default=False, help="Options of `forebay run`.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", metavar="N", min=0, max=1_000_000, show_default=False, help="Send N jobs. [10; with a TARGET: 0]"
    ),
]
Milliseconds = Annotated[
    int, typer.Option("--ms", metavar="M", min=0, help="Milliseconds that each of these jobs takes.")
]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port of the local SQS; 0: any free one.")]
ExitWhenDrained = Annotated[
    bool | None,
    typer.Option(
        "--exit-when-drained/--stay", show_default=False, help="Leave when every job is done. [stay on a terminal]"
    ),
]


@app.command(epilog=EPILOG)
def local(
    target: Target = None,
    run_options: RunOptions = None,
    jobs: Jobs = None,
    ms: Milliseconds = SPIKE_MS,
    port: Port = 0,
    exit_when_drained: ExitWhenDrained = None,
) -> None:
    """Run SQS, an ECS agent and a worker on this machine, and send it some jobs."""
    options = list(run_options or ())
    if target is not None and target.startswith("-"):
        options, target = [target, *options], None
    load(target)  # A target that cannot be imported is told here, once, before anything is started.
    if target is None:
        # The article's cycle: acquire, poll, work, release.
        options = options if "--protect" in options else ["--protect", "always", *options]
    console.steady()

    from forebay.cloud.background import fastest_loop
    from forebay.local.runtime import LocalPlan, LocalRun

    is_json = "json" in options or os.environ.get("FOREBAY_LOG") == "json"
    count = jobs if jobs is not None else 0 if target is not None else SPIKE_JOBS
    plan = LocalPlan(
        run_arguments=[*([target] if target is not None else []), *options],
        bodies=[str(ms)] * count,
        leave_when_drained=not platform.is_terminal(sys.stdout) if exit_when_drained is None else exit_when_drained,
        sqs_port=port,
        environment=dict(os.environ),
    )
    # With JSON lines standard output belongs to the worker's objects alone.
    tell = console.remark if is_json else console.tell
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        raise typer.Exit(runner.run(LocalRun(plan, tell).run()))
