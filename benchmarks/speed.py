"""How fast and how dear: full queues, a backlog of slow jobs, answers that take 10 ms, ten thousand jobs at once."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.contestants import boto3_loop, forebay, job, raw_loop
from benchmarks.drain import Contestant, Drained, RunFailed, drain, environment_of, median_of
from benchmarks.process import Process
from benchmarks.report import Figure, Results, Table, number
from benchmarks.server import Server

COLUMNS = ("", "jobs/s", "× Forebay's", "CPU µs/job", "requests/job", "peak MB", "server CPU µs/job")
LATENCY_S = 0.010

Runs = Mapping[str, list[Drained]]
"""Every run of each contestant, by name, in the order of the rounds."""


def rounds_of(
    contestants: Sequence[Contestant], server: Server, *, jobs: Sequence[int], rounds: int, latency_s: float = 0.0
) -> Runs:
    """Let each contestant empty a queue in turn, `rounds` times over; return the runs by name.

    One that fails once is out, and said to be.
    """
    runs: dict[str, list[Drained]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant, count in zip(contestants, jobs, strict=True):
            if contestant.name not in runs:
                continue
            try:
                runs[contestant.name].append(drain(contestant, server, jobs=count, latency_s=latency_s))
            except RunFailed as failure:
                print(f"FAILED: {failure}")
                del runs[contestant.name]
    return {name: done for name, done in runs.items() if done}


def times(runs: Runs, one: str, other: str) -> float:
    """Return how many times the jobs a second of `other` are those of `one`: the median over the rounds.

    The two of a round ran within seconds of each other, so a busy machine was busy for both. NaN if either failed.
    """
    pairs = zip(runs.get(one, []), runs.get(other, []), strict=False)
    ratios = [this.jobs_a_second / that.jobs_a_second for this, that in pairs]
    return median(ratios) if ratios else math.nan


def rows_of(contestants: Sequence[Contestant], runs: Runs, base: str) -> list[list[str]]:
    """Return a row for each contestant, the fastest first; what failed stands last and says so."""
    medians = {name: median_of(done) for name, done in runs.items()}
    named = [contestant.name for contestant in contestants]
    rows: list[list[str]] = []
    for name in sorted(named, key=lambda one: -medians[one].jobs_a_second if one in medians else 0.0):
        if name not in medians:
            rows.append([name, "failed", *[""] * (len(COLUMNS) - 2)])
            continue
        run = medians[name]
        rows.append(
            [
                name,
                number(run.jobs_a_second),
                number(times(runs, name, base)),
                number(run.cpu_us_a_job),
                f"{run.requests_a_job:.3f}",
                number(run.memory_peak_mb),
                number(run.server_cpu_us_a_job),
            ]
        )
    return rows


def full_queue(server: Server, results: Results, *, is_quick: bool) -> None:
    """No-op jobs, 200 slots, JSON logs to a pipe that is read; beside the bare loop and boto3."""
    contestants = (forebay("--slots", "200"), raw_loop(), boto3_loop())
    jobs = (4_000, 4_000, 2_000) if is_quick else (20_000, 20_000, 6_000)
    runs = rounds_of(contestants, server, jobs=jobs, rounds=1 if is_quick else 5)
    ours, raw, boto3 = (median_of(runs[contestant.name]) for contestant in contestants)
    names = [contestant.name for contestant in contestants]
    results.add(
        Table("No-op jobs from a full queue", COLUMNS, rows_of(contestants, runs, "Forebay")),
        Figure("requests per job, full queue", ours.requests_a_job, "", 0.21),
        Figure(
            "jobs/s of the bare loop",
            times(runs, names[0], names[1]),
            " ×",
            beside=f"{number(raw.jobs_a_second)}/s at {number(raw.cpu_us_a_job)} µs: receive, parse, delete, no more",
        ),
        Figure(
            "jobs/s of a boto3 loop",
            times(runs, names[0], names[2]),
            " ×",
            beside=f"{number(boto3.jobs_a_second)}/s at {number(boto3.cpu_us_a_job)} µs",
        ),
    )


def far_away(server: Server, results: Results, *, is_quick: bool) -> None:
    """The same with 10 ms added to every answer, and nothing set but 400 slots."""
    contestants = (forebay("--slots", "400"), raw_loop(4), raw_loop(16), boto3_loop(4))
    jobs = (4_000, 2_000, 4_000, 1_000) if is_quick else (20_000, 6_000, 20_000, 4_000)
    runs = rounds_of(contestants, server, jobs=jobs, rounds=1 if is_quick else 3, latency_s=LATENCY_S)
    raw = contestants[1].name
    raw_told = number(median_of(runs[raw]).jobs_a_second)
    results.add(
        Table("No-op jobs, 10 ms added to every answer, 400 slots", COLUMNS, rows_of(contestants, runs, "Forebay")),
        Figure(
            "jobs/s at 10 ms, beside four pollers",
            times(runs, "Forebay", raw),
            " ×",
            2,
            at_least=True,
            beside=f"{raw_told}/s: a bare loop with as many pollers as fanferro at its best",
        ),
    )


def slow_backlog(server: Server, results: Results, *, is_quick: bool) -> None:
    """20 slots, jobs of 200 ms, a backlog: receives must come back full enough."""
    contestant = forebay("--slots", "20", template=job("nap", seconds=0.2))
    run = drain(contestant, server, jobs=300 if is_quick else 1_000)
    results.add(
        None,
        Figure(
            "requests per job, 20 slots, 200 ms jobs, backlog",
            run.requests_a_job,
            "",
            0.5,
            beside=f"{number(run.jobs_a_second)} jobs/s of 100 possible",
        ),
    )


def in_flight(server: Server, results: Results, *, is_quick: bool) -> None:
    """Ten thousand jobs at once: what their heartbeats cost, whether a lease is lost, how much memory they take."""
    jobs = 1_000 if is_quick else 10_000
    visibility_s = 9 if is_quick else 30
    interval_s = visibility_s / 3
    naps_s = 2.5 * interval_s if is_quick else 5 * interval_s
    contestant = forebay("--slots", str(jobs), "--visibility", str(visibility_s), template=job("nap", seconds=naps_s))
    queue = server.create_queue(visibility_s=visibility_s)
    try:
        server.fill(queue, contestant.template, jobs)
        server.reset_stats()
        command = [part.format(url=queue.url, name=queue.name) for part in contestant.command]
        environment = environment_of(contestant, server, queue)
        with Process(command, environment, folder=contestant.folder) as process:
            asked, window_s, memory_mb = _watch_heartbeats(server, process, jobs, interval_s, naps_s)
            _await(server, process, "deleted", jobs, naps_s + 60)
            process.end()
            ledger = json.loads(next(line for line in process.tail if '"worker.stopped"' in line))
    finally:
        server.delete_queue(queue)
    per_lease = asked / (jobs * window_s / interval_s)
    lost = ledger["lease_lost"] + ledger["orphaned"] + ledger["duplicate"]
    results.add(
        None,
        Figure(
            f"heartbeats, requests per lease and interval, {jobs:,} jobs at once",
            per_lease,
            "",
            0.11,
            beside=f"{asked:,} requests in {window_s:.0f} s, an interval of {interval_s:.0f} s",
        ),
        Figure(f"leases lost, {jobs:,} jobs at once", lost, "", 0),
        Figure(f"memory, {jobs:,} jobs at once", memory_mb, " MB", 200),
    )


def _watch_heartbeats(
    server: Server, process: Process, jobs: int, interval_s: float, naps_s: float
) -> tuple[int, float, float]:
    """Once every job runs, count heartbeats for whole intervals; return requests, seconds and peak memory."""
    _await(server, process, "delivered", jobs, 60)
    intervals = max(1, int(naps_s / interval_s) - 2)
    before, began_at = _heartbeats(server), time.monotonic()
    time.sleep(intervals * interval_s)
    return _heartbeats(server) - before, time.monotonic() - began_at, process.usage.memory_peak_mb


def _heartbeats(server: Server) -> int:
    return int(server.stats()["requests"].get("ChangeMessageVisibilityBatch", 0))


def _await(server: Server, process: Process, what: str, count: int, timeout_s: float) -> None:
    deadline_at = time.monotonic() + timeout_s
    while server.stats()["messages"].get(what, 0) < count:
        if process.has_ended or time.monotonic() >= deadline_at:
            raise RunFailed(f"{what}: {server.stats()['messages']}\n" + "\n".join(process.tail))
        time.sleep(0.05)
