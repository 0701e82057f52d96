"""What follows from the end of an attempt."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import (
    SUCCEEDED,
    Continued,
    Crashed,
    Failed,
    Interrupted,
    Outcome,
    Postponed,
    Rejected,
    TimedOut,
)
from forebay.observability.attempts import WORDS
from forebay.worker.retry import (
    BACKOFF_CEILING_S,
    DELETE,
    GIVE_BACK,
    SettleByBurial,
    SettleByRelease,
    attempts_allowed,
    backoff_edge_s,
    describe,
    retry_delay_s,
    settlement,
)

FAILURES: list[Outcome] = [Failed("app.Broken", "f00d"), TimedOut(30.0), Crashed(-9)]


def settled(outcome: Outcome, *, receive_count: int = 1, attempts: int = 5) -> object:
    return settlement(outcome, count=receive_count, attempts=attempts, rng=Random(1))


def test_only_a_success_deletes() -> None:
    others = [*FAILURES, Interrupted(), Postponed(1.0), Rejected("no")]

    assert settled(SUCCEEDED) is DELETE
    assert all(settled(outcome, receive_count=count) is not DELETE for outcome in others for count in (1, 5, 50))


def test_what_we_interrupted_goes_back_at_once_and_counts_for_nothing() -> None:
    assert settled(Interrupted(), receive_count=50) is GIVE_BACK


def test_a_rejection_is_buried_however_few_deliveries_there_were() -> None:
    assert settled(Rejected("not mine")) == SettleByBurial("not mine")


def test_a_postponement_waits_as_long_as_it_asked_and_never_buries() -> None:
    assert settled(Postponed(7.5), receive_count=50) == SettleByRelease(7.5, is_retry=True)


def test_a_postponement_without_a_delay_takes_the_back_off() -> None:
    what = settled(Postponed(None), receive_count=3)

    assert isinstance(what, SettleByRelease)
    assert 1 <= what.delay_s <= 8


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_failure_is_tried_again_until_the_last_delivery(outcome: Outcome) -> None:
    before = settled(outcome, receive_count=4)
    last = settled(outcome, receive_count=5)

    assert isinstance(before, SettleByRelease)
    assert before.is_retry
    assert isinstance(last, SettleByBurial)
    assert "delivery 5 of 5" in last.reason


def test_the_words_for_failures_hold_no_user_data() -> None:
    secret = Failed("app.Broken", "f00d", message="canary", traceback="canary")

    assert describe(secret) == "failed with app.Broken"
    assert describe(TimedOut(30.0)) == "exceeded its timeout of 30 s"
    assert describe(Crashed(-9)) == "crashed with exit code -9"


def test_every_outcome_has_a_word() -> None:
    assert set(WORDS) == {type(SUCCEEDED), Continued, Interrupted, Postponed, Rejected, *map(type, FAILURES)}


def test_the_back_off_doubles_and_has_a_ceiling() -> None:
    assert [backoff_edge_s(failures) for failures in (1, 2, 3, 4, 60)] == [2.0, 4.0, 8.0, 16.0, BACKOFF_CEILING_S]


def test_a_job_gets_five_deliveries_unless_it_or_the_queue_says_otherwise() -> None:
    assert attempts_allowed(attempts_max=None, receive_count_max=None) == 5
    assert attempts_allowed(attempts_max=None, receive_count_max=3) == 3
    assert attempts_allowed(attempts_max=None, receive_count_max=1_000) == 5
    assert attempts_allowed(attempts_max=9, receive_count_max=3) == 9


@given(st.integers(0, 100_000), st.integers())
def test_every_delay_is_whole_seconds_of_at_least_one_and_within_the_back_off(receive_count: int, seed: int) -> None:
    """Zero would invite a hot loop: the message would come straight back."""
    delay_s = retry_delay_s(receive_count, Random(seed))

    assert delay_s == int(delay_s)
    assert 1 <= delay_s <= backoff_edge_s(max(1, receive_count))
