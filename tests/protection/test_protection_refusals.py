"""The protection policy, sentence by sentence: refusals, lost answers, and holds of somebody else."""

from __future__ import annotations

from itertools import pairwise

from tests.protection.policies import BLOCKED, CANCELED, INVALID, READ_DENIED, answer, holding, looked, policy

from forebay.protection.policy import HoldFor, LetGo, Look, Policy
from forebay.protection.port import Held, Refused, Unheld

# ── refusals that pass ─────────────────────────────────────────────────────────────────────────────────────


def refused(at: float = 0.0) -> Policy:
    """A policy whose first hold was refused at `at`."""
    made = looked()
    made.want(at + 900.0, now=at)
    assert answer(made, HoldFor(20), BLOCKED, now=at) == ["protection.refused"]
    return made


def test_a_refusal_pauses_the_task_and_the_next_try_comes_after_15_seconds() -> None:
    made = refused()

    assert made.is_paused
    assert not made.is_held(0.0)
    assert made.next(now=14.9) is None
    assert made.wake_at is not None
    assert 15.0 <= made.wake_at <= 18.75
    assert made.next(now=18.75) == HoldFor(20)


def test_a_paused_task_with_nothing_to_do_goes_on_trying_for_what_was_refused() -> None:
    made = refused()

    made.want(None, now=1.0)

    assert made.is_paused
    assert made.next(now=19.0) == HoldFor(20)


def test_retries_wait_longer_and_longer_up_to_five_minutes() -> None:
    made = refused()
    tries = [0.0]
    for _ in range(9):
        assert made.wake_at is not None
        tries.append(made.wake_at)
        answer(made, HoldFor(20), BLOCKED, now=made.wake_at)
        made.want(made.wake_at + 900.0, now=tries[-1])

    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert all(wait >= 15.0 for wait in waits)
    assert all(240.0 <= wait <= 300.0 for wait in waits[4:])


def test_a_hold_given_after_a_pause_ends_the_pause() -> None:
    made = refused()

    told = answer(made, HoldFor(20), Held(19.0 + 1_200.0), now=19.0)

    assert told == ["protection.held"]
    assert not made.is_paused
    assert made.covers(919.0, now=19.0)


def test_a_hold_given_to_an_idle_task_is_let_go_after_the_linger() -> None:
    """Acquire-first has shown that the way is free: from here on it is receive-first again."""
    made = refused()
    made.want(None, now=1.0)
    answer(made, HoldFor(20), Held(1_219.0), now=19.0)

    assert made.next(now=28.0) is None
    answer(made, LetGo(), Unheld(), now=29.0)

    assert not made.is_paused
    assert made.next(now=10_000.0) is None


def test_work_that_arrives_under_a_hold_won_after_a_pause_starts_under_it() -> None:
    made = refused()
    made.want(None, now=1.0)
    answer(made, HoldFor(20), Held(1_219.0), now=19.0)

    made.want(925.0, now=25.0)

    assert made.covers(925.0, now=25.0)
    made.job_started(25.0)
    assert made.next(now=29.0) is None


def test_refusals_are_forgotten_only_when_a_job_has_started() -> None:
    """A service that grants and refuses by turns is asked ever more rarely."""
    made = refused()
    answer(made, HoldFor(20), Held(19.0 + 1_200.0), now=19.0)
    made.want(4_000.0, now=100.0)
    answer(made, HoldFor, BLOCKED, now=100.0)

    assert made.wake_at is not None
    assert made.wake_at >= 130.0


def test_a_refused_extension_does_not_end_the_hold_that_runs() -> None:
    made = holding()  # until 1,200
    made.want(3_700.0, now=100.0)

    answer(made, HoldFor, BLOCKED, now=100.0)

    assert made.is_paused
    assert made.is_held(1_199.0)
    assert made.covers(900.0, now=100.0)
    assert not made.covers(3_700.0, now=100.0)


def test_a_paused_task_still_lets_go_what_it_holds_when_nothing_is_left_to_do() -> None:
    made = holding()
    made.want(3_700.0, now=100.0)
    answer(made, HoldFor, BLOCKED, now=100.0)

    made.want(None, now=101.0)

    answer(made, LetGo(), Unheld(), now=111.0)
    assert made.is_paused


