"""What Forebay is measured beside: bare loops on the same wire client, without leases, logs, limits or settlements.

python -m benchmarks.loops raw POLLERS      receive ten, delete ten, over and over
python -m benchmarks.loops stamp            long poll, and write down how long the message took
python -m benchmarks.loops receive COUNT    receive COUNT times, then delete what came; times of both to stdout
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from forebay.model import Message
from forebay.queue.calls import Caller
from forebay.queue.resolve import ClientConfig
from forebay.queue.wire import SqsClient

WAIT_S = 20
VISIBILITY_S = 600
LANES = 8

URL = os.environ.get("BENCH_QUEUE_URL", "")


def client() -> SqsClient:
    return SqsClient(Caller.from_config(URL, ClientConfig.from_environment(os.environ)))


async def receive(sqs: SqsClient, wait_s: float) -> list[Message]:
    poll = await sqs.receive_message(URL, count_max=10, wait_s=wait_s, visibility_s=VISIBILITY_S)
    return poll.delivered.messages


async def raw(pollers: str) -> None:
    sqs = client()

    async def loop() -> None:
        while True:
            messages = await receive(sqs, WAIT_S)
            for message in messages:
                json.loads(message.body)
            if messages:
                await sqs.delete_message_batch(URL, [message.receipt for message in messages])

    await asyncio.gather(*(loop() for _ in range(int(pollers))))


async def stamp() -> None:
    sqs = client()
    while True:
        for message in await receive(sqs, WAIT_S):
            took_s = time.monotonic() - json.loads(message.body)["sent_at"]
            with open(os.environ["BENCH_STAMPS"], "a", encoding="utf-8") as stamps:  # noqa: ASYNC230 - one short line
                stamps.write(f"{took_s}\n")
            await sqs.delete_message_batch(URL, [message.receipt])


async def receive_some(count: str) -> None:
    """Print one line of JSON: seconds for `count` receives, and for as many deletes."""
    sqs = client()
    left = int(count)
    batches: list[list[str]] = []

    async def receiving() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            batches.append([message.receipt for message in await receive(sqs, 0)])

    async def deleting() -> None:
        while batches:
            await sqs.delete_message_batch(URL, batches.pop())

    for name, lane in (("receive", receiving), ("delete", deleting)):
        sys.stdin.readline()  # The phase begins when we are told to: the server's CPU is read in between.
        began_at = time.monotonic()
        await asyncio.gather(*(lane() for _ in range(LANES)))
        print(json.dumps({name: time.monotonic() - began_at}), flush=True)
    await sqs.aclose()


VERBS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"raw": raw, "stamp": stamp, "receive": receive_some}


def main(arguments: list[str]) -> None:
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(VERBS[arguments[0]](*arguments[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
