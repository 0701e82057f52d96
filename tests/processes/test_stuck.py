"""Code that cannot be stopped: it is told with its stack, and the worker replaces itself without harm to the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, running

pytestmark = pytest.mark.processes

OPTIONS = ("--visibility", "2", "--drain", "1", "--slots", "4")

STUBBORN = """
import ctypes, time
from forebay import Context, Worker

worker = Worker("stubborn")

def deep_inside() -> None:
    while True:
        time.sleep(60)

@worker.job(timeout="1s")
def sleeps() -> None:
    deep_inside()

@worker.job(timeout="1s")
def calls_c() -> None:
    while True:
        ctypes.CDLL(None).sleep(60)      # a foreign call: it lets other threads run, and no Python reaches it

@worker.job(timeout="30s")
def other() -> None:
    time.sleep(4)
"""


@pytest.mark.parametrize(("job", "place"), [("sleeps", "deep_inside"), ("calls_c", "calls_c")])
def test_a_thread_that_does_not_end_makes_the_worker_replace_itself(
    sqs: Sqs, tmp_path: Path, job: str, place: str
) -> None:
    (tmp_path / "jobs.py").write_text(STUBBORN)
    queue = sqs.queue()
    with running(sqs, [queue], *OPTIONS, target="jobs:worker", folder=tmp_path) as worker:
        sqs.send(queue, "{}", job="other")
        worker.wait_line("attempt.started", job="other")
        (stuck_id,) = sqs.send(queue, "{}", job=job)
        stuck = worker.wait_line("attempt.stuck")
        status = worker.wait()

    assert stuck["message_id"] == stuck_id
    assert f" {place}" in str(stuck["stack"])
    assert "jobs.py:" in str(stuck["stack"])
    assert status == 1
    assert worker.ledger["reason"] == f"job '{job}' does not stop"
    assert_exact(worker.ledger)
    assert (worker.ledger["succeeded"], worker.ledger["released"]) == (1, 1)
    assert [message["MessageId"] for message in sqs.take(queue, wait_s=20)] == [stuck_id]


def test_while_it_replaces_itself_it_takes_nothing_new(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(STUBBORN)
    queue = sqs.queue()
    with running(sqs, [queue], *OPTIONS, target="jobs:worker", folder=tmp_path) as worker:
        sqs.send(queue, "{}", job="sleeps")
        worker.wait_line("attempt.stuck")
        (late_id,) = sqs.send(queue, "{}", job="other")
        worker.wait()

    assert [line["job"] for line in worker.events("attempt.started")] == ["sleeps"]
    assert late_id in {message["MessageId"] for message in sqs.take(queue, wait_s=20)}
