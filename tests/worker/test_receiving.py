"""What comes in: routing, adoption, duplicates, and a service that says no."""

from __future__ import annotations

import pytest
from tests.worker.hand import Hand, entries, message, of

from forebay.errors import Fault, FaultKind
from forebay.model import Failed, TimedOut
from forebay.worker.receiving import REFUSALS, REFUSED_FOR_GOOD_S
from forebay.worker.vocabulary import (
    Bury,
    Delete,
    ExtendRequested,
    Interrupt,
    Notify,
    Receive,
    ReceiveFailed,
    Release,
    Renew,
    Start,
)


def fail(hand: Hand, kind: FaultKind, *, at: float) -> None:
    """Let the open poll fail."""
    hand.wait(at)
    (poll,) = hand.engine._polling.sources["q"].polls.values()
    hand.tell(ReceiveFailed("q", poll.number, Fault(kind, kind.value)), at=at)


def test_a_message_starts_at_once_when_nothing_stands_in_its_way() -> None:
    (attempt,) = Hand().start(message(), at=1.0)

    assert (attempt.job, attempt.message.message_id, attempt.limit_s) == ("job", "id-a", 20.0)
    assert attempt.signals.deadline_at == 21.0


def test_what_nobody_here_can_do_is_buried_with_the_reason() -> None:
    hand = Hand()
    (bury,) = of(hand.deliver(message(job="other"), at=1.0), Bury)
    (delete,) = of(hand.copied(bury.number), Delete)
    hand.answer(delete)

    assert bury.error["reason"] == "no job named 'other' is declared here"
    assert of(hand.said, Start) == []
    assert hand.ledger == {"received": 1, "buried": 1}


def test_a_lease_that_ended_unnoticed_is_lost_although_the_message_comes_again_here() -> None:
    """The control loop stood still; our open poll had the message again before any turn could say that it was lost."""
    hand = Hand(visibility_s=6)
    (attempt,) = hand.start(message("a"), at=1.0)
    hand.wait(1.2)

    hand.deliver(message("a", delivery=2), at=12.0, answered_at=11.9)
    said = hand.end(attempt.number, at=12.1)

    (told,) = hand.reports("lease.lost")
    assert told["state"] == "running"
    assert attempt.signals.lease_lost or any(notify.lease_lost for notify in of(hand.said, Notify))
    assert entries(said, Delete) == []


def test_a_message_that_comes_again_while_it_runs_is_adopted_not_started_twice() -> None:
    hand = Hand()
    hand.start(message(), at=1.0)
    hand.wait(1.1)

    assert hand.start(message(delivery=2), at=2.0) == []
    (delete,) = of(hand.end(1, at=3.0), Delete)
    hand.answer(delete)

    assert delete.entries[0].receipt == "a/2"
    assert hand.ledger == {"received": 2, "succeeded": 1, "duplicate": 1}


def test_a_message_that_comes_again_after_it_was_done_is_deleted_not_started() -> None:
    hand = Hand()
    hand.start(message(), at=1.0)
    (delete,) = of(hand.end(1, at=1.1), Delete)
    hand.answer(delete)
    hand.wait(1.3)

    said = hand.deliver(message(delivery=2), at=60.0)

    assert of(said, Start) == []
    assert [entry.receipt for entry in entries(said, Delete)] == ["a/2"]


def test_a_message_that_comes_back_before_its_release_is_answered_is_a_new_attempt() -> None:
    hand = Hand()
    hand.start(message(), at=1.0)
    hand.wait(1.1)
    hand.end(1, Failed("app.Broken", "f00d"), at=1.2)

    (attempt,) = hand.start(message(delivery=2), at=4.0)

    assert attempt.number == 2
    assert hand.ledger == {"received": 2, "retried": 1}


def test_one_message_twice_in_one_answer_is_started_once() -> None:
    hand = Hand()

    assert len(hand.start(message(delivery=1), message(delivery=2), at=1.0)) == 1
    assert hand.ledger == {"received": 2, "duplicate": 1}


def test_a_result_whose_lease_was_lost_counts_for_nothing_although_it_came_again_here() -> None:
    hand = Hand(visibility_s=6)
    hand.start(message(), at=1.0)
    hand.wait(8.0)
    assert hand.reports("lease.lost")
    hand.deliver(message(delivery=2), at=8.1)

    said = hand.end(1, at=8.2)

    assert entries(said, Delete) == []
    assert [entry.receipt for entry in entries(said, Release)] == ["a/2"]


