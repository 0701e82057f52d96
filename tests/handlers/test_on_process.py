"""The executor of child processes, with real children: outcomes, what their code says, and how it is told things."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace

import pytest
from tests.handlers.children import children, is_alive
from tests.handlers.collecting import attempt

from forebay.model import SUCCEEDED, Crashed, Failed, Interrupted, Outcome, Postponed, Rejected, TimedOut

pytestmark = pytest.mark.processes


def test_a_child_tells_how_each_job_ended_in_full() -> None:
    jobs = ["noop", "noop_async", "fails", "answers_later", "rejects", "calls_exit"]
    with children(2) as at_work:
        at_work.executor.start([attempt(n, job, '{"words": "canary"}') for n, job in enumerate(jobs)])

        outcomes = at_work.collected.outcomes(len(jobs))

    ended = {job: outcomes[number] for number, job in enumerate(jobs)}
    failed, left = ended["fails"], ended["calls_exit"]
    assert ended["noop"] == ended["noop_async"] == SUCCEEDED
    assert isinstance(failed, Failed)
    assert (failed.error, failed.message) == ("ValueError", "canary")
    assert failed.frames[-1].startswith("tests/handlers/isolated_jobs.py:")
    assert "raise ValueError(words)" in failed.traceback
    assert isinstance(left, Failed)
    assert left.error == "SystemExit"
    assert ended["answers_later"] == Postponed(120.0, "busy")
    assert ended["rejects"] == Rejected("no")


def test_a_plain_function_runs_on_the_main_thread_of_a_process_of_its_own() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "says_where")])

        (where,) = at_work.words.logged("process")

    assert where.split()[1:] == ["main", "True"]
    assert int(where.split()[0]) != os.getpid()


@pytest.mark.parametrize(
    ("job", "exit_code", "name", "innermost"),
    [
        ("aborts", -6, "SIGABRT", "aborts"),
        ("segfaults", -11, "SIGSEGV", "string_at"),
        ("leaves_at_once", 3, None, None),
        ("closes_everything", 87, None, None),
    ],
)
def test_a_crash_is_told_with_all_that_is_known_and_the_child_replaced(
    job: str, exit_code: int, name: str | None, innermost: str | None
) -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, job)])
        outcome = at_work.collected.outcomes(1)[1]
        at_work.executor.start([attempt(2, "noop")])
        after = at_work.collected.outcomes(2)[2]

        (told,) = at_work.words.reported("child.died")

    assert isinstance(outcome, Crashed)
    assert (outcome.exit_code, outcome.signal) == (exit_code, name)
    assert outcome.reason
    assert outcome.peak_memory_bytes is not None
    assert outcome.peak_memory_bytes > 1024 * 1024
    assert [frame.split()[-1] for frame in outcome.stack[-1:]] == ([innermost] if innermost else [])
    assert outcome.log_tail == (("INFO isolated: about to abort",) if job == "aborts" else ())
    assert (told["exit_code"], told["jobs"]) == (exit_code, job)
    assert after == SUCCEEDED


def test_only_the_job_that_crashed_is_harmed() -> None:
    """C10: of ten jobs in children of their own, the third calls `abort()`."""
    jobs = ["noop", "noop_async", "aborts", *["noop"] * 7]
    with children(2) as at_work:
        at_work.executor.start([attempt(number, job) for number, job in enumerate(jobs)])

        outcomes = at_work.collected.outcomes(10)

    assert isinstance(outcomes.pop(2), Crashed)
    assert set(outcomes.values()) == {SUCCEEDED}


@pytest.mark.parametrize(
    ("job", "body"), [("runs_for_ever", "{}"), ("never_listens", "{}"), ("holds_the_interpreter", '{"seconds": 600}')]
)
def test_the_limit_is_hard(job: str, body: str) -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "says_where"), attempt(2, job, body)])
        (where,) = at_work.words.logged("process")
        at_work.collected.outcomes(1)
        at_work.executor.interrupt(2, because_of_limit=True)
        outcomes = at_work.collected.outcomes(2)
        was_alive = is_alive(int(where.split()[0]))
        at_work.executor.start([attempt(3, "noop")])

        assert outcomes[2] == TimedOut(60.0, stopped=True)
        assert not was_alive, "its end is told when the process is dead"
        assert at_work.collected.outcomes(3)[3] == SUCCEEDED
    assert at_work.executor.can_kill
    assert [event for event, _ in at_work.words.reports if event == "child.died"] == [], "we did it ourselves"


@pytest.mark.parametrize(
    ("job", "outcome"),
    [("waits_until_told", SUCCEEDED), ("waits_in_a_coroutine", Interrupted()), ("never_listens", Interrupted())],
)
def test_an_interrupt_asks_first_and_then_kills(job: str, outcome: Outcome) -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, job)])
        at_work.words.logged("wait" if job.startswith("waits") else "working")
        at_work.executor.interrupt(1, because_of_limit=False)
        ended = at_work.collected.outcomes(1)[1]
        at_work.executor.start([attempt(2, "noop")])

        assert ended == outcome
        assert at_work.collected.outcomes(2)[2] == SUCCEEDED, "the child, or its successor, goes on"


@pytest.mark.parametrize("because_of_limit", [True, False])
def test_an_attempt_that_no_child_has_taken_ends_at_once_and_is_held_against_nobody(because_of_limit: bool) -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "waits_until_told"), attempt(2, "noop")])
        at_work.executor.interrupt(2, because_of_limit=because_of_limit)

        assert at_work.collected.outcomes(1) == {2: Interrupted()}


def test_flags_that_rise_reach_the_code() -> None:
    one = attempt(1, "waits_for_a_lost_lease")
    with children() as at_work:
        at_work.executor.start([one])
        at_work.words.logged("waiting")
        one.signals.lease_lost = True
        at_work.executor.notify(one)

        assert at_work.collected.outcomes(1) == {1: Rejected("the lease was lost")}


def test_a_later_deadline_is_asked_for_and_told() -> None:
    one = attempt(1, "extends")
    one.signals.deadline_at = 0.0
    with children() as at_work:
        at_work.executor.start([one])
        at_work.words.logged("extended")
        at_work.collected.wait_until(lambda: bool(at_work.collected.extensions))
        one.signals.deadline_at = 1e9
        at_work.executor.notify(one)

        assert at_work.collected.outcomes(1) == {1: SUCCEEDED}
        assert at_work.collected.extensions == [(1, 3600.0)]


def test_what_the_code_has_reached_is_known_though_it_never_comes_to_an_end() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "reaches_page", '{"page": 7}')])
        at_work.words.logged("reached")
        at_work.executor.interrupt(1, because_of_limit=True)
        at_work.collected.outcomes(1)

        (ended,) = at_work.collected.batches[-1]

    assert json.loads(ended.checkpoint or "") == {"page": 7}


def test_logs_come_to_the_handlers_of_the_worker_and_prints_to_its_output() -> None:
    printed: list[str] = []
    with children(print_out=printed.append) as at_work:
        at_work.executor.start([attempt(1, "prints_and_logs", '{"words": "hello"}'), attempt(2, "logs_an_exception")])
        at_work.collected.outcomes(2)
        at_work.words.logged("logged hello")
        at_work.words.logged("it went wrong")

    by_message = {record.getMessage(): record for record in at_work.words.records}
    logged, exception = by_message["logged hello"], by_message["it went wrong"]
    assert (logged.name, logged.levelno) == ("forebay.job.prints_and_logs", logging.INFO)
    assert {name: vars(logged)[name] for name in ("job", "message_id", "attempt", "colour")} == {
        "job": "prints_and_logs", "message_id": "message-1", "attempt": 1, "colour": "green",
    }  # fmt: skip
    assert exception.exc_text is not None
    assert "KeyError: 'inner words'" in exception.exc_text
    assert "".join(printed) == "printed hello\n"


def test_a_fork_that_comes_back_in_the_child_ends_there() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "forks_and_comes_back"), attempt(2, "noop")])

        assert at_work.collected.outcomes(2) == {1: SUCCEEDED, 2: SUCCEEDED}


@pytest.mark.parametrize(
    ("job", "is_killed"), [("starts_a_grandchild", True), ("starts_a_grandchild_and_crashes", False)]
)
def test_what_a_job_has_started_ends_with_it(job: str, is_killed: bool) -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, job)])
        (grandchild,) = at_work.words.logged("grandchild")
        if is_killed:
            at_work.executor.interrupt(1, because_of_limit=True)
        at_work.collected.outcomes(1)

        assert not is_alive(int(grandchild)), "its end is told when all of it is dead"


def test_a_body_larger_than_the_pipe_holds_arrives() -> None:
    words = "x" * 1_000_000
    with children() as at_work:
        at_work.executor.start([attempt(1, "fails", json.dumps({"words": words}))])

        outcome = at_work.collected.outcomes(1)[1]

    assert isinstance(outcome, Failed)
    assert outcome.message == words[:2000]


def test_a_batch_is_one_call_in_one_child() -> None:
    members = [replace(attempt(number, "ingests", str(number)), batch=9) for number in range(4)]
    with children(2) as at_work:
        at_work.executor.start(members)

        outcomes = at_work.collected.outcomes(4)
        (told,) = at_work.words.logged("batch of")

    assert told == "4"
    assert isinstance(outcomes.pop(2), Failed)
    assert set(outcomes.values()) == {SUCCEEDED}


def test_a_batch_that_crashes_its_child_has_crashed_as_a_whole() -> None:
    members = [replace(attempt(number, "ingests", str(-number)), batch=9) for number in range(1, 4)]
    with children(2) as at_work:
        at_work.executor.start(members)

        outcomes = at_work.collected.outcomes(3)

    assert {type(outcome) for outcome in outcomes.values()} == {Crashed}
