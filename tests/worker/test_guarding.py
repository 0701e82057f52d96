"""Task protection around the work: receive, then protect, then run."""

from __future__ import annotations

from typing import Literal

from tests.worker.hand import Hand, message, of

from forebay.model import Failed
from forebay.protection.port import Held, Refused, Unheld
from forebay.worker.vocabulary import (
    Delete,
    Exit,
    ExtendRequested,
    Hold,
    LookAtProtection,
    Receive,
    Release,
    Start,
    Unhold,
)

BLOCKED = Refused("DEPLOYMENT_BLOCKED", is_lasting=False)
GONE = Refused("TASK_NOT_VALID", is_lasting=True)


def looked(*, limit_s: float = 600.0, drain_s: float = 25.0, stuck: Literal["replace", "wait"] = "replace") -> Hand:
    """A worker under `auto` that has looked and found nothing held."""
    hand = Hand(protect="auto", limit_s=limit_s, drain_s=drain_s, visibility_s=600, stuck=stuck)
    assert of(hand.said, LookAtProtection)
    hand.protected(Unheld(), at=0.1)
    return hand


def always() -> Hand:
    hand = Hand(protect="always", limit_s=60.0, visibility_s=600)
    hand.protected(at=0.1)
    return hand


def test_an_idle_worker_is_never_protected() -> None:
    hand = looked()
    for turn in range(1, 30):
        hand.deliver(at=20.0 * turn)

    assert of(hand.said, Hold) == []


def test_a_long_job_waits_until_protection_is_held() -> None:
    hand = looked()
    assert hand.start(message(), at=1.0) == []
    assert len(of(hand.said, Hold)) == 1

    said = hand.protected(at=1.1)

    assert len(of(said, Start)) == 1


def test_a_hold_that_is_too_short_for_the_job_starts_nothing() -> None:
    hand = looked(limit_s=600.0)
    hand.start(message(), at=1.0)

    assert of(hand.protected(Held(300.0), at=1.1), Start) == []


def test_a_job_that_fits_into_the_drain_needs_no_protection() -> None:
    hand = looked(limit_s=20.0)

    assert len(hand.start(message(), at=1.0)) == 1
    assert of(hand.said, Hold) == []


def test_one_hold_serves_all_that_run() -> None:
    hand = looked()
    hand.start(message("a"), at=1.0)
    hand.protected(at=1.1)
    hand.wait(1.2)

    hand.start(message("b"), at=1.3)

    assert len(of(hand.said, Hold)) == 1


def test_protection_goes_after_the_linger_and_never_before_the_last_settlement_is_answered() -> None:
    hand = looked()
    hand.start(message(), at=1.0)
    hand.protected(at=1.1)
    (delete,) = of(hand.end(1, at=2.0), Delete)
    hand.wait(100.0)
    assert of(hand.said, Unhold) == []

    hand.answer(delete, at=100.0)
    hand.wait(109.9)
    assert of(hand.said, Unhold) == []
    hand.wait(110.1)

    assert len(of(hand.said, Unhold)) == 1


def test_while_protection_is_refused_for_the_moment_nothing_is_received_and_what_runs_goes_on() -> None:
    hand = looked(limit_s=60.0, stuck="wait")
    hand.start(message("a"), at=1.0)
    hand.protected(Held(400.0), at=1.1)
    hand.wait(1.2)
    hand.start(message("b"), at=200.0)
    hand.wait(340.0)
    before = len(of(hand.said, Receive))
    assert len(of(hand.said, Hold)) >= 2

    hand.protected(BLOCKED, at=341.0)
    hand.wait(350.0)

    assert len(of(hand.said, Receive)) == before
    assert hand.engine.snapshot().running == 2
    assert "refused for the moment" in hand.engine.notes[0]


def test_refused_for_good_auto_runs_without_protection_and_says_so() -> None:
    hand = looked()
    hand.start(message(), at=1.0)

    said = hand.protected(GONE, at=1.1)

    assert len(of(said, Start)) == 1
    assert hand.reports("protection.refused")[0]["is_lasting"]
    assert "TASK_NOT_VALID" in hand.engine.notes[0]


def test_refused_for_good_always_leaves_with_status_1() -> None:
    hand = Hand(protect="always")

    hand.protected(GONE, at=0.1)

    assert hand.exit == Exit(1, "protection refused: TASK_NOT_VALID", code_still_runs=False)


def test_always_holds_before_the_first_poll() -> None:
    hand = Hand(protect="always")
    assert of(hand.said, Receive) == []
    assert len(of(hand.said, Hold)) == 1

    assert len(of(hand.protected(at=0.1), Receive)) == 1


def test_always_lets_go_when_the_work_of_a_cycle_is_done_and_begins_the_next() -> None:
    """The article's cycle: acquire, poll, work, release."""
    hand = always()
    (attempt,) = hand.start(message(), at=1.0)
    while of(hand.said, Receive)[-1].poll in hand.engine._polling.sources["q"].polls:
        hand.deliver(at=hand.now + 0.1)
    (delete,) = of(hand.end(attempt.number), Delete)
    said = hand.answer(delete)
    assert len(of(said, Unhold)) == 1

    said = hand.protected(Unheld(), at=hand.now + 0.1)

    assert len(of(said, Hold)) == 1
    assert of(said, Receive) == []


def test_always_goes_on_although_a_hold_ran_out_before_it_could_be_let_go() -> None:
    """Letting go was refused until the hold ended by itself; that, too, is the end of a cycle."""
    hand = always()
    (attempt,) = hand.start(message(), at=1.0)
    while hand.engine._polling.is_open("q"):
        hand.deliver(at=hand.now + 0.1)
    (delete,) = of(hand.end(attempt.number), Delete)
    hand.answer(delete)
    while hand.now < 3_600:
        for _ in of(hand.said, Unhold):
            hand.protected(BLOCKED)
        hand.said.clear()
        hand.wait(hand.now + 60.0)

    hand.wait(4_500.0)

    assert of(hand.said, Hold)


def test_after_a_stop_no_call_is_made() -> None:
    hand = looked()
    hand.start(message(), at=1.0)
    hand.protected(Held(200.0), at=1.1)
    said = hand.stop(at=2.0)
    said += hand.wait(300.0)

    assert [command for command in said if isinstance(command, Hold | Unhold | LookAtProtection)] == []


def test_what_a_stop_finds_waiting_for_protection_is_given_back() -> None:
    hand = looked()
    hand.start(message(), at=1.0)

    said = hand.stop(at=1.1)

    assert len(of(said, Release)) == 1
    assert of(hand.protected(at=1.2), Start) == []


def test_a_job_that_is_given_more_time_is_protected_for_longer() -> None:
    hand = looked(limit_s=60.0)
    hand.start(message(), at=1.0)
    hand.protected(Held(302.0), at=1.1)
    said = hand.tell(ExtendRequested(1, 3_000.0), at=50.0)

    assert [hold.minutes for hold in of(said, Hold)] >= [51]


def test_a_failure_keeps_protection_until_its_release_is_answered() -> None:
    hand = looked()
    hand.start(message(), at=1.0)
    hand.protected(at=1.1)
    (release,) = of(hand.end(1, Failed("app.Broken", "f00d"), at=2.0), Release)
    hand.wait(60.0)
    assert of(hand.said, Unhold) == []

    hand.answer(release, at=60.0)
    hand.wait(71.0)

    assert len(of(hand.said, Unhold)) == 1
