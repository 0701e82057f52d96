"""Start and stop hooks of real workers: before all work and after it, in time, and never on the control loop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes.harness import (
    KEYS,
    PATIENCE_S,
    Sqs,
    WorkerProcess,
    assert_exact,
    clean_environment,
    running,
)

pytestmark = pytest.mark.processes

SHOP = """
import asyncio, logging, threading
from collections.abc import AsyncIterator, Iterator
from forebay import Context, Depends, Worker

log = logging.getLogger("shop")
worker = Worker("shop")
control = threading.main_thread()

def note(what):
    log.warning(what, extra={"on_control_loop": threading.current_thread() is control})

class Db: ...

@worker.on_start
async def open_db() -> AsyncIterator[Db]:
    note("db opens")
    yield Db()
    note("db closes")

@worker.on_start
def warm_up(db: Db) -> None:
    note("warm up")

@worker.on_stop
def flush() -> None:
    note("flush")

@worker.around_attempt
async def traced(ctx: Context) -> AsyncIterator[None]:
    note("before")
    yield
    note("after")

def plain() -> Iterator[str]:
    note("dependency")
    yield "plain"
    note("clean-up")

async def asynchronous(one: str = Depends(plain)) -> str:
    note("asynchronous dependency")
    return one

@worker.job
def on_thread(ctx: Context, one: str = Depends(asynchronous), db: Db = Depends(open_db)) -> None:
    assert ctx.shared(Db) is db
    note("handler")

@worker.job
async def on_loop(ctx: Context, one: str = Depends(asynchronous), db: Db = Depends(open_db)) -> None:
    assert ctx.shared(Db) is db
    note("handler")
"""


def notes(worker: WorkerProcess) -> list[str]:
    return [line["message"] for line in worker.events("log") if line["logger"] == "shop"]


@pytest.mark.parametrize("job", ["on_thread", "on_loop"])
def test_everything_of_the_users_runs_in_order_and_nothing_of_it_on_the_control_loop(
    sqs: Sqs, tmp_path: Path, job: str
) -> None:
    (tmp_path / "jobs.py").write_text(SHOP)
    queue = sqs.queue()
    sqs.send(queue, {}, job=job)
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    assert notes(worker) == [
        "db opens", "warm up",
        "before", "dependency", "asynchronous dependency", "handler", "clean-up", "after",
        "flush", "db closes",
    ]  # fmt: skip
    assert not any(line["on_control_loop"] for line in worker.events("log") if line["logger"] == "shop")
    events = [line["event"] for line in worker.lines]
    assert events.index("worker.started") < events.index("attempt.started")
    assert events[-1] == "worker.stopped"
    assert_exact(worker.ledger)


def test_a_start_hook_that_raises_ends_the_worker_with_its_traceback_and_nothing_received(
    sqs: Sqs, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(
        SHOP + "\n@worker.on_start\ndef broken() -> None:\n    raise ConnectionError('to whom it may concern')\n"
    )
    queue = sqs.queue()
    sqs.send(queue, {}, job="on_loop")
    with running(sqs, [queue], target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 1
    assert "in broken\n    raise ConnectionError('to whom it may concern')" in worker.errors
    assert "forebay/api" not in worker.errors
    assert notes(worker) == ["db opens", "warm up", "flush", "db closes"]
    [failed] = worker.events("hook.failed")
    assert (failed["hook"], failed["error"]) == ("start hook 'broken'", "ConnectionError")
    assert "concern" not in "\n".join(worker.raw)
    assert worker.ledger["received"] == 0
    assert worker.ledger["reason"] == "start hook 'broken' raised ConnectionError"
    assert sqs.counts(queue) == (1, 0, 0)


def test_a_request_to_stop_does_not_wait_for_start_hooks(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        SHOP + "\n@worker.on_start\ndef slow() -> None:\n    note('waits')\n    threading.Event().wait()\n"
    )
    with running(sqs, [sqs.queue()], target="jobs", folder=tmp_path) as worker:
        worker.wait_line("log", message="waits")
        worker.signal()

        assert worker.wait() == 0, worker.errors
    assert worker.ledger["received"] == 0


def test_a_stop_hook_that_does_not_end_keeps_the_worker_for_the_drain_and_no_longer(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        SHOP + "\n@worker.on_stop\ndef slow() -> None:\n    note('waits')\n    threading.Event().wait()\n"
    )
    with running(sqs, [sqs.queue()], "--drain", "1", target="jobs", folder=tmp_path) as worker:
        worker.wait_line("worker.started")
        worker.signal()

        assert worker.wait() == 0, worker.errors
    assert [(line["hook"], line["error"]) for line in worker.events("hook.failed")] == [
        ("stop hook 'slow'", "TimeoutError")
    ]


def test_in_a_worker_of_isolated_jobs_everything_of_the_users_runs_in_the_child(sqs: Sqs, tmp_path: Path) -> None:
    code = SHOP.replace("@worker.job\n", "@worker.job(isolate=True, slots=1)\n")
    code = code.replace('"on_control_loop": threading.current_thread() is control', '"pid": os.getpid()')
    (tmp_path / "jobs.py").write_text(f"import os\n{code}")
    queue = sqs.queue()
    sqs.send(queue, {}, job="on_thread")
    sqs.send(queue, {}, job="on_loop")
    with running(sqs, [queue], "--exit-when-empty", "--slots", "1", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    lines = [line for line in worker.events("log") if line["logger"] == "shop"]
    by_process: dict[int, list[str]] = {}
    for line in lines:
        by_process.setdefault(line["pid"], []).append(line["message"])
    assert worker.process.pid not in by_process
    attempt = ["before", "dependency", "asynchronous dependency", "handler", "clean-up", "after"]
    assert (
        sum(notes == ["db opens", "warm up", *attempt, *attempt, "flush", "db closes"] for notes in by_process.values())
        == 1
    )
    assert_exact(worker.ledger)


def test_an_isolated_batch_is_one_call_in_a_child(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        """
import logging, os
from forebay import Batch, Reject, Worker

