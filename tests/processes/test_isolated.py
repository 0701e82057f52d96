"""Isolated jobs under `forebay run`: what happens in their processes harms nobody else, and is told in full."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.handlers.children import is_alive
from tests.processes.harness import Sqs, WorkerProcess, assert_exact, running, wait_for

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]

JOBS = """
import ctypes, os, time
from forebay import Context, Worker

worker = Worker("isolated")

@worker.job(isolate=True, attempts=3, backoff="1s")
def works(ctx: Context, name: str) -> None:
    ctx.log.info("on %s", name)
    print("prints", name)
    if name == "C":
        os.abort()

@worker.job(isolate=True)
def holds_the_interpreter(ctx: Context, seconds: int) -> None:
    ctx.log.info("process %d", os.getpid())
    ctypes.PyDLL(None).sleep(seconds)

@worker.job(isolate=True)
def never_listens(ctx: Context) -> None:
    ctx.log.info("process %d", os.getpid())
    while True:
        pass

@worker.job(isolate=True)
def counts(ctx: Context) -> None:
    page = ctx.state or 0
    ctx.log.info("begins at %d", page)
    while page < 1000:
        page += 1
        ctx.checkpoint(page)
        ctx.stopping.wait(0.01)
        if page == 20 and ctx.attempt == 1:
            ctx.log.info("far enough")
    ctx.log.info("ends at %d", page)

@worker.job(isolate=True)
def crunches(ctx: Context) -> None:
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    ctx.log.info("crunched in %d", os.getpid())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(JOBS)
    return tmp_path


def process_of(worker: WorkerProcess, job: str) -> int:
    """The number of the child that does `job`, as the job has logged it."""
    line = worker.wait_line("log", job=job)
    return int(str(line["message"]).removeprefix("process "))


def test_of_ten_jobs_the_one_that_aborts_is_buried_with_its_signal_and_stack(sqs: Sqs, folder: Path) -> None:
    """C10: A..J are done exactly once but C, which is tried three times; the worker never exits."""
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    sqs.send(queue, *({"name": name} for name in "ABCDEFGHIJ"), job="works")

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=folder) as worker:
        assert worker.wait() == 0, worker.errors

    begun = Counter(str(line["message"]).removeprefix("on ") for line in worker.events("log"))
    crashed = [line for line in worker.events("attempt.finished") if line["outcome"] == "crashed"]
    (buried,) = sqs.take(dead, wait_s=0)
    note = json.loads(buried["MessageAttributes"]["forebay.error"]["StringValue"])
    assert begun == {name: 3 if name == "C" else 1 for name in "ABCDEFGHIJ"}
    assert worker.ledger["succeeded"] == 9
    assert (worker.ledger["retried"], worker.ledger["buried"]) == (2, 1)
    assert_exact(worker.ledger)
    assert [line["attempt"] for line in crashed] == [1, 2, 3]
    assert {(line["exit_code"], line["signal"]) for line in crashed} == {(-6, "SIGABRT")}
    assert all(re.fullmatch(r"jobs\.py:\d+ works", line["stack"]) for line in crashed)
    assert all(line["peak_memory_bytes"] > 1024 * 1024 for line in crashed)
    assert json.loads(buried["Body"]) == {"name": "C"}
    assert (note["outcome"], note["exit_code"], note["signal"], note["cause"]) == ("crashed", -6, "SIGABRT", "Aborted")
    assert note["frames"] == [crashed[0]["stack"]]
    assert "log_tail" not in note, "the user's own words are told by choice only"


def test_the_last_words_of_a_crashed_job_are_kept_by_choice(sqs: Sqs, folder: Path) -> None:
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead, receives_max=100)
    sqs.send(queue, {"name": "C"}, job="works")
    full = ("--error-detail", "full", "--dead-letter-detail", "full", "--exit-when-empty")

    with running(sqs, [queue], *full, target="jobs", folder=folder) as worker:
        assert worker.wait() == 0, worker.errors

    (buried,) = sqs.take(dead, wait_s=0)
    note = json.loads(buried["MessageAttributes"]["forebay.error"]["StringValue"])
    assert note["log_tail"] == ["INFO forebay.job.works: on C"]
    assert worker.events("attempt.finished")[0]["log_tail"] == "INFO forebay.job.works: on C"


