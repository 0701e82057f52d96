"""The protection policy, sentence by sentence: what it asks for and when, while nothing is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.protection.policies import MINUTE, READ_DENIED, answer, holding, looked, policy

from forebay.protection.policy import HoldFor, LetGo, Look
from forebay.protection.port import Held, Refused, Unheld

# ── who needs it ───────────────────────────────────────────────────────────────────────────────────────────


def test_auto_protects_only_what_does_not_fit_into_the_drain() -> None:
    made = policy("auto")

    assert made.needs(21.0, drain_s=25.0)
    assert not made.needs(20.0, drain_s=25.0)


def test_always_protects_the_shortest_job_and_never_protects_none() -> None:
    assert policy("always").needs(1.0, drain_s=25.0)
    assert not policy("never").needs(40_000.0, drain_s=25.0)


def test_outside_ecs_nothing_needs_protection_and_nothing_is_called() -> None:
    made = policy("auto", is_available=False)

    made.want(900.0, now=0.0)

    assert not made.needs(900.0, drain_s=25.0)
    assert made.next(now=0.0) is None
    assert made.wake_at is None


# ── how long ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("remaining_s", "minutes"),
    [(1.0, 5), (170.0, 5), (235.0, 6), (240.0, 7), (895.0, 19), (900.0, 20), (3_600.0, 77), (8_155.0, 170)],
)
def test_a_hold_is_the_longest_limit_and_the_margin_and_a_quarter_more(remaining_s: float, minutes: int) -> None:
    made = looked()

    made.want(remaining_s, now=0.0)

    assert made.next(now=0.0) == HoldFor(minutes)


def test_eleven_hours_are_held_170_minutes_at_a_time_and_renewed_when_half_is_gone() -> None:
    made = looked()
    made.want(39_600.0, now=0.0)
    answer(made, HoldFor(170), Held(10_200.0), now=0.0)

    assert made.covers(39_600.0, now=0.0)
    for look_at in range(300, 5_100, 300):  # long, quiet holds are looked at, nothing else
        answer(made, Look(), Held(10_200.0), now=float(look_at))
    assert made.next(now=5_099.0) is None
    assert made.next(now=5_100.0) == HoldFor(170)


def test_an_attempt_longer_than_a_hold_starts_under_half_a_cap_and_not_under_less() -> None:
    made = holding(until_at=39_600.0, minutes=170)

    assert made.covers(39_600.0, now=10_200.0 - 5_100.0)
    assert not made.covers(39_600.0, now=10_200.0 - 5_099.0)


def test_an_attempt_starts_only_when_the_hold_outlasts_its_limit_and_the_margin() -> None:
    made = holding()  # until 1,200

    assert made.covers(1_195.0, now=0.0)
    assert not made.covers(1_196.0, now=0.0)


def test_nothing_starts_under_a_hold_that_has_run_out() -> None:
    made = holding()

    assert made.is_held(1_199.0)
    assert not made.is_held(1_200.0)
    assert not made.covers(0.0, now=1_200.0)


def test_steady_work_writes_once_in_a_few_minutes() -> None:
    """Jobs of a quarter of an hour, one after another for two hours."""
    made = looked()
    writes: list[float] = []
    for second in range(7_200):
        now = float(second)
        made.want(now + 900.0, now=now)
        action = made.next(now=now)
        if isinstance(action, HoldFor):
            writes.append(now)
            made.answered(Held(now + action.minutes * MINUTE), now=now)

    assert all(later - earlier >= 120.0 for earlier, later in pairwise(writes))
    assert len(writes) <= 7_200 / 240


def test_a_job_that_ends_in_time_costs_one_hold_and_one_let_go() -> None:
    made = holding()

    assert made.next(now=299.0) is None
    answer(made, Look(), Held(1_200.0), now=300.0)
    answer(made, Look(), Held(1_200.0), now=600.0)
    made.want(None, now=890.0)
    assert made.next(now=899.0) is None
    assert answer(made, LetGo(), Unheld(), now=900.0) == ["protection.released"]


def test_a_job_that_overruns_its_limit_stays_protected() -> None:
    made = holding(until_at=100.0, minutes=5)

    assert made.next(now=180.0) == HoldFor(5)


def test_a_longer_job_extends_the_hold_and_a_shorter_one_does_not() -> None:
    made = holding()  # until 1,200

    made.want(950.0, now=10.0)
    assert made.next(now=10.0) is None
    made.want(3_610.0, now=10.0)
    assert made.next(now=10.0) == HoldFor(77)


def test_a_hold_asked_for_again_never_shortens_what_runs() -> None:
    made = holding(until_at=3_600.0, minutes=77)  # until 4,620
    made.want(4_700.0, now=10.0)
    answer(made, HoldFor, READ_DENIED, now=10.0)
    made.want(400.0, now=11.0)

    asked = made.next(now=310.0)

    assert isinstance(asked, HoldFor)
    assert 310.0 + asked.minutes * MINUTE >= 4_620.0


# ── letting go ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_outlasts_the_last_attempt_by_the_linger() -> None:
    made = holding()

    made.want(None, now=100.0)

    assert made.next(now=109.9) is None
    assert made.wake_at == 110.0
    assert made.next(now=110.0) == LetGo()


def test_work_during_the_linger_keeps_the_hold_without_a_call() -> None:
    made = holding()
    made.want(None, now=100.0)

    made.want(1_000.0, now=105.0)

    assert made.covers(1_000.0, now=105.0)
    assert made.next(now=111.0) is None


def test_saying_twice_that_nothing_is_wanted_does_not_restart_the_linger() -> None:
    made = holding()
    made.want(None, now=100.0)
    made.want(None, now=108.0)

    assert made.next(now=110.0) == LetGo()


def test_always_lets_go_at_once() -> None:
    made = policy("always")
    made.want(900.0, now=0.0)
    answer(made, HoldFor(20), Held(1_200.0), now=0.0)

    made.want(None, now=20.0)

    assert made.next(now=20.0) == LetGo()


def test_nothing_starts_while_a_let_go_is_under_way() -> None:
    made = holding()
    made.want(None, now=100.0)
    assert made.next(now=110.0) == LetGo()

    made.want(500.0, now=110.0)

    assert not made.covers(500.0, now=110.0)
    assert made.next(now=110.0) is None  # one call at a time
    made.answered(Unheld(), now=110.5)
    assert made.next(now=110.5) == HoldFor(9)


def test_a_refused_let_go_leaves_the_hold_in_force_and_is_tried_again_later() -> None:
    made = holding()
    made.want(None, now=100.0)

    told = answer(made, LetGo(), Refused("ThrottlingException", is_lasting=False), now=110.0)

    assert told == ["protection.refused"]
    assert made.is_held(110.0)
    assert not made.is_paused
    assert made.next(now=124.9) is None
    assert made.next(now=129.0) == LetGo()


def test_a_hold_about_to_end_by_itself_is_not_let_go() -> None:
    made = holding(until_at=290.0, minutes=7)  # until 420
    made.want(None, now=415.0)

    assert made.next(now=425.0) is None
    assert made.wake_at is None


# ── stopping ───────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_stop_request_no_call_is_made() -> None:
    made = holding()
    made.want(3_700.0, now=100.0)

    made.stop()

    assert made.next(now=100.0) is None
    assert made.next(now=100_000.0) is None
    assert made.wake_at is None


def test_an_answer_that_comes_after_the_stop_request_is_still_taken() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    made.next(now=0.0)
    made.stop()

    made.answered(Held(1_200.0), now=1.0)

    assert made.is_held(1.0)
    assert made.next(now=1.0) is None


def test_while_a_call_is_outstanding_no_other_is_made() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    made.next(now=0.0)

    made.want(90_000.0, now=1.0)

    assert made.next(now=1.0) is None
    assert made.wake_at is None


def test_reports_carry_figures_in_named_units() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    made.next(now=0.0)

    told = made.answered(Refused("ThrottlingException", is_lasting=False, detail="Rate exceeded"), now=0.0)

    ((name, fields),) = told
    assert name == "protection.refused"
    assert fields["reason"] == "ThrottlingException"
    assert fields["detail"] == "Rate exceeded"
    assert fields["is_lasting"] is False
    retry_in_s = fields["retry_in_s"]
    assert isinstance(retry_in_s, float)
    assert 15.0 <= retry_in_s <= 18.8
