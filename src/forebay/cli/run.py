"""`forebay run`: works one or several queues until told to stop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forebay import platform
from forebay.api import project_file
from forebay.cli.machine import Machine
from forebay.cli.resolve import SETTINGS, Given, resolve
from forebay.cli.target import load_chosen
from forebay.worker.rooms import check_shares, slots_least

if TYPE_CHECKING:
    from forebay.api.options import RunOptions
    from forebay.api.worker import Worker

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay run shop.jobs:worker --queue https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails
  FOREBAY_QUEUE_URL=… forebay run shop.jobs --log json --slots 200
  forebay run --queue URL --protect always        (the sample worker of the article)

\b
Every option can also be set by a variable, --drain by FOREBAY_DRAIN and so on (the queues by FOREBAY_QUEUE_URL,
separated by spaces), or by a line under `run:` in forebay.yml. Option > variable > forebay.yml > Worker(…) > default.
`forebay doctor --settings` prints each value with its source."""

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        show_default=False,
        help="module:attribute of your Worker, or module if it holds exactly one. "
        "Omitted: `handler:` of forebay.yml, else the sample worker.",
    ),
]
Queues = Annotated[
    list[str] | None, typer.Option("--queue", metavar="URL", show_default=False, help="A queue to work. Repeatable.")
]


def _option(name: str, metavar: str, help: str) -> Any:
    return typer.Option(f"--{name}", metavar=metavar, show_default=False, help=help)


Slots = Annotated[
    str | None, _option("slots", "N", "Messages held at once. [100; with a plain def: min(32, 4 × cores)]")
]
Attempts = Annotated[
    str | None, _option("attempts", "N", "Attempts of jobs that do not say their own. [min(5, maxReceiveCount)]")
]
Visibility = Annotated[str | None, _option("visibility", "SECONDS", "Hidden time between heartbeats. [60]")]
Margin = Annotated[
    str | None, _option("margin", "SECONDS", "Trust in a lease ends this early. [min(5, visibility ÷ 6)]")
]
Drain = Annotated[str | None, _option("drain", "SECONDS", "Time for running jobs after a stop request. [25]")]
Protect = Annotated[str | None, _option("protect", "auto|always|never", "ECS task scale-in protection. [auto]")]
Linger = Annotated[str | None, _option("linger", "SECONDS", "Protection outlasts the last job this long. [10]")]
Log = Annotated[str | None, _option("log", "text|json", "What log lines look like. [text]")]
Health = Annotated[str | None, _option("health", "HOST:PORT", "Serve /live and /ready there. [off]")]
ExitWhenEmpty = Annotated[
    bool | None,
    typer.Option("--exit-when-empty/--no-exit-when-empty", show_default=False, help="Leave when the queues are empty."),
]
DeadLetter = Annotated[str | None, _option("dead-letter", "URL", "Dead-letter queue. [the RedrivePolicy's]")]
Processes = Annotated[
    str | None, _option("processes", "N", "Processes that run jobs, with slots ÷ N each. [1: the worker's own]")
]
Stuck = Annotated[
    str | None, _option("stuck", "replace|wait", "What to do about code that will not end: leave, or wait. [replace]")
]
ErrorDetail = Annotated[
    str | None,
    _option("error-detail", "frames|full", "What logs show of an exception; full may show user data. [frames]"),
]
DeadLetterDetail = Annotated[
    str | None, _option("dead-letter-detail", "frames|full", "What a buried message shows of it. [frames]")
]
BufferBytes = Annotated[
    str | None, _option("buffer-bytes", "BYTES", "Bodies held at once, e.g. 64MiB. [a quarter of the memory limit]")
]


Reload = Annotated[
    bool, typer.Option("--reload", show_default=False, help="Begin anew when code changes, after draining.")
]


@app.command(epilog=EPILOG)
def run(
    context: typer.Context,
    target: Target = None,
    queue: Queues = None,
    slots: Slots = None,
    attempts: Attempts = None,
    visibility: Visibility = None,
    margin: Margin = None,
    drain: Drain = None,
    protect: Protect = None,
    linger: Linger = None,
    log: Log = None,
    health: Health = None,
    exit_when_empty: ExitWhenEmpty = None,
    dead_letter: DeadLetter = None,
    error_detail: ErrorDetail = None,
    dead_letter_detail: DeadLetterDetail = None,
    buffer_bytes: BufferBytes = None,
    processes: Processes = None,
    stuck: Stuck = None,
    reload: Reload = False,
) -> None:
    """Work one or several SQS queues. Logs go to standard output; SIGTERM or Ctrl-C drains, a second one leaves."""
    given = locals()
    if reload:
        from forebay.cli import reload as reloading

        raise typer.Exit(reloading.supervise([word for word in context.obj if word != reloading.OPTION]))
    platform.leave_with_parent(os.environ.get(platform.PARENT_VARIABLE))
    worker, _ = load_chosen(target)
    options = options_for(worker, queue or (), given)
    platform.line_buffer_prints()

    from forebay.api.run import LEAVE_MAX_S, run_worker

    raise typer.Exit(run_worker(worker, options, leave_within_s=LEAVE_MAX_S))


def options_for(worker: Worker, queues: Any, given: dict[str, Any], *, needs_queue: bool = True) -> RunOptions:
    """Return the options of a run of `worker`. `given` maps parameter names to what the command line said."""
    sources = Given(
        options={name: option_text(given.get(name.replace("-", "_"))) for name in SETTINGS},
        queues=tuple(queues),
        environment=dict(os.environ),
        file=project_file.read(Path.cwd()),
        code=worker.arguments,
    )
    from forebay.api.children import isolated_slots

    cores = platform.cores()
    registry = worker.registry
    machine = Machine(
        cores=cores,
        memory_limit_bytes=platform.memory_limit_bytes(),
        any_blocking=any(handler.runs == "thread" for handler in registry),
        slots_least=slots_least(registry),
        isolated_slots=isolated_slots(registry, cores=cores),
    )
    options = resolve(sources, machine, needs_queue=needs_queue)
    check_shares(registry, slots=options.settings.slots)
    return options


def option_text(value: object) -> str | None:
    """Return an option's value as text; None when it was not given."""
    return None if value is None else str(value)
