"""`forebay send`: puts jobs on a queue."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from forebay import platform
from forebay.cli import console
from forebay.cli.resolve import check_queue, queues_of
from forebay.cli.sending import Dispatch, Rate, Refusals, json_lines
from forebay.errors import SettingsError
from forebay.model import JOB_ATTRIBUTE, MessageAttribute
from forebay.queue.port import Outgoing

if TYPE_CHECKING:
    from forebay.queue.sink import SqsSink

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

DELAY_MAX_S = 900
"""The longest DelaySeconds (facts/sqs.md section 2)."""

EPILOG = """\b
Examples:
  forebay send 250 --queue URL                         (the sample worker's job: 250 milliseconds of work)
  forebay send '{"key": "a.png"}' --job thumbnail --count 1000 --rate 50
  cat jobs.jsonl | forebay send --job thumbnail        (each line is the body of one job)

\b
Prints the id of each message on a line of its own, in the order of the jobs. Without --queue the first queue of
FOREBAY_QUEUE_URL (or COPILOT_QUEUE_URI) is used. Exits 1 when some messages were not taken; each is named."""


Bodies = Annotated[
    list[str] | None,
    typer.Argument(metavar="BODY", show_default=False, help="Bodies; none: JSON lines on standard input."),
]
QueueUrl = Annotated[
    str | None, typer.Option("--queue", metavar="URL", show_default=False, help="Where to, by URL or by name.")
]
JobName = Annotated[str | None, typer.Option("--job", metavar="NAME", show_default=False, help="The job's name.")]
Count = Annotated[int, typer.Option("--count", metavar="N", min=1, help="Send each body N times.")]
PerSecond = Annotated[
    float | None, typer.Option("--rate", metavar="R", show_default=False, help="At most R messages a second.")
]
Delay = Annotated[
    int, typer.Option("--delay", metavar="SECONDS", min=0, max=DELAY_MAX_S, help="Hide each this long first.")
]
Group = Annotated[
    str | None, typer.Option("--group", metavar="ID", show_default=False, help="Message group (FIFO queues).")
]


@app.command(epilog=EPILOG)
def send(
    bodies: Bodies = None,
    queue: QueueUrl = None,
    job: JobName = None,
    count: Count = 1,
    rate: PerSecond = None,
    delay: Delay = 0,
    group: Group = None,
) -> None:
    """Put jobs on a queue."""
    if rate is not None and not 0 < rate <= 1_000_000:
        raise SettingsError(f"--rate {rate:g} must be above 0 and at most 1,000,000 messages a second")
    address = _queue(queue)
    refusals = Refusals(console.complain)
    messages = _messages(bodies or (), count, refusals, job=job, delay_s=delay, group=group)
    total = len(bodies) * count if bodies else None
    has_bar = total is not None and platform.is_terminal(sys.stderr)
    dispatch = Dispatch(
        tell=_tell_over_the_bar if has_bar and platform.is_terminal(sys.stdout) else console.tell,
        refusals=refusals,
        rate=Rate(rate) if rate is not None else None,
        # Within a group the order of sending is the order of the jobs.
        in_flight_max=1 if group is not None else 8,
    )
    with typer.progressbar(
        length=total or 0,
        label="sending",
        file=sys.stderr,
        hidden=not has_bar,
    ) as bar:
        asyncio.run(dispatch.run(lambda: _open(address), messages, sent=bar.update))
    raise typer.Exit(1 if refusals.count else 0)


def _tell_over_the_bar(line: str) -> None:
    """Write a line where the progress bar stands; the bar comes back below it."""
    console.tell(f"\r\x1b[K{line}")


async def _open(address: str) -> SqsSink:
    """Return the way to the queue of this URL or name. Raises `QueueError` when there is none of that name."""
    from forebay.queue.calls import Caller
    from forebay.queue.resolve import ClientConfig
    from forebay.queue.sink import SqsSink
    from forebay.queue.wire import SqsClient

    client = SqsClient(Caller.from_config(address, ClientConfig.from_environment(os.environ)))
    return SqsSink(address if "://" in address else await client.get_queue_url(address), client)


def _queue(option: str | None) -> str:
    queues = (check_queue(option, "--queue"),) if option else queues_of(os.environ)
    if not queues:
        raise SettingsError("no queue is named: pass --queue URL, or set FOREBAY_QUEUE_URL")
    return queues[0]


def _messages(
    bodies: Iterable[str], count: int, refusals: Refusals, *, job: str | None, delay_s: int, group: str | None
) -> Iterator[Outgoing]:
    """Yield what is to be sent, in order."""
    attributes = {JOB_ATTRIBUTE: MessageAttribute("String", job)} if job is not None else {}
    given = list(bodies)
    if not given and platform.is_terminal(sys.stdin):
        raise SettingsError("nothing to send: give a BODY, or JSON lines on standard input")
    for body in given or json_lines(sys.stdin, refusals):
        for _ in range(count):
            yield Outgoing(body, attributes, delay_s, group)
