"""How a run ends: signals, what user code leaves behind, and the exit status that says so honestly."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, assert_exact, running

pytestmark = pytest.mark.processes

LEAVES_AT_ONCE_S = 10.0
"""Far above the second that it takes, far below the drain of 25 s and the jobs' ten minutes."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_of_either_kind_drains(sqs: Sqs, number: signal.Signals) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1") as worker:
        sqs.send(queue, "700")
        worker.wait_line("attempt.started")
        worker.signal(number)
        drain = worker.wait_line("drain.started")
        status = worker.wait()

    assert (drain["reason"], drain["running"], drain["limit_s"]) == (number.name, 1, 25.0)
    assert status == 0
    assert (worker.ledger["succeeded"], worker.ledger["released"]) == (1, 0)
    assert worker.lines[-1]["event"] == "worker.stopped"


def test_who_answers_the_drain_with_a_second_signal_is_heard(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1") as worker:
        sqs.send(queue, "600000")
        worker.wait_line("attempt.started")
        worker.signal(signal.SIGTERM)
        worker.wait_line("drain.started")

        asked_at = time.monotonic()
        worker.signal(signal.SIGTERM)
        status = worker.wait()
        lasted_s = time.monotonic() - asked_at

    assert status == 1
    assert lasted_s < LEAVES_AT_ONCE_S
    assert worker.ledger["reason"] == "second signal (SIGTERM)"
    assert (worker.ledger["exit_status"], worker.ledger["released"]) == (1, 1)
    assert sqs.counts(queue) == (1, 0, 0)


def test_a_burst_of_signals_is_one_signal(sqs: Sqs) -> None:
    """Wrappers forward what the terminal has sent to the whole group already."""
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1") as worker:
        sqs.send(queue, "700")
        worker.wait_line("attempt.started")

        # Stopped meanwhile, it finds them all at once, however busy the machine is.
        worker.signal(signal.SIGSTOP)
        for _ in range(50):
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGINT)
        worker.signal(signal.SIGCONT)
        status = worker.wait()

    assert status == 0
    assert len(worker.events("drain.started")) == 1
    assert worker.ledger["succeeded"] == 1


def test_signals_without_end_cannot_keep_the_ledger_from_being_told(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--slots", "1") as worker:
        sqs.send(queue, "600000")
        worker.wait_line("attempt.started")
        while worker.process.poll() is None:
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGINT)
        status = worker.wait()

    assert status == 1
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)


def test_a_drain_of_no_time_gives_back_what_runs_and_leaves(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--drain", "0", "--slots", "1") as worker:
        sqs.send(queue, "600000")
        worker.wait_line("attempt.started")
        worker.signal()
        status = worker.wait()

    assert status == 0
    assert worker.ledger["released"] == 1
    assert sqs.counts(queue) == (1, 0, 0)


LEFTOVERS = """
import asyncio, atexit, os, threading, time
from forebay import Worker

worker = Worker("leftovers")

@worker.job
def thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=False).start()

@worker.job
async def executor() -> None:
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)

@worker.job
def fork() -> None:
    child = os.fork()
    if child:
        os.waitpid(child, 0)   # the child comes back from here as well, and would work on as a second worker

@worker.job
async def fork_in_a_coroutine() -> None:
    child = os.fork()
    if child:
        os.waitpid(child, 0)

@worker.job
def hook() -> None:
    atexit.register(print, "the hook was called")
"""


@pytest.mark.parametrize("job", ["thread", "executor", "fork", "fork_in_a_coroutine"])
def test_nothing_that_a_handler_leaves_behind_keeps_the_process_from_leaving(
    sqs: Sqs, tmp_path: Path, job: str
) -> None:
    (tmp_path / "jobs.py").write_text(LEFTOVERS)
    queue = sqs.queue()
    sqs.send(queue, {}, job=job)
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["succeeded"] == 1
    assert len(worker.events("attempt.finished")) == 1


def test_hooks_at_the_interpreters_end_are_called(sqs: Sqs, tmp_path: Path) -> None:
    """Error trackers and tracers flush there."""
    (tmp_path / "jobs.py").write_text(LEFTOVERS)
    queue = sqs.queue()
    sqs.send(queue, {}, job="hook")
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        worker.wait()

    assert worker.raw[-1] == "the hook was called"


A_BUG = """
from forebay import Worker
from forebay.handlers.registry import Registry

class Odd(Registry):
    def route(self, message):
        raise LookupError("canary-7f3a")

class OddWorker(Worker):
    @property
    def registry(self):
        return Odd(Worker.registry.fget(self), default=None)

worker = OddWorker("odd")

@worker.job
async def job() -> None: ...
"""


def test_a_bug_of_ours_is_told_on_standard_output_with_a_ledger_and_status_70(sqs: Sqs, tmp_path: Path) -> None:
    """A class of exception that nothing of ours expects, out of the middle of the engine."""
    (tmp_path / "jobs.py").write_text(A_BUG)
    queue = sqs.queue()
    sqs.send(queue, {}, job="job")
    with running(sqs, [queue], "--visibility", "2", target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 70
    assert worker.events("internal.error")[0]["error"] == "LookupError"
    assert worker.lines[-1]["event"] == "worker.stopped"
    assert worker.ledger["exit_status"] == 70
    assert_exact(worker.ledger)
    assert "canary" not in "\n".join(worker.raw) + worker.errors
    assert len(sqs.take(queue, wait_s=5)) == 1  # what was held comes back by itself


def test_a_worker_that_could_not_settle_in_time_says_so_with_its_status(sqs: Sqs) -> None:
    """The job is done, but nobody has confirmed the delete: it may come again."""
    queue = sqs.queue()
    with running(sqs, [queue], "--drain", "0.5", "--slots", "1") as worker:
        sqs.send(queue, "300")
        worker.wait_line("attempt.started")
        sqs.chaos({"effect": "unavailable", "operations": ["DeleteMessageBatch"]})
        worker.wait_line("attempt.finished")
        worker.signal()
        status = worker.wait()

    assert status == 1
    assert (worker.ledger["succeeded"], worker.ledger["lease_lost"]) == (0, 1)
    assert_exact(worker.ledger)
