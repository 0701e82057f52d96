"""The life of children: when there is room, when they are replaced, what is told of them, and how they end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.handlers import isolated_jobs
from tests.handlers.children import Words, children, is_alive
from tests.handlers.collecting import PATIENCE_S, Collected, attempt, opened

from forebay.api.children import plans
from forebay.handlers.on_process import ProcessExecutor
from forebay.model import SUCCEEDED, Crashed, Failed, Interrupted
from forebay.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.processes


def test_there_is_no_room_before_a_child_has_imported_the_program() -> None:
    with children(2) as at_work:
        rooms = [room for _, room in at_work.collected.rooms]

    assert rooms[0] == 0
    assert rooms == sorted(rooms)


def test_room_is_what_children_are_up() -> None:
    with children(2) as at_work:
        at_work.executor.start([attempt(1, "aborts")])
        at_work.collected.outcomes(1)
        at_work.wait_for_room(2)

        rooms = [room for _, room in at_work.collected.rooms]

    assert rooms[rooms.index(2) :] == [2, 1, 2], "gone with its child, and back with the next"


def test_a_child_is_replaced_after_its_number_of_jobs() -> None:
    with children() as at_work:
        for number in range(6):
            at_work.executor.start([attempt(number, "is_recycled")])
            at_work.collected.outcomes(number + 1)

        processes = at_work.words.logged("process", 6)
        told = at_work.words.reported("child.replaced", 3)

    assert [processes.count(one) for one in dict.fromkeys(processes)] == [2, 2, 2]
    assert [fields["reason"] for fields in told] == ["recycle"] * 3


def test_a_child_that_grows_is_replaced_before_it_reaches_its_ceiling() -> None:
    with children() as at_work:
        for number in range(8):
            at_work.executor.start([attempt(number, "leaks", '{"mebibytes": 12}')])
            at_work.collected.outcomes(number + 1)
        outcomes = at_work.collected.outcomes(8)

        told = at_work.words.reported("child.replaced")

    assert set(outcomes.values()) == {SUCCEEDED}
    assert told[0]["reason"] == "growth"
    assert told[0]["grown_bytes"] > 32 * 1024 * 1024


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux has a ceiling")
def test_a_job_that_asks_for_more_than_its_limit_fails_and_no_other() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "eats", '{"mebibytes": 16}')])
        at_work.executor.start([attempt(2, "takes_without_a_limit", '{"mebibytes": 512}')])
        at_work.executor.start([attempt(3, "eats", '{"mebibytes": 512}')])
        outcomes = at_work.collected.outcomes(3)

    refused = outcomes.pop(3)
    assert outcomes == {1: SUCCEEDED, 2: SUCCEEDED}
    assert isinstance(refused, Failed)
    assert refused.error == "MemoryError"


def test_a_program_that_a_child_cannot_import_is_told_of_tried_again_after_pauses_and_given_up(tmp_path: Path) -> None:
    words = Words()
    worker = isolated_jobs.worker
    (plan,) = plans(worker, worker.registry, WorkerSettings(), ["http://127.0.0.1:1/q"])
    (tmp_path / "broken_jobs.py").write_text("import os\nworker = 7\nraise RuntimeError('no database')\n")
    where = {"module": "broken_jobs", "path": None, "is_main": False, "attribute": "worker"}
    path = [str(tmp_path), *plan.hello["path"]]
    plan = replace(plan, children=2, failures_max=2, hello={**plan.hello, "worker": where, "path": path})
    collected = Collected()
    executor = ProcessExecutor(worker.registry, plan, report=words.report)

    executor.open(collected)
    told = words.reported("child.failed", 3)
    collected.wait_until(lambda: bool(collected.given_up))
    has_ended = executor.close(wait_s=PATIENCE_S)

    assert {fields["error"] for fields in told} == {"RuntimeError: no database"}
    assert told[0]["frames"] == "broken_jobs.py:3 <module>"
    assert "RuntimeError: no database" in told[0]["traceback"]
    assert told[0]["retry_in_s"] <= 1.0 < told[2]["retry_in_s"], "the second round waits longer"
    assert collected.rooms == [("process", 0)]
    assert collected.given_up == ["no child process can be used (child.failed tells why)"]
    assert has_ended


def test_a_program_whose_import_takes_for_ever_is_told_of(tmp_path: Path) -> None:
    words = Words()
    worker = isolated_jobs.worker
    (plan,) = plans(worker, worker.registry, WorkerSettings(), ["http://127.0.0.1:1/q"])
    (tmp_path / "slow_jobs.py").write_text("import threading\nthreading.Event().wait()\n")
    where = {"module": "slow_jobs", "path": None, "is_main": False, "attribute": "worker"}
    path = [str(tmp_path), *plan.hello["path"]]
    plan = replace(plan, children=1, slow_s=0.5, hello={**plan.hello, "worker": where, "path": path})
    executor = ProcessExecutor(worker.registry, plan, report=words.report)

    executor.open(Collected())
    (told,) = words.reported("child.slow")
    has_ended = executor.close(wait_s=PATIENCE_S)

    assert told["waited_s"] == 0.5
    assert has_ended


def test_a_child_that_dies_with_nothing_to_do_is_told_of_and_replaced() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "says_where")])
        (where,) = at_work.words.logged("process")
        at_work.collected.outcomes(1)
        os.kill(int(where.split()[0]), signal.SIGKILL)
        (told,) = at_work.words.reported("child.died")
        at_work.executor.start([attempt(2, "noop")])

        assert at_work.collected.outcomes(2)[2] == SUCCEEDED
    assert (told["signal"], told["retry_in_s"]) == ("SIGKILL", 1.0)


def test_closing_ends_every_child_and_what_it_runs() -> None:
    with children(2) as at_work:
        at_work.executor.start([attempt(1, "says_where"), attempt(2, "says_where")])
        processes = [int(where.split()[0]) for where in at_work.words.logged("process", 2)]
        at_work.collected.outcomes(2)
        at_work.executor.start([attempt(3, "never_listens"), attempt(4, "waits_until_told"), attempt(5, "noop")])
        at_work.words.logged("working")
        at_work.words.logged("waiting")
        has_ended = at_work.executor.close(wait_s=0.2)
        at_work.executor.start([attempt(6, "noop")])

        outcomes = at_work.collected.outcomes(6)

    assert has_ended
    assert not any(is_alive(process) for process in processes)
    assert {number: outcomes[number] for number in (3, 5, 6)} == dict.fromkeys((3, 5, 6), Interrupted())


def test_a_child_that_ends_runs_what_is_registered_for_that() -> None:
    """An ordinary end of the interpreter, not a kill."""
    with children() as at_work:
        at_work.executor.start([attempt(1, "registers_an_end")])
        at_work.collected.outcomes(1)
        at_work.executor.close(wait_s=PATIENCE_S)

        assert at_work.words.logged("the interpreter ends") == [""]


def test_several_jobs_share_a_child_when_they_are_not_isolated() -> None:
    with children(2, runs="thread", slots=4) as at_work:
        # All four wait for a word, so all four run at once.
        at_work.executor.start([attempt(number, "plain_waits") for number in range(4)])
        at_work.words.logged("waiting", 4)
        at_work.executor.start([attempt(number, "coroutine_noop") for number in range(4, 8)])
        for number in range(4):
            at_work.executor.interrupt(number, because_of_limit=False)

        outcomes = at_work.collected.outcomes(8)

    assert set(outcomes.values()) == {SUCCEEDED}
    assert not at_work.executor.can_kill
    assert {runs for runs, _ in at_work.collected.rooms} == {"loop", "thread"}


def test_of_several_jobs_in_a_child_only_the_one_whose_thread_crashed_is_blamed() -> None:
    with children(1, runs="thread", slots=4) as at_work:
        at_work.executor.start([attempt(1, "plain_waits"), attempt(2, "plain_waits")])
        at_work.words.logged("waiting", 2)
        at_work.executor.start([attempt(3, "plain_aborts")])

        outcomes = at_work.collected.outcomes(3)

    crashed = outcomes.pop(3)
    assert isinstance(crashed, Crashed)
    assert crashed.stack[-1].split()[-1] == "plain_aborts"
    assert outcomes == {1: Interrupted(), 2: Interrupted()}


def test_a_loop_in_a_child_that_does_not_turn_is_noticed() -> None:
    with children(1, runs="loop", slots=4) as at_work:
        at_work.executor.start([attempt(1, "blocks_the_loop")])
        at_work.words.logged("blocking")

        blockage = at_work.wait_for_blockage()

        assert blockage.stack[-1].split()[-1] == "blocks_the_loop"
        assert blockage.blocked_s >= 1.0


def test_a_child_that_holds_the_interpreter_is_noticed_and_keeps_nobody_waiting() -> None:
    with children(2, runs="thread", slots=4) as at_work:
        at_work.executor.start([attempt(1, "plain_holds_the_interpreter", '{"seconds": 600}')])
        at_work.words.logged("holding")
        at_work.executor.start([attempt(2, "plain_noop")])

        blockage = at_work.wait_for_blockage()

        assert at_work.collected.outcomes(1) == {2: SUCCEEDED}
        assert "does not answer" in blockage.stack[0]
        at_work.executor.close(wait_s=0.0)


def test_where_the_code_of_an_attempt_stands_is_asked_for_and_told() -> None:
    with children(1, runs="thread", slots=4) as at_work:
        at_work.executor.start([attempt(1, "plain_waits")])
        at_work.words.logged("waiting")

        stack = at_work.wait_for_stack(1)

        assert any(place.endswith(" plain_waits") for place in stack)
        assert at_work.executor.stack_of(99) == ()
        at_work.executor.interrupt(1, because_of_limit=False)


def test_records_of_the_children_are_not_made_below_the_level_of_the_worker() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "chatters")])
        at_work.collected.outcomes(1)
        at_work.words.logged("at info")

    assert [record.levelno for record in at_work.words.records if record.name == "isolated"] == [logging.INFO]


def test_children_that_have_not_come_up_yet_are_ended_too() -> None:
    worker = isolated_jobs.worker
    (plan,) = plans(worker, worker.registry, WorkerSettings(), ["http://127.0.0.1:1/q"])
    executor = ProcessExecutor(worker.registry, plan, report=Words().report)

    with opened(executor) as collected:
        has_ended = executor.close(wait_s=PATIENCE_S)

    assert has_ended
    assert collected.rooms == [("process", 0)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to whom one likes")
def test_orphans_of_a_dead_child_are_reaped_where_we_are_process_1() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.handlers.subreaper"],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1:] == ["nobody is left"], done.stderr
