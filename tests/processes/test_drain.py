"""Stopping, with real processes and real signals: what is drained, what is given back, and the exit status."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, running

pytestmark = pytest.mark.processes


def test_a_stop_during_an_idle_poll_loses_no_message(sqs: Sqs) -> None:
    """C2: what the open poll brings after the signal goes back at once, for another consumer."""
    queue = sqs.queue()
    with running(sqs, [queue]) as worker:
        worker.wait_line("poll.started")

        worker.signal()
        worker.wait_line("drain.started")
        (message_id,) = sqs.send(queue, "10")
        status = worker.wait()

    taken = sqs.take(queue, wait_s=2)
    assert status == 0
    assert [message["MessageId"] for message in taken] == [message_id]
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)


def test_a_job_that_ends_within_the_drain_is_deleted_once_and_never_released(sqs: Sqs) -> None:
    """C4: settling outlives receiving."""
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1") as worker:
        sqs.send(queue, "1500")
        worker.wait_line("attempt.started")

        worker.signal()
        status = worker.wait()

    assert status == 0
    assert worker.ledger["succeeded"] == 1
    assert worker.ledger["released"] == 0
    assert sqs.counts(queue) == (0, 0, 0)


def test_a_job_longer_than_the_drain_is_interrupted_and_given_back(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1", "--drain", "0.5") as worker:
        sqs.send(queue, "600000")
        worker.wait_line("attempt.started")

        worker.signal()
        status = worker.wait()

    assert status == 0
    assert worker.ledger["released"] == 1
    assert sqs.counts(queue) == (1, 0, 0)


def test_the_second_signal_leaves_at_once_with_status_1(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1") as worker:
        sqs.send(queue, "600000")
        worker.wait_line("attempt.started")
        worker.signal(signal.SIGINT)
        worker.wait_line("drain.started")

        while not worker.has_ended:  # an echo within a blink counts once, so insist
            worker.signal(signal.SIGINT)
            worker.process.poll()
            if worker.process.returncode is not None:
                break
        status = worker.wait()

    assert status == 1
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)


BLOCKING = """
import time
from forebay import Worker

worker = Worker("blocking")

@worker.default
def forever(body: str) -> None:
    while True:
        time.sleep(60)
"""


def test_code_that_cannot_be_stopped_is_left_behind_and_its_message_comes_back(sqs: Sqs, tmp_path: Path) -> None:
    """Decision 8's last resort: a thread cannot be killed, so the process leaves without it."""
    (tmp_path / "jobs.py").write_text(BLOCKING)
    queue = sqs.queue()
    with running(sqs, [queue], "--drain", "0.5", target="jobs:worker", folder=tmp_path) as worker:
        (message_id,) = sqs.send(queue, "x")
        worker.wait_line("attempt.started")

        worker.signal()
        status = worker.wait()

    assert status == 0
    assert worker.events("attempt.stuck")
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)
    assert [message["MessageId"] for message in sqs.take(queue, wait_s=20)] == [message_id]
