"""Where jobs run: what a process of its own costs beside a thread, and how soon one that has crashed is replaced."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import forebay, job
from benchmarks.drain import Contestant, RunFailed, environment_of, median_of
from benchmarks.process import Process
from benchmarks.report import Figure, Results, Table
from benchmarks.server import Server
from benchmarks.speed import COLUMNS, rounds_of, rows_of

THREADS = "Forebay, 50 threads"
PROCESSES = "Forebay, child process, 20 slots"
CRASH_WAIT_S = 30.0
LOOK_EVERY_S = 0.01


def on_threads(*, name: str = THREADS, python: str | None = None) -> Contestant:
    """Return Forebay with the no-op as a `def`."""
    return forebay("--slots", "50", name=name, target="benchmarks.jobs_on_threads", **_python(python))


def isolated(*, name: str = PROCESSES, python: str | None = None, slots: int = 20) -> Contestant:
    """Return Forebay with the no-op in child processes, one for each core, and with as many slots in all."""
    return forebay("--slots", str(slots), name=name, target="benchmarks.jobs_isolated", **_python(python))


def _python(python: str | None) -> dict[str, Any]:
    return {} if python is None else {"python": python}


def places(server: Server, results: Results, *, is_quick: bool) -> None:
    """No-op jobs from a full queue on the event loop, on threads and in child processes."""
    contestants = (forebay("--slots", "200", name="Forebay, event loop"), on_threads(), isolated())
    jobs = (4_000, 4_000, 2_000) if is_quick else (20_000, 20_000, 8_000)
    runs = rounds_of(contestants, server, jobs=jobs, rounds=1 if is_quick else 5)
    threads, processes = median_of(runs[THREADS]), median_of(runs[PROCESSES])
    more_ms = median(
        (process.cpu_us_a_job - thread.cpu_us_a_job) / 1000
        for process, thread in zip(runs[PROCESSES], runs[THREADS], strict=True)
    )
    results.add(
        Table(
            "No-op jobs by the place where they run",
            COLUMNS,
            rows_of(contestants, runs, THREADS),
            "CPU is that of the whole process tree. Worker and children share one core.",
        ),
        Figure(
            "CPU of a job in a child process, more than on a thread",
            more_ms,
            " ms",
            0.5,
            beside=f"{processes.cpu_us_a_job:.0f} µs, on a thread {threads.cpu_us_a_job:.0f} µs",
        ),
    )


def crash(server: Server, results: Results, *, is_quick: bool) -> None:
    """From the crash of the only child until the next job begins in the one that takes its place."""
    took_s = [_replaced_after_s(server) for _ in range(2 if is_quick else 7)]
    results.add(
        None,
        Figure(
            "a child process that has crashed is replaced, and the next job begins, after",
            median(took_s),
            " s",
            0.5,
            beside=f"median of {len(took_s)}; the longest {max(took_s):.2f} s, import of the program included",
        ),
    )


def _replaced_after_s(server: Server) -> float:
    contestant = isolated(slots=1)
    queue = server.create_queue()
    with tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder) / "stamps"
        stamps.touch()
        environment = {**environment_of(contestant, server, queue), "BENCH_STAMPS": str(stamps)}
        command = [part.format(url=queue.url, name=queue.name) for part in contestant.command]
        try:
            with Process(command, environment, folder=contestant.folder) as process:
                _send(server, queue.url, job("stamp", crashes=False))  # The child is up, and nothing is new to it.
                _stamps(stamps, 1, process)
                _send(server, queue.url, job("stamp", crashes=True))
                _send(server, queue.url, job("stamp", crashes=False))
                _, (crashed_at, first), (began_at, second) = _stamps(stamps, 3, process)
        finally:
            server.delete_queue(queue)
    if first == second:
        raise RunFailed("the jobs came in another order than they were sent in: nothing was measured")
    return began_at - crashed_at


def _send(server: Server, url: str, template: Mapping[str, Any]) -> None:
    server.call("SendMessage", QueueUrl=url, **template)


def _stamps(path: Path, count: int, process: Process) -> list[tuple[float, int]]:
    """Wait until so many stamps are there, and return them: when, and in which process."""
    deadline_at = time.monotonic() + CRASH_WAIT_S
    while len(lines := path.read_text(encoding="utf-8").splitlines()) < count:
        if process.has_ended or time.monotonic() >= deadline_at:
            raise RunFailed(f"{len(lines)} of {count} jobs began\n" + "\n".join(process.tail))
        time.sleep(LOOK_EVERY_S)
    return [(float(line.split()[0]), int(line.split()[1])) for line in lines]