def test_a_throttle_storm_meets_at_most_two_calls_a_minute() -> None:
    throttled = Refused("ThrottlingException", is_lasting=False)
    made = policy()
    calls: list[float] = []
    for second in range(3_600):
        now = float(second)
        made.want(now + 900.0 if second % 100 < 50 else None, now=now)
        if made.next(now=now) is not None:
            calls.append(now)
            made.answered(throttled, now=now)

    assert len(calls) > 10
    assert all(third - first >= 60.0 for first, third in zip(calls, calls[2:], strict=False))


def test_a_hold_too_short_to_help_is_not_asked_for_in_a_hot_loop() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    answer(made, HoldFor(20), Held(60.0), now=0.0)

    assert not made.covers(900.0, now=0.0)
    assert made.next(now=29.0) is None
    assert made.next(now=30.0) == HoldFor(19)


# ── answers that may have been carried out ─────────────────────────────────────────────────────────────────


def test_a_hold_without_an_answer_is_looked_at_before_anything_is_believed() -> None:
    made = looked()
    made.want(900.0, now=0.0)

    assert answer(made, HoldFor(20), CANCELED, now=4.0) == []

    assert not made.covers(900.0, now=4.0)
    assert answer(made, Look(), Held(1_200.0), now=4.0) == ["protection.held"]
    assert made.covers(900.0, now=4.0)
    assert not made.is_paused


def test_a_hold_without_an_answer_that_a_look_does_not_find_is_a_refusal() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    answer(made, HoldFor(20), CANCELED, now=0.0)

    assert answer(made, Look(), Unheld(), now=0.1) == ["protection.refused"]

    assert made.is_paused
    assert made.next(now=14.0) is None
    assert made.next(now=19.0) == HoldFor(20)


def test_a_look_that_finds_only_the_old_hold_does_not_end_a_pause() -> None:
    made = holding()  # until 1,200
    made.want(3_700.0, now=100.0)
    answer(made, HoldFor, BLOCKED, now=100.0)
    made.want(900.0, now=101.0)
    answer(made, HoldFor, CANCELED, now=119.0)

    answer(made, Look(), Held(1_200.0), now=119.0)

    assert made.is_paused
    assert made.is_held(1_199.0)


def test_when_neither_write_nor_look_is_answered_the_task_pauses_and_clears_up_before_it_idles() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    answer(made, HoldFor(20), CANCELED, now=0.0)
    answer(made, Look(), Refused("ConnectionCut", is_lasting=False), now=0.1)
    assert made.is_paused

    made.want(None, now=0.2)

    assert made.next(now=0.2) == LetGo()


def test_a_let_go_without_an_answer_is_not_believed_either_way() -> None:
    made = holding()
    made.want(None, now=100.0)
    answer(made, LetGo(), CANCELED, now=110.0)

    assert not made.covers(500.0, now=110.0)
    answer(made, Look(), Held(1_200.0), now=110.1)

    assert made.is_held(110.1)
    assert made.next(now=110.1) is None  # no hot loop
    assert made.next(now=130.0) == LetGo()


def test_a_let_go_without_an_answer_that_a_look_confirms_is_a_release() -> None:
    made = holding()
    made.want(None, now=100.0)
    answer(made, LetGo(), CANCELED, now=110.0)

    assert answer(made, Look(), Unheld(), now=110.1) == ["protection.released"]
    assert made.next(now=500.0) is None


# ── refusals that last ─────────────────────────────────────────────────────────────────────────────────────


def test_a_lasting_refusal_lets_auto_work_unprotected_and_is_told_every_five_minutes() -> None:
    made = looked()
    made.want(900.0, now=0.0)

    assert answer(made, HoldFor(20), INVALID, now=0.0) == ["protection.refused"]

    assert made.is_unprotected_for_good
    assert made.lasting_reason == "TASK_NOT_VALID"
    assert not made.is_paused
    assert not made.needs(900.0, drain_s=25.0)
    made.want(None, now=1.0)
    assert made.next(now=299.0) is None
    assert answer(made, LetGo(), INVALID, now=300.0) == ["protection.refused"]
    assert made.next(now=599.0) is None
    assert made.next(now=600.0) == LetGo()


