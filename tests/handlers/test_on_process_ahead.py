"""Short isolated jobs that a child is given ahead, with real children: what ends, what never begins, who is blamed."""

from __future__ import annotations

import json
import os
import signal

import pytest
from tests.handlers import short_jobs
from tests.handlers.children import Children, children
from tests.handlers.collecting import attempt

from forebay.handlers.ahead import AHEAD_MAX
from forebay.model import SUCCEEDED, Attempt, Crashed, Interrupted, TimedOut

pytestmark = pytest.mark.processes

WARMING = 40
"""Short jobs after which some more are given ahead."""


def warmed_up(at_work: Children, count: int = 1) -> None:
    """Let so many short jobs be done that children are given more than one."""
    at_work.executor.start([attempt(number, "noop") for number in range(1_000, 1_000 + WARMING)])
    at_work.collected.outcomes(WARMING)
    at_work.wait_for_room(count * (1 + AHEAD_MAX))


def named(number: int, job: str = "noop") -> Attempt:
    return attempt(number, job, json.dumps({"name": str(number)}))


def test_jobs_that_a_child_has_in_its_line_are_done_in_their_order() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([named(number, "noop_async" if number % 3 else "noop") for number in range(30)])

        outcomes = at_work.collected.outcomes(WARMING + 30)

        assert at_work.words.logged("did", 30) == [str(number) for number in range(30)]
    assert set(outcomes.values()) == {SUCCEEDED}


def test_a_crash_is_that_of_the_job_that_ran_and_those_behind_it_are_done_by_the_next_child() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([named(1), named(2), attempt(3, "aborts"), named(4), named(5)])

        outcomes = at_work.collected.outcomes(WARMING + 5)

        assert at_work.words.logged("did", 4) == ["1", "2", "4", "5"]
    assert isinstance(outcomes[3], Crashed)
    assert outcomes[3].log_tail == ("INFO short: about to abort",), "and nothing of the others"
    assert [outcomes[number] for number in (1, 2, 4, 5)] == [SUCCEEDED] * 4


def test_a_limit_that_passes_ends_what_runs_and_nothing_that_is_behind_it() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([attempt(1, "never_ends"), named(2), named(3)])
        at_work.words.logged("began")
        at_work.executor.interrupt(1, because_of_limit=True)

        outcomes = at_work.collected.outcomes(WARMING + 3)

    assert outcomes[1] == TimedOut(60.0)
    assert (outcomes[2], outcomes[3]) == (SUCCEEDED, SUCCEEDED)


def test_what_waits_behind_a_job_that_turns_out_to_be_long_is_handed_back_unbegun() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([attempt(1, "never_ends"), named(2), named(3)])

        outcomes = at_work.collected.outcomes(WARMING + 2)
        at_work.wait_for_room(1)

        assert (outcomes[2], outcomes[3]) == (Interrupted(), Interrupted())
        at_work.executor.interrupt(1, because_of_limit=True)
        at_work.collected.outcomes(WARMING + 3)
        at_work.executor.start([named(4)])
        assert at_work.words.logged("did") == ["4"]


def test_an_interrupt_of_all_reaches_what_runs_and_the_rest_never_begins() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([attempt(1, "obeys"), named(2), named(3)])
        at_work.words.logged("began")
        for number in (1, 2, 3):
            at_work.executor.interrupt(number, because_of_limit=False)

        outcomes = at_work.collected.outcomes(WARMING + 3)
        at_work.executor.start([named(4)])

        assert at_work.words.logged("did") == ["4"]
        assert at_work.words.reports == []
    assert (outcomes[2], outcomes[3]) == (Interrupted(), Interrupted())
    assert outcomes[1] in (SUCCEEDED, Interrupted())


def test_a_close_ends_what_runs_and_what_is_in_line() -> None:
    with children(2, worker=short_jobs.worker) as at_work:
        warmed_up(at_work, 2)
        at_work.executor.start([attempt(number, "never_ends") for number in (1, 2)])
        at_work.words.logged("began", 2)
        at_work.executor.start([named(number) for number in range(3, 8)])

        assert at_work.executor.close(wait_s=0.1)

        outcomes = at_work.collected.outcomes(WARMING + 7)
    assert {outcomes[number] for number in range(1, 8)} == {Interrupted()}


def test_children_share_what_there_is() -> None:
    """None is idle while another has a line."""
    with children(2, worker=short_jobs.worker) as at_work:
        warmed_up(at_work, 2)
        at_work.executor.start([attempt(1, "never_ends")])
        at_work.words.logged("began")
        at_work.executor.start([named(2)])

        assert at_work.words.logged("did") == ["2"]
        at_work.executor.interrupt(1, because_of_limit=True)
        at_work.collected.outcomes(WARMING + 2)


def test_nothing_new_begins_in_a_child_that_was_told_to_end_what_it_does() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([attempt(1, "obeys"), named(2), named(3)])
        at_work.words.logged("began")
        at_work.executor.interrupt(1, because_of_limit=False)

        outcomes = at_work.collected.outcomes(WARMING + 3)

    assert (outcomes[2], outcomes[3]) == (Interrupted(), Interrupted())


def test_what_was_to_end_does_not_run_elsewhere_though_its_child_was_deaf_and_died() -> None:
    with children(worker=short_jobs.worker) as at_work:
        warmed_up(at_work)
        at_work.executor.start([attempt(1, "is_deaf"), named(2), named(3)])
        (process_id,) = at_work.words.logged("deaf")
        at_work.executor.interrupt(2, because_of_limit=False)
        os.kill(int(process_id), signal.SIGKILL)

        outcomes = at_work.collected.outcomes(WARMING + 3)

        assert at_work.words.logged("did") == ["3"]
    assert isinstance(outcomes[1], Crashed)
    assert (outcomes[2], outcomes[3]) == (Interrupted(), SUCCEEDED)
