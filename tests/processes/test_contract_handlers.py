"""What handlers may do: everything that Python allows, and the worker goes on and tells truly how each ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.processes.harness import Sqs, WorkerProcess, assert_exact, running

pytestmark = pytest.mark.processes

RUDE = """
import asyncio, logging, os, sys, threading
from forebay import Worker

worker = Worker("rude")

class Own(BaseException): ...

@worker.job(attempts=1)
def raises_its_own(): raise Own("canary-7f3a")
@worker.job(attempts=1)
def leaves(): sys.exit(3)
@worker.job(attempts=1)
async def leaves_in_a_coroutine(): sys.exit(3)
@worker.job(attempts=1)
def interrupts(): raise KeyboardInterrupt
@worker.job(attempts=1)
async def interrupts_in_a_coroutine(): raise KeyboardInterrupt
@worker.job(attempts=1)
async def is_cancelled(): raise asyncio.CancelledError
@worker.job(attempts=1)
async def cancels_itself(): asyncio.current_task().cancel(); await asyncio.sleep(0)
@worker.job(attempts=1)
async def times_out_by_itself():
    async with asyncio.timeout(0.01): await asyncio.sleep(60)
@worker.job(attempts=1)
def recurses(): recurses()
@worker.job(attempts=1)
async def stops_iterating(): raise StopIteration

@worker.job
async def stops_the_loop(): asyncio.get_running_loop().stop()
@worker.job
async def waits_in_vain():
    try: await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except TimeoutError: pass
@worker.job
async def leaves_a_task_behind():
    async def fails(): raise ValueError("canary-7f3a")
    asyncio.create_task(fails()); await asyncio.sleep(0.01)
@worker.job
def runs_a_loop_of_its_own(): asyncio.run(asyncio.sleep(0.01))
@worker.job
def shuts_logging_down(): logging.shutdown(); logging.getLogger("rude").info("still heard")
@worker.job
def moves(): os.chdir("/")
@worker.job
def forgets_the_environment(): os.environ.clear()
@worker.job
def closes_standard_output(): sys.stdout.close()
@worker.job
def closes_the_descriptor(): os.close(1)
"""

FAIL = {
    "raises_its_own": "jobs.Own",
    "leaves": "SystemExit",
    "leaves_in_a_coroutine": "SystemExit",
    "interrupts": "KeyboardInterrupt",
    "interrupts_in_a_coroutine": "KeyboardInterrupt",
    "is_cancelled": "asyncio.exceptions.CancelledError",
    "cancels_itself": "asyncio.exceptions.CancelledError",
    "times_out_by_itself": "TimeoutError",
    "recurses": "RecursionError",
    "stops_iterating": "RuntimeError",
}
SUCCEED = {
    "stops_the_loop", "waits_in_vain", "leaves_a_task_behind", "runs_a_loop_of_its_own", "shuts_logging_down", "moves",
    "forgets_the_environment", "closes_standard_output", "closes_the_descriptor",
}  # fmt: skip


def worked(sqs: Sqs, folder: Path, code: str, *jobs: tuple[str | None, object], options: tuple[str, ...] = ()) -> Any:
    """Run these jobs until the queue is empty; return the worker and its dead-letter queue."""
    (folder / "jobs.py").write_text(code)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    for job, body in jobs:
        sqs.send(queue, body, job=job)
    with running(sqs, [queue], "--exit-when-empty", *options, target="jobs", folder=folder) as worker:
        status = worker.wait()
    assert status == 0, worker.errors
    assert sqs.counts(queue) == (0, 0, 0)
    assert_exact(worker.ledger)
    return worker, dead


def finished(worker: WorkerProcess) -> dict[str, dict[str, Any]]:
    """How the last attempt of each job ended."""
    return {line["job"]: line for line in worker.events("attempt.finished")}


def test_nothing_that_a_handler_raises_stops_cancels_or_closes_stops_the_worker(sqs: Sqs, tmp_path: Path) -> None:
    jobs: list[tuple[str | None, object]] = [(job, {}) for job in (*FAIL, *SUCCEED)]

    worker, _ = worked(sqs, tmp_path, RUDE, *jobs)

    ended = finished(worker)
    assert {job: line["error"] for job, line in ended.items() if line["outcome"] == "failed"} == FAIL
    assert {job for job, line in ended.items() if line["outcome"] == "succeeded"} == SUCCEED
    assert worker.ledger["buried"] == len(FAIL)
    assert [line["job"] for line in worker.events("log") if line["message"] == "still heard"] == ["shuts_logging_down"]
    assert "canary" not in "\n".join(worker.raw) + worker.errors


CURIOUS = """
import asyncio, time
from forebay import Context, RetryLater, Worker

worker = Worker("curious")

def first_time(ctx):
    if ctx.attempt == 1:
        raise RetryLater(1, "not yet")

def told(ctx):
    before = ctx.remaining_s
    ctx.extend("10m")
    return before

def learned(ctx, before, n):
    ctx.log.warning("learned", extra={
        "before_s": before, "after_s": ctx.remaining_s, "n": n, "deadline": ctx.deadline.isoformat(),
        "stopping": bool(ctx.stopping), "lost": bool(ctx.lease_lost), "body": ctx.message.body,
    })

@worker.job(timeout="1m")
async def on_the_loop(ctx: Context, n: int) -> None:
    first_time(ctx)
    before = told(ctx)
    while ctx.remaining_s < 120:
        await asyncio.sleep(0.01)
    learned(ctx, before, n)