def test_what_a_child_logs_and_prints_looks_like_any_other_line(sqs: Sqs, folder: Path) -> None:
    queue = sqs.queue()
    (message_id,) = sqs.send(queue, {"name": "A"}, job="works")

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=folder) as worker:
        worker.wait()
    (line,) = worker.events("log")
    sqs.send(queue, {"name": "A"}, job="works")
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=folder, log="text") as in_text:
        in_text.wait()

    assert {name: line[name] for name in ("level", "logger", "message", "job", "message_id", "attempt")} == {
        "level": "INFO", "logger": "forebay.job.works", "message": "on A", "job": "works", "message_id": message_id,
        "attempt": 1,
    }  # fmt: skip
    assert "prints A" in worker.raw
    assert "prints A" in in_text.raw
    assert [raw for raw in in_text.raw if " INFO forebay.job.works: on A job=works message_id=" in raw]


@pytest.mark.slow
def test_heartbeats_go_on_while_a_job_holds_the_interpreter(sqs: Sqs, folder: Path) -> None:
    """The lease is of five seconds and the job holds the GIL for twelve; nobody else is ever given the message."""
    queue = sqs.queue()
    sqs.send(queue, {"seconds": 12}, job="holds_the_interpreter")

    with running(sqs, [queue], "--visibility", "5", "--exit-when-empty", target="jobs", folder=folder) as worker:
        process_of(worker, "holds_the_interpreter")
        others = sqs.take(queue, wait_s=11)
        assert worker.wait() == 0, worker.errors

    assert others == []
    assert (worker.ledger["received"], worker.ledger["succeeded"], worker.ledger["lease_lost"]) == (1, 1, 0)


def test_no_child_outlives_a_worker_that_is_killed(sqs: Sqs, folder: Path) -> None:
    """Within a second, though one of them holds the interpreter and cannot notice anything itself."""
    queue = sqs.queue()
    sqs.send(queue, {"seconds": 600}, job="holds_the_interpreter")
    sqs.send(queue, {}, job="never_listens")

    with running(sqs, [queue], target="jobs", folder=folder) as worker:
        children = [process_of(worker, "holds_the_interpreter"), process_of(worker, "never_listens")]
        worker.signal(signal.SIGKILL)
        killed_at = time.monotonic()
        wait_for(lambda: not any(map(is_alive, children)) or None, "the end of the children")
        took_s = time.monotonic() - killed_at

    # On a machine that is busy with other tests the kernel itself takes its time.
    assert took_s < 1.0 + os.getloadavg()[0], took_s


@pytest.mark.parametrize("signals", [1, 2])
def test_a_stop_gives_back_what_will_not_end_and_leaves_no_process(sqs: Sqs, folder: Path, signals: int) -> None:
    queue = sqs.queue()
    sqs.send(queue, {}, job="never_listens")

    # One slot, so that no poll is open which could take back what is released.
    with running(sqs, [queue], "--drain", "1", "--slots", "1", target="jobs", folder=folder) as worker:
        child = process_of(worker, "never_listens")
        worker.signal()
        worker.wait_line("drain.started")
        if signals == 2:
            # Later than an echo of the first would be (a tenth of a second).
            time.sleep(0.2)  # stands for work
            worker.signal()
        status = worker.wait()

    assert status == signals - 1
    assert not is_alive(child)
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)
    assert sqs.take(queue), "another worker gets it"


def test_a_job_goes_on_in_a_child_of_another_worker(sqs: Sqs, folder: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, {}, job="counts")

    with running(sqs, [queue], target="jobs", folder=folder) as first:
        first.wait_line("log", message="far enough")
        first.signal()
        assert first.wait() == 0, first.errors
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=folder) as second:
        assert second.wait() == 0, second.errors

    begun = int(str(second.events("log")[0]["message"]).removeprefix("begins at "))
    assert first.ledger["continued"] == 1
    assert begun >= 20
    assert second.events("log")[-1]["message"] == "ends at 1000"
    assert second.ledger["succeeded"] == 1


def test_cores_are_busy_with_jobs_that_compute(sqs: Sqs, folder: Path) -> None:
    """Each child has had the CPU for its own half of the work: one interpreter could not have run both at once."""
    queue = sqs.queue()
    sqs.send(queue, *({} for _ in range(6)), job="crunches")

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=folder) as worker:
        assert worker.wait() == 0, worker.errors

    by_process = Counter(str(line["message"]) for line in worker.events("log"))
    assert sum(by_process.values()) == 6
    assert len(by_process) == 2 or os.cpu_count() == 1
    assert min(by_process.values()) >= 2
    (begun,) = worker.events("worker.started")
    assert (begun["slots"], begun["children"]) == (len(by_process), len(by_process)), "as many slots as children"