def test_a_lasting_refusal_is_known_at_the_start() -> None:
    made = policy()

    assert answer(made, Look(), INVALID, now=0.0) == ["protection.refused"]

    assert made.is_unprotected_for_good
    assert not made.needs(900.0, drain_s=25.0)


def test_a_role_that_is_mended_brings_protection_back() -> None:
    made = looked()
    made.want(900.0, now=0.0)
    answer(made, HoldFor(20), READ_DENIED, now=0.0)
    made.want(None, now=1.0)

    answer(made, LetGo(), Unheld(), now=300.0)

    assert not made.is_unprotected_for_good
    assert made.needs(900.0, drain_s=25.0)
    made.want(1_201.0, now=301.0)
    assert made.next(now=301.0) == HoldFor(20)


def test_always_makes_no_further_call_after_a_lasting_refusal() -> None:
    made = policy("always")
    made.want(20.0, now=0.0)

    answer(made, HoldFor(5), INVALID, now=0.0)

    assert made.is_unprotected_for_good
    assert made.needs(1.0, drain_s=25.0)
    assert made.next(now=10_000.0) is None


def test_a_lasting_refusal_of_an_extension_leaves_the_running_hold_alone() -> None:
    made = holding()
    made.want(3_700.0, now=100.0)

    answer(made, HoldFor, READ_DENIED, now=100.0)

    assert made.is_held(1_199.0)
    assert isinstance(made.next(now=400.0), HoldFor)  # asked again by a hold: a let-go would end what still runs


def test_the_missing_right_to_look_is_told_once_and_costs_nothing_else() -> None:
    """GetTaskProtection and UpdateTaskProtection are two permissions."""
    made = policy()

    assert answer(made, Look(), READ_DENIED, now=0.0) == ["protection.refused"]

    assert not made.is_unprotected_for_good
    assert answer(made, LetGo(), Unheld(), now=0.0) == ["protection.released"]  # blind: it may have been stale
    made.want(900.0, now=1.0)
    answer(made, HoldFor(20), Held(1_201.0), now=1.0)
    assert made.next(now=800.0) is None  # never looks again


def test_without_the_right_to_look_a_silent_hold_is_a_refusal() -> None:
    made = policy()
    answer(made, Look(), READ_DENIED, now=0.0)
    answer(made, LetGo(), Unheld(), now=0.0)
    made.want(900.0, now=1.0)

    assert answer(made, HoldFor(20), CANCELED, now=1.0) == ["protection.refused"]

    assert made.is_paused


# ── somebody else's hold ───────────────────────────────────────────────────────────────────────────────────


def test_a_stale_hold_is_reported_and_cleared_at_the_start() -> None:
    made = policy()

    assert answer(made, Look(), Held(5_000.0), now=0.0) == ["protection.foreign"]

    assert not made.covers(100.0, now=0.0)
    assert answer(made, LetGo(), Unheld(), now=0.0) == ["protection.released"]
    assert made.next(now=100.0) is None


def test_work_that_waits_at_the_start_goes_before_the_look() -> None:
    made = policy("always")
    made.want(20.0, now=0.0)

    answer(made, HoldFor(5), Held(300.0), now=0.0)

    assert made.next(now=0.0) is None


def test_a_hold_that_somebody_else_let_go_is_noticed_and_taken_again() -> None:
    made = holding()

    assert answer(made, Look(), Unheld(), now=300.0) == ["protection.foreign"]

    assert not made.is_held(300.0)
    assert made.next(now=300.0) == HoldFor(14)


def test_a_hold_that_somebody_else_shortened_is_believed_and_mended() -> None:
    made = holding()

    assert answer(made, Look(), Held(360.0), now=300.0) == ["protection.foreign"]

    assert not made.covers(900.0, now=300.0)
    assert made.next(now=300.0) == HoldFor(14)


def test_a_longer_hold_of_somebody_else_is_not_built_on_and_not_ended() -> None:
    made = holding()

    assert answer(made, Look(), Held(7_200.0), now=300.0) == ["protection.foreign"]

    assert not made.covers(3_000.0, now=300.0)
    made.want(None, now=310.0)
    assert made.next(now=330.0) is None


def test_expiries_that_differ_by_seconds_are_the_same_hold() -> None:
    made = holding()

    assert answer(made, Look(), Held(1_203.0), now=300.0) == []
