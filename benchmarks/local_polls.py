"""The local SQS with nothing to do: what two hundred long polls that wait cost it."""

from __future__ import annotations

import sys
import time

from benchmarks.drain import Contestant, RunFailed, environment_of
from benchmarks.process import Process
from benchmarks.report import Figure, Results
from benchmarks.server import Server

POLLS = 200
WAITS_S = 20.0
PATIENCE_S = 30.0


def idle_polls(server: Server, results: Results, *, is_quick: bool) -> None:
    """Let the polls wait, through two whole waits, and read the server's CPU."""
    queue = server.create_queue()
    contestant = Contestant("idle polls", (sys.executable, "-m", "benchmarks.loops", "raw", str(POLLS)), {})
    environment = environment_of(contestant, server, queue)
    with Process(list(contestant.command), environment, folder=contestant.folder):
        _await_open(server)
        began_at, cpu_s = time.monotonic(), server.usage.cpu_s
        time.sleep(3.0 if is_quick else 2 * WAITS_S)
        lasted_s, used_s = time.monotonic() - began_at, server.usage.cpu_s - cpu_s
        still_open = int(server.stats()["polls_open"])
    server.delete_queue(queue)
    results.add(
        None,
        Figure(
            f"CPU of the local server, {POLLS} idle long polls",
            used_s / lasted_s * 100,
            " % of a core",
            1,
            beside=f"{still_open} open at the end of {lasted_s:.0f} s",
        ),
    )


def _await_open(server: Server) -> None:
    deadline_at = time.monotonic() + PATIENCE_S
    while server.stats()["polls_open"] < POLLS:
        if time.monotonic() > deadline_at:
            raise RunFailed(f"only {server.stats()['polls_open']} of {POLLS} long polls are open")
        time.sleep(0.05)