def test_slots_are_taken_until_the_end_and_settling_takes_none() -> None:
    hand = Hand(slots=1)
    hand.start(message(), at=1.0)
    hand.wait(15.0)
    assert len(of(hand.said, Receive)) == 1

    hand.end(1, at=15.0)
    hand.wait(15.2)

    assert len(of(hand.said, Receive)) == 2
    assert hand.engine.snapshot().settling == 1


def test_a_passed_limit_interrupts_once_and_code_that_stays_is_reported() -> None:
    hand = Hand(limit_s=10.0, visibility_s=600)
    hand.start(message(), at=1.0)

    said = hand.wait(11.0)
    assert [(interrupt.number, interrupt.because_of_limit) for interrupt in of(said, Interrupt)] == [(1, True)]
    said = hand.wait(200.0)

    assert of(said, Interrupt) == []
    assert len(hand.reports("attempt.stuck")) == 1
    assert hand.engine.snapshot().running == 1


def test_a_handler_that_asks_for_time_gets_it_up_to_the_ceiling() -> None:
    hand = Hand(limit_s=10.0, visibility_s=600)
    (attempt,) = hand.start(message(), at=1.0)
    hand.tell(ExtendRequested(1, 100.0), at=5.0)

    assert attempt.signals.deadline_at == 105.0
    assert of(hand.wait(104.9), Interrupt) == []
    assert len(of(hand.wait(105.1), Interrupt)) == 1
    hand.tell(ExtendRequested(1, 100.0), at=106.0)
    assert attempt.signals.deadline_at == 105.0


@pytest.mark.parametrize("kind", [FaultKind.MISSING, FaultKind.DENIED, FaultKind.CREDENTIALS, FaultKind.REFUSED])
def test_a_service_that_says_no_from_the_start_ends_the_worker(kind: FaultKind) -> None:
    hand = Hand()

    fail(hand, kind, at=0.1)

    assert hand.exit is not None
    assert hand.exit.status == 1
    assert hand.exit.reason.startswith(REFUSALS[kind])


def test_a_service_that_has_answered_before_may_say_no_for_five_minutes() -> None:
    hand = Hand()
    hand.deliver(at=10.0)
    fail(hand, FaultKind.MISSING, at=20.0)
    while hand.now < 20.0 + REFUSED_FOR_GOOD_S - 31:
        hand.wait(hand.now + 1.0)
        if hand.engine._polling.is_open("q"):
            fail(hand, FaultKind.MISSING, at=hand.now)
    assert not hand.engine.stopped

    while hand.now < 20.0 + REFUSED_FOR_GOOD_S + 31 and not hand.engine.stopped:
        hand.wait(hand.now + 1.0)
        if hand.engine._polling.is_open("q"):
            fail(hand, FaultKind.MISSING, at=hand.now)

    assert hand.exit is not None
    assert "does not exist" in hand.exit.reason


def test_a_service_that_is_only_silent_is_waited_for_without_end() -> None:
    hand = Hand()
    while hand.now < 3_600:
        hand.wait(hand.now + 1.0)
        if hand.engine._polling.is_open("q"):
            fail(hand, FaultKind.NO_ANSWER, at=hand.now)

    assert hand.exit is None
    assert len(hand.reports("poll.failed")) > 100


def test_a_return_of_the_service_is_reported() -> None:
    hand = Hand()
    fail(hand, FaultKind.UNAVAILABLE, at=0.1)
    hand.wait(5.0)

    hand.deliver(at=5.1)

    assert hand.reports("poll.recovered") == [{"queue": "q", "failures": 1}]


def test_a_worker_far_behind_with_settlements_takes_no_more() -> None:
    hand = Hand(slots=100)
    number = 0
    while number < 1_300 and hand.engine._polling.is_open("q"):
        attempts = hand.start(*(message(f"{number + index}") for index in range(10)), at=hand.now + 0.01)
        for attempt in attempts:
            hand.end(attempt.number)
        number += 10
        hand.wait(hand.now + 0.06)

    assert 1_000 <= number < 1_300


def test_the_ledger_is_exact_at_every_moment() -> None:
    hand = Hand()
    hand.start(message("a"), message("b"), at=1.0)
    hand.end(1)

    assert hand.engine.orphaned == 0
    assert hand.engine.holds_anything
    assert not hand.engine.is_full


def test_code_on_which_its_executor_has_given_up_keeps_its_slot_and_its_lease() -> None:
    """It may still be running: another worker that got its message now would run it a second time."""
    hand = Hand(limit_s=10.0, visibility_s=60)
    hand.start(message(), at=1.0)
    hand.wait(11.0)

    said = hand.end(1, TimedOut(10.0, stopped=False), at=11.1)

    assert entries(said, Release) == entries(said, Delete) == []
    assert hand.engine.snapshot().running == 1
    assert len(entries(hand.wait(21.0), Renew)) == 1
