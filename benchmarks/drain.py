"""One run: a full queue, one worker, and how fast and how dear it was to empty it.

Rules kept here and nowhere else:

1. The worker is up, and its first receives are held, before the clock starts; start-up is measured elsewhere.
2. CPU counts from there to the last delete, over the worker's whole process tree.
3. What did not finish in time is a failed run, told with the last lines the worker wrote; it is never a figure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import REPOSITORY
from benchmarks.process import Process
from benchmarks.server import HOLD_S, Queue, Server

LOOK_EVERY_S = 0.02
SETTLE_S = 0.6
"""From a worker's first receive to the measure of its CPU; under `HOLD_S`, so that nothing has been delivered."""
START_MAX_S = 60.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program that empties a queue. `{url}` and `{name}` in its command are the queue's."""

    name: str
    command: tuple[str, ...]
    template: Mapping[str, Any]
    """One job in its own wire format, as parameters of SendMessage."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path = REPOSITORY


@dataclass(frozen=True, slots=True)
class Drained:
    """What one run told."""

    jobs: int
    lasted_s: float
    cpu_s: float
    server_cpu_s: float
    requests: int
    memory_peak_mb: float

    @property
    def jobs_a_second(self) -> float:
        return self.jobs / self.lasted_s

    @property
    def cpu_us_a_job(self) -> float:
        return self.cpu_s / self.jobs * 1e6

    @property
    def server_cpu_us_a_job(self) -> float:
        return self.server_cpu_s / self.jobs * 1e6

    @property
    def requests_a_job(self) -> float:
        return self.requests / self.jobs


class RunFailed(Exception):
    """A contestant did not do its work. Says which and how it ended."""


def median_of(runs: list[Drained]) -> Drained:
    """Return the run in the middle by jobs a second, with the medians of its other figures."""
    return Drained(
        jobs=runs[0].jobs,
        lasted_s=median(run.lasted_s for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        server_cpu_s=median(run.server_cpu_s for run in runs),
        requests=int(median(run.requests for run in runs)),
        memory_peak_mb=median(run.memory_peak_mb for run in runs),
    )


def environment_of(contestant: Contestant, server: Server, queue: Queue) -> dict[str, str]:
    """Return what a contestant's process is told."""
    return {
        **server.environment,
        "BENCH_QUEUE_URL": queue.url,
        "BENCH_QUEUE_NAME": queue.name,
        **contestant.environment,
    }


def drain(
    contestant: Contestant, server: Server, *, jobs: int, latency_s: float = 0.0, timeout_s: float = 120.0
) -> Drained:
    """Let a contestant empty a queue of `jobs`. Raises `RunFailed`."""
    queue = server.create_queue()
    try:
        server.fill(queue, contestant.template, jobs)
        server.reset_stats()
        server.hold_receives()
        command = [part.format(url=queue.url, name=queue.name) for part in contestant.command]
        with Process(command, environment_of(contestant, server, queue), folder=contestant.folder) as process:
            _await_first_receive(contestant, server, process)
            time.sleep(SETTLE_S)
            cpu_before_s, server_before_s = process.usage.cpu_s, server.usage.cpu_s
            requests_before = _requests(server.stats()) - server.stats()["requests"].get("ReceiveMessage", 0)
            server.let_go(latency_s=latency_s)
            stats = _await_last_delete(contestant, server, process, jobs, timeout_s)
            usage, server_usage = process.usage, server.usage
            moments = stats["moments"]
            return Drained(
                jobs=jobs,
                lasted_s=moments["deleted"] - moments["delivered"],
                cpu_s=usage.cpu_s - cpu_before_s,
                server_cpu_s=server_usage.cpu_s - server_before_s,
                requests=_requests(stats) - requests_before,
                memory_peak_mb=usage.memory_peak_mb,
            )
    finally:
        server.let_go()
        server.delete_queue(queue)


def _requests(stats: Mapping[str, Any]) -> int:
    return sum(stats["requests"].values())


def _await_first_receive(contestant: Contestant, server: Server, process: Process) -> None:
    deadline_at = time.monotonic() + START_MAX_S
    while not server.stats()["requests"].get("ReceiveMessage"):
        _check(contestant, process, deadline_at, "asked for no message")
        time.sleep(LOOK_EVERY_S)
    assert SETTLE_S < HOLD_S


def _await_last_delete(
    contestant: Contestant, server: Server, process: Process, jobs: int, timeout_s: float
) -> dict[str, Any]:
    deadline_at = time.monotonic() + timeout_s
    while (stats := server.stats())["messages"].get("deleted", 0) < jobs:
        _check(contestant, process, deadline_at, f"deleted {stats['messages'].get('deleted', 0)} of {jobs}")
        time.sleep(LOOK_EVERY_S)
    return stats


def _check(contestant: Contestant, process: Process, deadline_at: float, what: str) -> None:
    if process.has_ended or time.monotonic() >= deadline_at:
        how = "ended by itself" if process.has_ended else "ran out of time"
        raise RunFailed(f"{contestant.name}: {what}, and {how}\n" + "\n".join(process.tail))
