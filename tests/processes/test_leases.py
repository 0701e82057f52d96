"""Leases in real time: heartbeats, redelivery after a death, code that blocks, and code that holds the interpreter."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, running

pytestmark = pytest.mark.processes


def test_messages_that_a_killed_worker_held_come_back_within_the_visibility_timeout(sqs: Sqs) -> None:
    """C3: visibility is short at receive and kept up by heartbeats, so a death costs seconds, not an hour."""
    queue = sqs.queue()
    with running(sqs, [queue], "--visibility", "3") as worker:
        (message_id,) = sqs.send(queue, "600000")
        worker.wait_line("attempt.started")

        worker.signal(signal.SIGKILL)
        worker.wait()

    taken = sqs.take(queue, wait_s=6)
    assert [message["MessageId"] for message in taken] == [message_id]


def test_a_slot_that_takes_longer_than_the_visibility_timeout_runs_each_job_once(sqs: Sqs) -> None:
    """C5: one slot, ten jobs, each half as long as the visibility timeout."""
    queue = sqs.queue()
    sqs.send(queue, *["600"] * 10)
    with running(sqs, [queue], "--slots", "1", "--visibility", "2", "--exit-when-empty") as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["received"] == 10
    assert worker.ledger["succeeded"] == 10


BLOCKED_LOOP = """
import ctypes
import time
from forebay import Worker

worker = Worker("blocking")

@worker.job
async def blocks(seconds: float) -> None:
    time.sleep(seconds)          # in async def: the handlers' event loop stands still

@worker.job
async def holds_the_interpreter(seconds: float) -> None:
    libc = ctypes.PyDLL(None)    # PyDLL keeps the GIL during the call
    libc.usleep(int(seconds * 1e6))
"""


def test_a_handler_that_blocks_its_event_loop_loses_no_lease_and_is_pointed_at(sqs: Sqs, tmp_path: Path) -> None:
    """C6: heartbeats come from another thread, and the event shows the line."""
    (tmp_path / "jobs.py").write_text(BLOCKED_LOOP)
    queue = sqs.queue()
    options = ("--visibility", "3", "--exit-when-empty")
    with running(sqs, [queue], *options, target="jobs", folder=tmp_path) as worker:
        sqs.send(queue, {"seconds": 7}, job="blocks")
        blocked = worker.wait_line("handlers.blocked")
        status = worker.wait()

    assert status == 0
    assert "jobs.py:" in blocked["stack"]
    assert "blocks" in blocked["stack"]
    assert worker.ledger["received"] == 1
    assert worker.ledger["succeeded"] == 1


def test_a_handler_that_holds_the_interpreter_for_less_than_half_the_visibility_loses_no_lease(
    sqs: Sqs, tmp_path: Path
) -> None:
    """C6: nothing of ours runs meanwhile, and there is still time for the heartbeat afterwards."""
    (tmp_path / "jobs.py").write_text(BLOCKED_LOOP)
    queue = sqs.queue()
    options = ("--visibility", "6", "--slots", "1", "--exit-when-empty")
    with running(sqs, [queue], *options, target="jobs", folder=tmp_path) as worker:
        sqs.send(queue, *[{"seconds": 2.5}] * 3, job="holds_the_interpreter")
        status = worker.wait()

    assert status == 0
    assert not worker.events("lease.lost")
    assert worker.ledger["received"] == 3
    assert worker.ledger["succeeded"] == 3


def test_a_handler_that_holds_the_interpreter_for_longer_loses_its_lease_and_is_not_deleted(
    sqs: Sqs, tmp_path: Path
) -> None:
    """C6: no thread can beat then; what is left is to know it and to say so."""
    (tmp_path / "jobs.py").write_text(BLOCKED_LOOP)
    queue = sqs.queue()
    with running(sqs, [queue], "--visibility", "2", "--drain", "1", target="jobs", folder=tmp_path) as worker:
        sqs.send(queue, {"seconds": 5}, job="holds_the_interpreter")
        worker.wait_line("lease.lost")
        worker.signal()
        worker.wait()

    assert worker.ledger["lease_lost"] >= 1
    assert worker.ledger["succeeded"] == 0
    assert_exact(worker.ledger)


def test_heartbeats_and_deletes_do_not_race(sqs: Sqs) -> None:
    """C7: runtimes around the heartbeat's interval; no error is logged and nothing comes back."""
    queue = sqs.queue()
    sqs.send(queue, *[str(600 + index % 10 * 15) for index in range(1000)])
    with running(sqs, [queue], "--visibility", "2", "--slots", "500", "--exit-when-empty") as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["received"] == 1000
    assert worker.ledger["succeeded"] == 1000
    assert not worker.events("lease.lost")
    assert not worker.events("settle.failed")
