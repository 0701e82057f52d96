"""Batch handlers of real workers: batches fill and linger, and each message is settled on its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, running

pytestmark = pytest.mark.processes

INGEST = """
import asyncio, logging, threading, time
from collections.abc import Iterator
from forebay import Batch, Context, Reject, RetryLater, Worker

log = logging.getLogger("ingest")
worker = Worker("ingest")
control = threading.main_thread()

def note(what, **more):
    log.warning(what, extra={"on_control_loop": threading.current_thread() is control, **more})

@worker.around_attempt
def noted(ctx: Context) -> Iterator[None]:
    note("around", messages=len(ctx.messages))
    yield

def work(items):
    note("batch", items=len(items), numbers=" ".join(str(item["n"]) for item in items))
    for index, item in enumerate(items):
        if item.get("fails"):
            items.fail(index, ValueError("canary-7f3a"))
        if item.get("rejected"):
            items.fail(index, Reject("not this one"))
    if any(item.get("breaks") for item in items):
        raise ConnectionError("canary-7f3a")

@worker.batch(size=20, linger="500ms", attempts=1)
def on_thread(items: Batch[dict[str, int]]) -> None:
    work(items)

@worker.batch(size=20, linger="500ms", attempts=1)
async def on_loop(items: Batch[dict[str, int]]) -> None:
    work(items)

@worker.batch(size=2, linger="10s", timeout="1s", attempts=1)
async def waits(items: Batch[dict[str, int]]) -> None:
    items.fail(0, Reject("before the limit"))
    await asyncio.Event().wait()

@worker.batch(size=2, linger="10s")
async def until_stopped(items: Batch[dict[str, int]]) -> None:
    note("runs")
    await items.stopping
    items.fail(1, RetryLater())
"""


@pytest.mark.parametrize("job", ["on_thread", "on_loop"])
def test_a_batch_is_one_call_and_each_of_its_messages_has_an_end_of_its_own(sqs: Sqs, tmp_path: Path, job: str) -> None:
    (tmp_path / "jobs.py").write_text(INGEST)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    bodies: list[object] = [
        {"n": n, **({"fails": 1} if n == 3 else {"rejected": 1} if n == 4 else {})} for n in range(19)
    ]
    sqs.send(queue, *bodies, {"n": "canary-7f3a"}, job=job)
    with running(sqs, [queue], "--exit-when-empty", "--slots", "40", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    notes = [line for line in worker.events("log") if line["logger"] == "ingest"]
    batches = [line for line in notes if line["message"] == "batch"]
    assert sum(line["items"] for line in batches) == 19
    assert len(batches) < 5, [line["items"] for line in batches]
    assert [line["messages"] for line in notes if line["message"] == "around"] == [line["items"] for line in batches]
    assert not any(line["on_control_loop"] for line in notes)
    assert all(line["job"] == job and line["batch"] > 0 and "message_id" not in line for line in notes)
    assert (worker.ledger["succeeded"], worker.ledger["buried"]) == (17, 3)
    assert_exact(worker.ledger)
    assert sqs.counts(queue) == (0, 0, 0)
    assert sqs.counts(dead)[0] == 3
    assert "canary" not in "\n".join(worker.raw) + worker.errors


def test_what_a_batch_raises_fails_its_items_and_a_limit_ends_the_whole_call(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(INGEST)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    sqs.send(queue, {"n": 1}, {"n": 2, "breaks": 1}, job="on_loop")
    sqs.send(queue, {"n": 3}, {"n": 4}, job="waits")
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    ended = sorted((line["job"], line["outcome"]) for line in worker.events("attempt.finished"))
    assert ended == [
        ("on_loop", "failed"), ("on_loop", "failed"), ("waits", "rejected"), ("waits", "timed_out"),
    ]  # fmt: skip
    assert worker.ledger["buried"] == 4


def test_a_batch_is_told_of_a_stop_and_hands_back_what_is_not_done(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(INGEST)
    queue = sqs.queue()
    sqs.send(queue, {"n": 1}, {"n": 2}, job="until_stopped")
    with running(sqs, [queue], target="jobs", folder=tmp_path) as worker:
        worker.wait_line("log", message="runs")
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0, worker.errors

    assert (worker.ledger["succeeded"], worker.ledger["retried"]) == (1, 1)
    assert_exact(worker.ledger)