@worker.job(timeout="1m")
def on_a_thread(ctx: Context, n: int) -> None:
    first_time(ctx)
    before = told(ctx)
    while ctx.remaining_s < 120:
        time.sleep(0.01)
    learned(ctx, before, n)
"""


@pytest.mark.parametrize("job", ["on_the_loop", "on_a_thread"])
def test_a_context_tells_and_asks_the_same_in_a_coroutine_and_in_a_thread(sqs: Sqs, tmp_path: Path, job: str) -> None:
    worker, _ = worked(sqs, tmp_path, CURIOUS, (job, {"n": 7, "unknown": "passed over"}))

    postponed, succeeded = worker.events("attempt.finished")
    assert (postponed["outcome"], postponed["delay_s"], postponed["reason"]) == ("postponed", 1.0, "not yet")
    assert (succeeded["outcome"], succeeded["attempt"]) == ("succeeded", 2)
    (learned,) = worker.events("log")
    assert (learned["logger"], learned["level"], learned["message"]) == (f"forebay.job.{job}", "WARNING", "learned")
    assert (learned["job"], learned["attempt"], learned["message_id"]) == (job, 2, succeeded["message_id"])
    assert (learned["n"], learned["stopping"], learned["lost"]) == (7, False, False)
    assert 0 < learned["before_s"] <= 60 < 120 <= learned["after_s"] <= 600
    assert learned["deadline"].endswith("+00:00")


SLOW = """
import asyncio, threading, time
from forebay import Context, Worker

worker = Worker("slow")
is_over = threading.Event()

@worker.job(timeout="1s", attempts=2)
async def coroutine(ctx: Context) -> None:
    if ctx.attempt == 1:
        await asyncio.sleep(60)

@worker.job(timeout="1s")
def thread(ctx: Context) -> None:
    ctx.stopping.wait(30)      # the limit asks; a thread answers when it likes
    time.sleep(2)

@worker.job(timeout="1s")
async def stubborn() -> None:
    until = asyncio.get_running_loop().time() + 3
    while asyncio.get_running_loop().time() < until:
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            pass
"""


def test_a_coroutine_beyond_its_timeout_is_stopped_and_tried_again(sqs: Sqs, tmp_path: Path) -> None:
    worker, _ = worked(sqs, tmp_path, SLOW, ("coroutine", {}))

    late, done = worker.events("attempt.finished")
    assert (late["outcome"], late["limit_s"], late["stopped"], late["settlement"]) == (
        "timed_out",
        1.0,
        True,
        "release",
    )
    assert (done["outcome"], done["attempt"]) == ("succeeded", 2)


@pytest.mark.parametrize("job", ["thread", "stubborn"])
def test_code_that_does_not_stop_keeps_its_lease_and_its_slot_where_it_is_to_be_waited_for(
    sqs: Sqs, tmp_path: Path, job: str
) -> None:
    """A promise that Python cannot keep is not made: it is asked, reported, and believed when it ends after all."""
    options = ("--visibility", "2", "--drain", "1", "--slots", "1", "--stuck", "wait")

    worker, _ = worked(sqs, tmp_path, SLOW, (job, {}), (job, {}), options=options)

    assert worker.ledger["received"] == 2  # nobody was given one of them meanwhile
    assert worker.ledger["succeeded"] == 2
    assert {line["job"] for line in worker.events("attempt.stuck")} == {job}
    names = [line["event"] for line in worker.lines if line["event"] in ("attempt.started", "attempt.finished")]
    assert names == ["attempt.started", "attempt.finished"] * 2


ROUTED = """
from forebay import Context, Message, Reject, Worker

worker = Worker("routed")

@worker.job
async def known(number: int) -> None: ...

@worker.job
def rejects() -> None:
    raise Reject("this can never work")
"""


def test_what_nobody_here_can_do_is_buried_with_the_reason(sqs: Sqs, tmp_path: Path) -> None:
    jobs: list[tuple[str | None, object]] = [
        ("unknown", {}), (None, "no name"), ("known", "canary-7f3a is no JSON"), ("known", [1]),
        ("known", {"number": "canary-7f3a"}), ("known", {}), ("rejects", {}),
    ]  # fmt: skip

    worker, dead = worked(sqs, tmp_path, ROUTED, *jobs)

    reasons = {line["reason"] for line in worker.events("message.buried")}
    assert reasons == {
        "no job named 'unknown' is declared here",
        "the message names no job (attribute 'job') and there is no default handler",
        "the body: is not valid JSON",
        "the body: Input should be an object",
        "number: Input should be a valid integer, unable to parse string as an integer",
        "number: Field required",
        "this can never work",
    }
    buried = sqs.take(dead)
    notes = [json.loads(message["MessageAttributes"]["forebay.error"]["StringValue"]) for message in buried]
    assert {note["reason"] for note in notes} == reasons
    assert len(buried) == worker.ledger["buried"] == len(jobs)
    assert "canary" not in "\n".join(worker.raw) + json.dumps(notes)


def test_a_name_that_goes_on_for_ever_does_not_fill_the_log(sqs: Sqs, tmp_path: Path) -> None:
    worker, dead = worked(sqs, tmp_path, ROUTED, ("n" * 100_000, {}))

    assert max(map(len, worker.raw)) < 2_000
    assert "(100,000 characters)" in worker.events("message.buried")[0]["reason"]
    assert sqs.take(dead)[0]["MessageAttributes"]["job"]["StringValue"] == "n" * 100_000
