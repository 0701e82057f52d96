"""What handlers learn of stops and of leases that are lost, and machines whose clock is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, control, running, wait_for

pytestmark = pytest.mark.processes

LISTENING = """
from forebay import Context, RetryLater, Worker

worker = Worker("listening")

@worker.job
async def lost_in_a_coroutine(ctx: Context) -> None:
    await ctx.lease_lost
    ctx.log.info("heard")

@worker.job
def lost_in_a_thread(ctx: Context) -> None:
    while not ctx.lease_lost.wait(60):
        pass
    ctx.log.info("heard")

@worker.job
async def stopped_in_a_coroutine(ctx: Context) -> None:
    await ctx.stopping
    ctx.log.info("heard")
    raise RetryLater(1, "somebody else may go on")

@worker.job
def stopped_in_a_thread(ctx: Context) -> None:
    while not ctx.stopping.wait(60):
        pass
    ctx.log.info("heard")
    raise RetryLater(1, "somebody else may go on")
"""


@pytest.mark.parametrize("job", ["lost_in_a_coroutine", "lost_in_a_thread"])
def test_a_handler_hears_that_its_lease_is_lost_and_its_success_deletes_nothing(
    sqs: Sqs, tmp_path: Path, job: str
) -> None:
    (tmp_path / "jobs.py").write_text(LISTENING)
    queue = sqs.queue()
    (message_id,) = sqs.send(queue, {}, job=job)
    sqs.chaos({"effect": "unavailable", "operations": ["ChangeMessageVisibilityBatch"]})
    options = ("--visibility", "3", "--drain", "1", "--slots", "1")
    with running(sqs, [queue], *options, target="jobs", folder=tmp_path) as worker:
        worker.wait_line("attempt.finished")
        worker.signal()
        worker.wait()
        sqs.chaos()

    lost = worker.events("lease.lost")[0]
    assert (lost["message_id"], lost["state"], lost["level"]) == (message_id, "running", "ERROR")
    finished = worker.events("attempt.finished")[0]
    assert (finished["outcome"], finished["settlement"]) == ("succeeded", "none")
    assert worker.ledger["lease_lost"] >= 1
    assert worker.ledger["succeeded"] == 0
    assert_exact(worker.ledger)
    wait_for(lambda: True if sqs.counts(queue)[0] == 1 else None, "the message, for somebody else")


@pytest.mark.parametrize("job", ["stopped_in_a_coroutine", "stopped_in_a_thread"])
def test_a_handler_hears_of_the_stop_and_may_hand_its_job_on(sqs: Sqs, tmp_path: Path, job: str) -> None:
    (tmp_path / "jobs.py").write_text(LISTENING)
    queue = sqs.queue()
    sqs.send(queue, {}, job=job)
    with running(sqs, [queue], "--slots", "1", target="jobs", folder=tmp_path) as worker:
        worker.wait_line("attempt.started")
        worker.signal()
        status = worker.wait()

    assert status == 0
    assert [line["message"] for line in worker.events("log")] == ["heard"]
    finished = worker.events("attempt.finished")[0]
    assert (finished["outcome"], finished["delay_s"]) == ("postponed", 1.0)
    assert worker.ledger["retried"] == 1
    assert len(sqs.take(queue, wait_s=5)) == 1


@pytest.mark.parametrize("ahead_s", [3_600, -3_600], ids=["behind", "ahead"])
def test_a_machine_whose_clock_is_an_hour_off_works_all_the_same_and_says_so_once(sqs: Sqs, ahead_s: int) -> None:
    queue = sqs.queue()
    sqs.send(queue, *["100"] * 10)
    control("PUT", f"{sqs.endpoint}/_forebay/modes", {"clock_ahead_s": ahead_s})
    try:
        with running(sqs, [queue], "--exit-when-empty") as worker:
            status = worker.wait()
    finally:
        control("PUT", f"{sqs.endpoint}/_forebay/modes", {"clock_ahead_s": 0})

    assert status == 0
    assert worker.ledger["succeeded"] == 10
    (corrected,) = worker.events("clock.corrected")
    assert abs(corrected["skew_s"] - ahead_s) < 60
