"""The no-op of `benchmarks.jobs` as a plain `def`: TARGET `benchmarks.jobs_on_threads`."""

from __future__ import annotations

from forebay import Worker

worker = Worker("bench")


@worker.job
def noop(note: str) -> None:
    """Do nothing."""
