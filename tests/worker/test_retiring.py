"""Code that does not end: it is reported, the worker replaces itself, and nobody else suffers for it."""

from __future__ import annotations

from tests.worker.hand import Hand, entries, message, of

from forebay.model import Failed
from forebay.protection.port import Held, Unheld
from forebay.worker.drain import FLUSH_S, OBEY_S, VISIBLE_AFTER_S
from forebay.worker.vocabulary import (
    Delete,
    Exit,
    ExtendRequested,
    Hold,
    Interrupt,
    Notify,
    Receive,
    Release,
    Renew,
    Start,
)

REASON = "job 'job' does not stop"


def retiring(**options: float) -> Hand:
    """One attempt is stuck since 36 s: begun at 1 s, with a limit of 10 and a drain of 25. Another runs since 30 s."""
    hand = Hand(slots=10, limit_s=10.0, visibility_s=600, **options)  # type: ignore[arg-type]
    hand.start(message("stuck"), at=1.0)
    hand.wait(20.0)
    hand.deliver(at=20.0)
    hand.wait(30.0)
    hand.start(message("other"), at=30.0)
    hand.wait(36.01)
    return hand


def test_code_that_stays_beyond_its_limit_and_a_drain_makes_the_worker_take_nothing_new() -> None:
    hand = retiring()
    (told,) = hand.reports("attempt.stuck")
    assert (told["job"], told["message_id"], told["ran_s"]) == ("job", "id-stuck", 35.0)
    assert [report["reason"] for report in hand.reports("drain.started")] == [REASON]
    since = len(hand.said)

    hand.deliver(message("late"), at=36.5)
    hand.wait(39.0)

    assert of(hand.said[since:], Receive) == []
    assert of(hand.said[since:], Start) == []
    assert [entry.receipt for entry in entries(hand.said[since:], Release)] == ["late/1"]


def test_what_else_runs_may_finish_and_is_not_told_to_stop() -> None:
    hand = retiring()
    hand.deliver(at=36.5)
    assert not any(notify.stopping for notify in of(hand.said, Notify))
    assert {notify.attempt.number for notify in of(hand.said, Notify) if notify.hand_on} == {1, 2}

    (delete,) = of(hand.end(2, at=39.0), Delete)

    assert hand.exit is None
    hand.answer(delete, at=39.1)
    assert hand.engine.ledger["succeeded"] == 1


def test_when_only_the_stuck_one_is_left_it_is_interrupted_given_back_and_the_worker_leaves_with_status_1() -> None:
    hand = retiring()
    hand.deliver(at=36.5)
    (delete,) = of(hand.end(2, at=39.0), Delete)
    since = len(hand.said)
    hand.answer(delete, at=39.1)
    assert [interrupt.number for interrupt in of(hand.said[since:], Interrupt)] == [1]

    (release,) = of(hand.wait(39.1 + OBEY_S + 0.01), Release)
    (entry,) = release.entries
    hand.answer(release)

    assert hand.now + entry.seconds >= 39.1 + FLUSH_S + VISIBLE_AFTER_S
    assert hand.exit == Exit(1, REASON, code_still_runs=True)
    assert hand.ledger == {"received": 2, "succeeded": 1, "released": 1}
    assert len(hand.reports("attempt.stuck")) == 1, "it is told once"


def test_the_lease_of_stuck_code_is_kept_while_others_finish() -> None:
    hand = Hand(slots=10, limit_s=5.0, drain_s=1.0, visibility_s=30)
    hand.start(message("stuck"), at=1.0)
    hand.wait(6.5)
    hand.deliver(message("other"), at=6.6)
    hand.wait(7.1)
    assert hand.reports("attempt.stuck")

    said = hand.wait(11.1)

    assert [entry.receipt for entry in entries(said, Renew)] == ["stuck/1"]


def test_code_that_ends_after_all_settles_as_ever_and_the_worker_still_leaves() -> None:
    hand = retiring()
    hand.deliver(at=36.5)
    (first,) = of(hand.end(1, at=37.0), Delete)
    (second,) = of(hand.end(2, at=38.0), Delete)
    hand.answer(first, at=38.1)
    hand.answer(second, at=38.2)

    assert hand.exit == Exit(1, REASON, code_still_runs=False)
    assert hand.ledger == {"received": 2, "succeeded": 2}


def test_a_signal_meanwhile_shortens_it_to_the_usual_drain() -> None:
    hand = retiring()
    since = len(hand.said)
    hand.stop(at=37.0)
    assert {notify.attempt.number for notify in of(hand.said[since:], Notify) if notify.stopping} == {1, 2}
    hand.deliver(at=37.5)
    hand.end(2, Failed("app.Broken", "f00d"), at=38.0)
    (release,) = [release for release in of(hand.said[since:], Release) if release.entries[0].number == 2]
    hand.answer(release, at=38.1)

    said = hand.wait(37.0 + 25.0)
    assert [interrupt.number for interrupt in of(said, Interrupt)] == [1]
    (last,) = of(hand.wait(63.1), Release)
    hand.answer(last)

    assert hand.exit == Exit(1, REASON, code_still_runs=True)


def test_a_second_signal_leaves_within_a_second() -> None:
    hand = retiring()
    hand.stop_now(at=37.0)

    hand.wait(38.01)

    assert hand.exit is not None
    assert hand.exit.status == 1


def test_with_stuck_wait_it_is_reported_and_the_worker_goes_on_without_the_slot() -> None:
    hand = Hand(slots=2, limit_s=10.0, visibility_s=600, stuck="wait")
    hand.start(message("stuck"), at=1.0)
    hand.wait(1.1)
    hand.wait(36.1)
    assert hand.reports("attempt.stuck")

    assert len(hand.start(message("next"), at=40.0)) == 1
    assert hand.reports("drain.started") == []
    assert hand.engine.snapshot().running == 2


def test_protection_is_kept_while_others_finish() -> None:
    """A deployment or a scale-in that took the task now would take them with it."""
    hand = Hand(protect="auto", limit_s=600.0, drain_s=25.0, visibility_s=600)
    hand.protected(Unheld(), at=0.1)
    hand.start(message("stuck"), at=1.0)
    hand.protected(Held(1_000.0), at=1.1)
    hand.wait(20.0)
    hand.deliver(message("idle-poll"), at=20.0)
    hand.end(2, at=20.1)
    hand.wait(500.0)
    hand.deliver(message("other"), at=500.0)
    hand.protected(Held(800.0), at=500.1)  # the answer to a look
    hand.protected(Held(1_700.0), at=500.2)
    hand.wait(626.1)
    assert hand.reports("attempt.stuck")
    since = len(hand.said)

    hand.tell(ExtendRequested(3, 3_000.0), at=700.0)

    assert len(of(hand.said[since:], Hold)) == 1
