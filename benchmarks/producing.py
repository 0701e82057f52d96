"""How fast jobs are sent: `enqueue_many`, beside the wire client that it sends with.

python -m benchmarks.producing raw|many COUNT    send so many jobs; one line of JSON to stdout
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from statistics import median
from typing import Any

from benchmarks.drain import RunFailed
from benchmarks.jobs import NOTE, noop
from benchmarks.machine import REPOSITORY
from benchmarks.process import Process
from benchmarks.report import Figure, Results, Table, number
from benchmarks.server import Server
from forebay import enqueue_many
from forebay.model import MessageAttribute
from forebay.queue.calls import Caller
from forebay.queue.port import Outgoing
from forebay.queue.resolve import ClientConfig
from forebay.queue.wire import SqsClient

LANES = 8
"""Batches under way at once, as many as `enqueue_many` has."""
SEND_MAX_S = 120.0


def producing(server: Server, results: Results, *, is_quick: bool) -> None:
    """The same jobs sent both ways, by turns, each in a process of its own."""
    count, rounds = (10_000, 1) if is_quick else (100_000, 3)
    runs: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for _ in range(rounds):
        runs.append((_sent(server, "raw", count), _sent(server, "many", count)))
    rates = {way: median(count / pair[index]["lasted_s"] for pair in runs) for index, way in enumerate(("raw", "many"))}
    ratio = median(raw["lasted_s"] / many["lasted_s"] for raw, many in runs)
    grown_mb = median(many["grown_mb"] for _, many in runs)
    names = {"raw": "the wire client alone, messages made before", "many": "enqueue_many"}
    rows = [
        [
            names[way],
            number(rates[way]),
            number(median(pair[index]["cpu_us"] for pair in runs)),
            number(median(pair[index]["grown_mb"] for pair in runs)),
        ]
        for index, way in enumerate(("raw", "many"))
    ]
    results.add(
        Table(f"{count:,} jobs sent by one process", ("", "jobs/s", "CPU µs/job", "memory grown by, MB"), rows),
        Figure(
            f"jobs/s of enqueue_many, {count:,} jobs, of the wire client's",
            ratio,
            " ×",
            0.5,
            at_least=True,
            beside=f"{number(rates['many'])}/s; the wire client {number(rates['raw'])}/s",
        ),
        Figure(f"memory of enqueue_many for {count:,} jobs from a generator", grown_mb, " MB", 40),
    )


def _sent(server: Server, way: str, count: int) -> dict[str, Any]:
    queue = server.create_queue()
    try:
        environment = {**server.environment, "BENCH_QUEUE_URL": queue.url, "FOREBAY_QUEUE_URL": queue.url}
        command = [sys.executable, "-m", "benchmarks.producing", way, str(count)]
        with Process(command, environment, folder=REPOSITORY) as process:
            status = process.wait(SEND_MAX_S)
            if status != 0 or not process.tail:
                raise RunFailed(f"sending {way}: exit status {status}\n" + "\n".join(process.tail))
            told: dict[str, Any] = json.loads(process.tail[-1])
        return told
    finally:
        server.delete_queue(queue)


# ── in the sender's process ────────────────────────────────────────────────────────────────────────────────


async def raw(count: int) -> None:
    """Send messages of ten over and over: no validation, no answers kept."""
    url = os.environ["BENCH_QUEUE_URL"]
    sqs = SqsClient(Caller.from_config(url, ClientConfig.from_environment(os.environ)))
    call = noop.call(note=NOTE)
    batch = [Outgoing(call.message.body, {"job": MessageAttribute("String", "noop")})] * 10
    left = count

    async def lane() -> None:
        nonlocal left
        while left > 0:
            left -= len(batch)
            sent = await sqs.send_message_batch(url, batch)
            assert all(one.fault is None for one in sent), sent

    await asyncio.gather(*(lane() for _ in range(LANES)))
    await sqs.aclose()


def many(count: int) -> None:
    ids = enqueue_many(noop.call(note=NOTE) for _ in range(count))
    assert len(ids) == count, len(ids)


def main(way: str, count: int) -> None:
    noop.enqueue(note=NOTE)  # Imports, credentials and the first connection are no part of it.
    memory_kb, cpu_s, began_at = _memory_kb(), time.process_time(), time.monotonic()
    if way == "raw":
        asyncio.run(raw(count))
    else:
        many(count)
    told = {
        "lasted_s": time.monotonic() - began_at,
        "cpu_us": (time.process_time() - cpu_s) / count * 1e6,
        "grown_mb": (_memory_kb() - memory_kb) / 1024,
    }
    print(json.dumps(told))


def _memory_kb() -> int:
    """The most memory so far. Linux counts in KiB, macOS in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
