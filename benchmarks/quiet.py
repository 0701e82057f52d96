"""An idle worker: how soon it starts, how soon it reacts, and what it costs while nothing happens."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.contestants import forebay, job
from benchmarks.drain import Contestant, RunFailed, environment_of
from benchmarks.machine import REPOSITORY, WORKER_CORE, pinned
from benchmarks.process import Process
from benchmarks.report import Figure, Results, Table
from benchmarks.server import Queue, Server

IMPORT = "from forebay import Context, Reject, RetryLater, Worker"
LOOK_EVERY_S = 0.002
IDLE_POLLS = 4
"""Whole waits of 20 s over which an idle worker is watched."""
QUICK_IDLE_S = 8.0
PAUSE_S = (0.05, 0.11)
"""Between two sends to an idle worker: long enough to be idle again."""


def reaction(server: Server, results: Results, *, is_quick: bool) -> None:
    """From the send call to the handler's first line, beside the same to a bare long poll on the same wire client."""
    stamp = forebay("--slots", "200", template=job("stamp", sent_at=0.0))
    bare = Contestant("bare long poll", (sys.executable, "-m", "benchmarks.loops", "stamp"), stamp.template)
    sends, rounds = (15, 1) if is_quick else (50, 3)
    took: dict[str, list[float]] = {stamp.name: [], bare.name: []}
    for _ in range(rounds):
        for contestant in (stamp, bare):
            took[contestant.name] += _reactions(contestant, server, sends)
    rows = [[name, _ms(median(times)), _ms(quantiles(times, n=20)[-1])] for name, times in took.items()]
    ours_s, bare_s = median(took[stamp.name]), median(took[bare.name])
    results.add(
        Table("Send → handler starts, idle worker", ("", "median ms", "95 % ms"), rows),
        Figure(
            "send → handler starts, more than the raw wake-up",
            (ours_s - bare_s) * 1000,
            " ms",
            2,
            beside=f"{_ms(ours_s)} ms, raw {_ms(bare_s)} ms (medians)",
        ),
        Figure("a long poll of the local server wakes up in", bare_s * 1000, " ms", 5, beside="send included"),
    )


def _reactions(contestant: Contestant, server: Server, sends: int) -> list[float]:
    queue = server.create_queue()
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder) / "stamps"
        stamps.touch()
        environment = {**environment_of(contestant, server, queue), "BENCH_STAMPS": str(stamps)}
        with _started(contestant, server, queue, environment) as process:
            time.sleep(0.5)
            for count in range(sends + 1):  # The first one warms the path and is not counted.
                server.call("SendMessage", QueueUrl=queue.url, **job("stamp", sent_at=time.monotonic()))
                time.sleep(rng.uniform(*PAUSE_S))
                _await_lines(stamps, count + 1, process)
        times = [float(line) for line in stamps.read_text().split()]
    server.delete_queue(queue)
    return times[1:]


def _await_lines(stamps: Path, count: int, process: Process) -> None:
    deadline_at = time.monotonic() + 10
    while len(stamps.read_text().split()) < count:
        if time.monotonic() >= deadline_at:
            raise RunFailed("a job sent to an idle worker did not run\n" + "\n".join(process.tail))
        time.sleep(0.01)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def idle(server: Server, results: Results, *, is_quick: bool) -> None:
    """Nothing to do: CPU, requests and memory of a worker that waits."""
    queue = server.create_queue()
    contestant = forebay("--slots", "200")
    with _started(contestant, server, queue, environment_of(contestant, server, queue)) as process:
        if not is_quick:
            _await_receives(server, 2)  # The first wait is over: from here on it is at rest.
        began_at, requests, cpu_s = time.monotonic(), _requests(server), process.usage.cpu_s
        if is_quick:
            time.sleep(QUICK_IDLE_S)
        else:
            _await_receives(server, 2 + IDLE_POLLS)
        lasted_s, asked, usage = time.monotonic() - began_at, _requests(server) - requests, process.usage
    server.delete_queue(queue)
    results.add(
        None,
        Figure("requests a minute, idle", asked / lasted_s * 60, "", 3.2, beside=f"{asked} in {lasted_s:.0f} s"),
        Figure("CPU, idle", (usage.cpu_s - cpu_s) / lasted_s * 100, " % of a core", 0.3),
        Figure("memory, idle", usage.memory_mb, " MB", 60),
    )


def _requests(server: Server) -> int:
    return sum(server.stats()["requests"].values())


def _started(contestant: Contestant, server: Server, queue: Queue, environment: dict[str, str]) -> Process:
    """Start a worker on an empty queue and wait until it polls."""
    server.reset_stats()
    command = [part.format(url=queue.url, name=queue.name) for part in contestant.command]
    process = Process(command, environment, folder=contestant.folder)
    try:
        _await_receives(server, 1)
    except RunFailed:
        process.end()
        raise RunFailed(f"{contestant.name}: never asked for a message\n" + "\n".join(process.tail)) from None
    return process


def _await_receives(server: Server, count: int, *, timeout_s: float = 120.0) -> float:
    """Wait until so many receives have been asked for; return when that was."""
    deadline_at = time.monotonic() + timeout_s
    while server.stats()["requests"].get("ReceiveMessage", 0) < count:
        if time.monotonic() >= deadline_at:
            raise RunFailed(f"{count} receives did not come")
        time.sleep(LOOK_EVERY_S if count == 1 else 0.05)
    return time.monotonic()


def start(server: Server, results: Results, *, is_quick: bool) -> None:
    """How long the import takes, and how long until a new process asks for its first message."""
    rounds = 3 if is_quick else 9
    imports = [_import_s() for _ in range(rounds)]
    contestant = forebay("--slots", "200")
    firsts: list[float] = []
    for _ in range(rounds):
        queue = server.create_queue()
        began_at = time.monotonic()
        with _started(contestant, server, queue, environment_of(contestant, server, queue)):
            firsts.append(time.monotonic() - began_at)
        server.delete_queue(queue)
    results.add(
        None,
        Figure("import forebay (all that the README names)", median(imports), " s", 0.25),
        Figure("process start → first receive", median(firsts), " s", 0.6),
    )


def _import_s() -> float:
    code = f"import time; began = time.perf_counter(); {IMPORT}; print(time.perf_counter() - began)"
    command = pinned([sys.executable, "-c", code], WORKER_CORE)
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout)
