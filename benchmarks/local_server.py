"""The local SQS itself: calls a second on one core, and whether a call's cost grows with the backlog."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.contestants import job
from benchmarks.drain import Contestant, RunFailed, environment_of
from benchmarks.jobs import NOTE
from benchmarks.process import Process
from benchmarks.report import Figure, Results, Table, number
from benchmarks.server import Queue, Server

CALLS = 2_000
"""Receives of ten messages in one measure: 20,000 of the 120,000 that a queue lets be in flight."""


def capacity(server: Server, results: Results, *, is_quick: bool) -> None:
    """Receive and delete with a small backlog and with a large one, in the server's CPU time."""
    few, many = 1_000, 20_000 if is_quick else 1_000_000
    calls = 300 if is_quick else CALLS
    rows: list[list[str]] = []
    cpu_s: dict[int, float] = {}
    for backlog in (few, many):
        queue = server.create_queue()
        server.fill(queue, job("noop", note=NOTE), backlog + calls * 10)
        figures = _measured(server, queue, calls)
        cpu_s[backlog] = figures["receive"][1]
        for name, (wall_s, used_s) in figures.items():
            rows.append([f"{name}(10), backlog {backlog:,}", number(calls / wall_s), number(used_s / calls * 1e6)])
        server.delete_queue(queue)
    results.add(
        Table("The local SQS server", ("call", "calls/s, 8 at a time", "server CPU µs/call"), rows),
        Figure("receive(10) calls/s on one core of the local server", calls / cpu_s[few], "", 3_000, at_least=True),
        Figure(
            f"a receive with {many:,} waiting, beside one with {few:,}", cpu_s[many] / cpu_s[few], " × the CPU", 1.5
        ),
    )


def _measured(server: Server, queue: Queue, calls: int) -> dict[str, tuple[float, float]]:
    """Return seconds on the clock and on the server's CPU for `calls` receives, and for their deletes."""
    contestant = Contestant("receives", (sys.executable, "-m", "benchmarks.loops", "receive", str(calls)), {})
    figures: dict[str, tuple[float, float]] = {}
    environment = environment_of(contestant, server, queue)
    with Process(list(contestant.command), environment, folder=contestant.folder, takes_input=True) as process:
        time.sleep(0.5)
        for name in ("receive", "delete"):
            before_s = server.usage.cpu_s
            process.tell("go")
            wall_s = _told(process, name)
            figures[name] = (wall_s, server.usage.cpu_s - before_s)
    return figures


def _told(process: Process, name: str) -> float:
    deadline_at = time.monotonic() + 120
    while time.monotonic() < deadline_at:
        for line in list(process.tail):
            if line.startswith("{") and name in (told := json.loads(line)):
                return float(told[name])
        time.sleep(0.01)
    raise RunFailed(f"the {name} loop did not end\n" + "\n".join(process.tail))
