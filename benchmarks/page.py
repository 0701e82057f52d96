"""The page of `forebay local`, and what it costs to bring it up to date twice a second for somebody who looks."""

from __future__ import annotations

import http.client
import sys
import time
from urllib.parse import urlsplit

from benchmarks.drain import RunFailed
from benchmarks.machine import REPOSITORY, WORKER_CORE
from benchmarks.process import Process
from benchmarks.report import Figure, Results
from benchmarks.server import Server

TASKS = 50
PATIENCE_S = 30.0
SETTLE_S = 2.0
"""The page and the history of its charts were read by then."""


def page_updates(server: Server, results: Results, *, is_quick: bool) -> None:
    """Look at a page of fifty busy tasks over a scripted cloud whose time stands still: all CPU used is the page's."""
    del server  # The page needs none.
    command = [sys.executable, "-m", "tests.browser.fake_cloud"]
    options = ["--port", "0", "--speed", "0", "--busy-tasks", str(TASKS)]
    with Process([*command, *options], {}, folder=REPOSITORY, core=WORKER_CORE) as process:
        viewer = http.client.HTTPConnection(urlsplit(_address(process)).netloc, timeout=PATIENCE_S)
        viewer.request("GET", "/events")
        answer = viewer.getresponse()
        _look(answer, SETTLE_S)
        cpu_s, began_at = process.usage.cpu_s, time.monotonic()
        pictures, size_bytes = _look(answer, 5.0 if is_quick else 30.0)
        used_s, lasted_s = process.usage.cpu_s - cpu_s, time.monotonic() - began_at
        viewer.close()
    results.add(
        None,
        Figure(
            f"CPU of the page's server, one viewer, {TASKS} tasks",
            used_s / lasted_s * 100,
            " % of a core",
            3,
            beside=f"{pictures / lasted_s:.1f} pictures/s of {size_bytes / max(1, pictures) / 1000:.0f} kB",
        ),
    )


def _look(answer: http.client.HTTPResponse, seconds: float) -> tuple[int, int]:
    """Take pictures for so long; return how many came, and how many bytes they were."""
    until, pictures, size_bytes = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        line = answer.readline()
        if not line:
            raise RunFailed("the page has ended its stream")
        size_bytes += len(line)
        pictures += line.startswith(b"event: picture")
    return pictures, size_bytes


def _address(process: Process) -> str:
    """Wait for the line that tells the page's address."""
    until = time.monotonic() + PATIENCE_S
    while not (found := [line for line in process.tail if line.startswith("http://")]):
        if process.has_ended or time.monotonic() > until:
            raise RunFailed(f"the page did not open: {list(process.tail)}")
        time.sleep(0.05)
    return found[0]