worker = Worker("ingest")

@worker.batch(size=3, linger="1s", isolate=True, slots=3, attempts=1)
def ingest(items: Batch[int]) -> None:
    logging.getLogger("shop").warning("batch", extra={"pid": os.getpid(), "sum": sum(items)})
    items.fail(0, Reject("this one"))
"""
    )
    queue = sqs.queue(dead_letter=sqs.queue())
    sqs.send(queue, 1, 2, 3, job="ingest")
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    batches = [line for line in worker.events("log") if line["message"] == "batch"]
    assert sum(line["sum"] for line in batches) == 6
    assert all(line["pid"] != worker.process.pid for line in batches)
    assert worker.ledger["buried"] == len(batches)
    assert_exact(worker.ledger)


EMBEDDED = """
import asyncio, logging, sys
from collections.abc import AsyncIterator
from forebay import Context, Worker

logging.basicConfig(level=logging.ERROR, format="LOGGED %(message)s")
worker = Worker("shop")
log = []
stop = asyncio.Event()

@worker.on_start
async def loop_of_handlers() -> AsyncIterator[asyncio.AbstractEventLoop]:
    log.append("start")
    yield asyncio.get_running_loop()
    log.append("stop")

if "broken" in sys.argv:
    @worker.on_start
    def broken() -> None:
        raise ConnectionError("the program's own")

async def main():
    own = asyncio.get_running_loop()

    @worker.job
    async def work(ctx: Context) -> None:
        assert ctx.shared(asyncio.AbstractEventLoop) is asyncio.get_running_loop() is not own
        log.append("work")
        own.call_soon_threadsafe(stop.set)

    for _ in range(1 if "broken" in sys.argv else 2):
        stop.clear()
        await work.aenqueue()
        status = await worker.serve(stop=stop)
        print(status, log)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("", "0 ['start', 'work', 'stop']\n0 ['start', 'work', 'stop', 'start', 'work', 'stop']\n"),
        ("broken", "1 ['start', 'stop']\n"),
    ],
)
def test_hooks_run_inside_of_another_program_too(sqs: Sqs, tmp_path: Path, argument: str, told: str) -> None:
    """The second run of the same worker begins anew; a traceback goes to the program's own log."""
    (tmp_path / "program.py").write_text(EMBEDDED)
    environment = {
        **clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, "FOREBAY_QUEUE_URL": sqs.queue(),
    }  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "program.py", argument], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip

    assert answer.stdout == told, answer.stderr
    assert ("LOGGED start hook 'broken' raised\nTraceback" in answer.stderr) == bool(argument)
    assert ("ConnectionError: the program's own" in answer.stderr) == bool(argument)
