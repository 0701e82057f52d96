"""Jobs in child processes: TARGET `benchmarks.jobs_isolated`."""

from __future__ import annotations

import os
import time

from forebay import Worker

worker = Worker("bench")


@worker.job(isolate=True, attempts=1)
def noop(note: str) -> None:
    """Do nothing."""


@worker.job(isolate=True, attempts=1)
def stamp(crashes: bool) -> None:
    """Write down when and in which process it began, by the clock that all processes share; then crash if told to."""
    with open(os.environ["BENCH_STAMPS"], "a", encoding="utf-8") as stamps:
        stamps.write(f"{time.monotonic()} {os.getpid()}\n")
    if crashes:
        os.abort()
