"""The local SQS as a process: its options, the line it prints when it is ready, and what ends it.

Rules kept here and nowhere else:

1. One line of JSON on standard output, when it listens: `{"endpoint": …, "queues": {name: url}}`. Nothing else.
2. SIGTERM and SIGINT end it with status 0; with `--until-stdin-closes`, so does the end of standard input. A port that
   is taken is status 1, and so is a folder (`--data`) that cannot be used; a queue that cannot be made 2.
3. A queue that was kept in the folder stays as it is, whatever `--queue` and the options beside it would make of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from forebay.cloud.background import fastest_loop
from forebay.cloud.sqs_server import SqsServer
from forebay.cloud.sqs_store import QueueDataError
from forebay.rules.queue_fifo_attributes import FIFO_SUFFIX
from forebay.rules.queue_semantics import ServiceFailure


def main(arguments: Sequence[str]) -> int:
    """Serve until asked to stop; return the exit status."""
    options = _options().parse_args(arguments)
    try:
        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            return runner.run(_serve(options))
    except QueueDataError as error:
        sys.stderr.write(f"--data: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(
            f"cannot listen on 127.0.0.1:{options.port}: {error.strerror or error}; choose another --port\n"
        )
        return 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="forebay.cloud.sqs_server", description="Amazon SQS on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument(
        "--queue",
        action="append",
        default=[],
        metavar="NAME",
        help="create it; repeatable; a FIFO queue if it ends in .fifo",
    )
    parser.add_argument("--visibility", type=int, default=30, metavar="SECONDS", help="of every --queue")
    parser.add_argument(
        "--dead-letter-after", type=int, metavar="RECEIVES", help="give every --queue a dead-letter queue NAME-dead"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep queues there, also through a crash")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--seed", type=int, default=0, help="of every die: ids, samples, chaos")
    parser.add_argument("--deny", action="append", default=[], metavar="ACTION", help="answer it with AccessDenied")
    parser.add_argument("--sampled", action="store_true", help="receives bring fewer messages than wait")
    parser.add_argument(
        "--abandoned-polls-swallow", action="store_true", help="a poll whose client left still hides messages, as AWS's"
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="leave when standard input ends")
    return parser


async def _serve(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = SqsServer(
        port=options.port,
        region=options.region,
        seed=options.seed,
        abandoned_polls_swallow=options.abandoned_polls_swallow,
        data=options.data,
    )
    async with server:
        try:
            queues = {name: _create(server, name, options) for name in options.queue}
        except ServiceFailure as failure:
            sys.stderr.write(f"--queue: {failure.message}\n")
            return 2
        server.deny(*options.deny)
        sys.stdout.write(json.dumps({"endpoint": server.endpoint_url, "queues": queues}) + "\n")
        sys.stdout.flush()
        if options.until_stdin_closes:
            await _watch_stdin(stop)
        server.journal.on_failure = stop.set
        await stop.wait()
    if server.journal.failure is not None:
        raise server.journal.failure
    return 0


def _create(server: SqsServer, name: str, options: argparse.Namespace) -> str:
    stem, suffix = (name.removesuffix(FIFO_SUFFIX), FIFO_SUFFIX) if name.endswith(FIFO_SUFFIX) else (name, "")
    fifo = {"FifoQueue": "true"} if suffix else {}
    attributes = {"VisibilityTimeout": str(options.visibility)}
    if options.dead_letter_after is not None:
        dead = f"{stem}-dead{suffix}"
        server.ensure_queue(dead, MessageRetentionPeriod="1209600", **fifo)
        policy = {"deadLetterTargetArn": server.service.arn(dead), "maxReceiveCount": options.dead_letter_after}
        attributes["RedrivePolicy"] = json.dumps(policy)
    url = server.ensure_queue(name, **attributes, **fifo)
    server.service.modes(url).is_sampled = options.sampled
    return url


async def _watch_stdin(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: a parent that dies takes its server with it."""

    class Watch(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
            stop.set()

    await asyncio.get_running_loop().connect_read_pipe(Watch, sys.stdin)
