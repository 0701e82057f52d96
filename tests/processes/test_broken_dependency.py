"""Something that a job depends on breaks and comes back: nothing is buried for it, and the work goes on at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, running, wait_for

pytestmark = pytest.mark.processes

JOBS = """
from pathlib import Path
from forebay import Worker

worker = Worker("shop")

@worker.job(attempts=2)
async def charge(order: int) -> None:
    if not Path("database").exists():
        raise ConnectionError("canary-7f3a")

@worker.job
async def greet() -> None: ...
"""


def test_a_broken_dependency_buries_nothing_and_its_return_is_noticed(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    sqs.send(queue, *({"order": number} for number in range(60)), job="charge")
    with running(sqs, [queue], "--drain", "1", target="jobs:worker", folder=tmp_path) as worker:
        suspected = worker.wait_line("dependency.suspected")
        sqs.send(queue, *({} for _ in range(20)), job="greet")
        worker.wait_line("attempt.finished", 20, job="greet", outcome="succeeded")
        worker.wait_line("attempt.finished", 52, job="charge", outcome="failed")  # two probes, or more

        (tmp_path / "database").touch()
        worker.wait_line("dependency.recovered")
        wait_for(lambda: True if sqs.counts(queue) == (0, 0, 0) else None, "the rest to be done")
        worker.signal()
        worker.wait()

    assert (suspected["job"], suspected["window"]) == ("charge", 50)
    assert sqs.counts(dead) == (0, 0, 0)
    assert worker.events("message.buried") == []
    assert worker.ledger["succeeded"] == 80
    assert_exact(worker.ledger)
