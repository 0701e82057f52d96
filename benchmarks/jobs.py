"""The jobs that the benchmarks run on Forebay: TARGET `benchmarks.jobs`."""

from __future__ import annotations

import asyncio
import os
import time

from forebay import Worker

NOTE = "n" * 80

worker = Worker("bench")


@worker.job
async def noop(note: str) -> None:
    """Do nothing."""


@worker.job
async def nap(seconds: float) -> None:
    """Wait for the outside, as jobs do."""
    await asyncio.sleep(seconds)


@worker.job
async def stamp(sent_at: float) -> None:
    """Write down how long ago `sent_at` was, by the clock that all processes of a machine share."""
    took_s = time.monotonic() - sent_at
    with open(os.environ["BENCH_STAMPS"], "a", encoding="utf-8") as stamps:  # noqa: ASYNC230 - one short line
        stamps.write(f"{took_s}\n")
