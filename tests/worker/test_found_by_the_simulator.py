"""Bugs of the engine that the simulator found, each as its smallest case. See also `tests/simulation/seeds.txt`."""

from __future__ import annotations

from tests.worker.hand import NO_ANSWER, Hand, entries, message, of

from forebay.model import SUCCEEDED, Failed, Interrupted
from forebay.protection.port import Refused, Unheld
from forebay.queue.port import Counts
from forebay.worker.vocabulary import Buried, Count, Counted, Delete, Exit, Release, Renew, Start, Tick

NONE = Counts(0, 0, 0)


def test_a_worker_that_waits_to_count_again_does_not_spin_once_it_holds_a_message() -> None:
    """The instant of the next count lay in the past, and was named as the next wake-up for ever."""
    hand = Hand(exit_when_empty=True)
    hand.tell(Counted("q", Counts(0, 1, 0)), at=0.1)
    hand.deliver(message(), at=0.5)

    hand.tell(Tick(), at=2.0)

    assert hand.engine.wake_at is not None
    assert hand.engine.wake_at > 2.0


def test_numbers_asked_for_before_a_message_came_do_not_make_a_queue_empty() -> None:
    """The count was slow; meanwhile a message came, failed, and is hidden until its next attempt."""
    hand = Hand(exit_when_empty=True)
    assert of(hand.said, Count)
    (attempt,) = hand.start(message(), at=0.2)
    (release,) = of(hand.end(attempt.number, Failed("Broken", "f00d"), at=0.3), Release)
    hand.answer(release, at=0.4)

    hand.tell(Counted("q", NONE), at=0.5)
    hand.deliver(at=1.5)

    assert hand.reports("drain.started") == []


def test_a_delivery_that_was_dead_before_it_was_looked_at_is_not_deleted() -> None:
    """The control loop stood still; the record that waits to delete adopts a delivery whose lease has ended."""
    hand = Hand(visibility_s=5)
    (attempt,) = hand.start(message(), at=1.0)
    hand.wait(1.2)
    (delete,) = of(hand.end(attempt.number, at=1.3), Delete)
    hand.answer(delete, NO_ANSWER, at=1.4)

    said = hand.deliver(message(delivery=2), answered_at=1.5, at=40.0)

    assert entries(said, Delete) == []
    assert hand.ledger == {"received": 2, "duplicate": 1, "lease_lost": 1}


def test_nothing_is_said_after_the_exit() -> None:
    """A delete fell due again in the very instant at which time was up."""
    hand = Hand(drain_s=0.0)
    (attempt,) = hand.start(message(), at=1.0)
    (delete,) = of(hand.end(attempt.number, at=1.1), Delete)
    hand.stop(at=1.2)
    hand.answer(delete, NO_ANSWER, at=1.3)

    said = hand.tell(Tick(), at=20.0)

    assert isinstance(said[-1], Exit)
    assert entries(said, Delete) == []


def test_what_waits_when_a_pause_ends_is_started_rather_than_held_for_ever() -> None:
    """It was to be given back when all our polls had ended; but once the pause was over, poll followed upon poll."""
    hand = Hand(protect="auto", limit_s=600.0, visibility_s=600)
    hand.protected(Unheld(), at=0.1)
    hand.deliver(message(), at=1.0)
    hand.wait(1.1)
    hand.protected(Refused("DEPLOYMENT_BLOCKED", is_lasting=False), at=1.2)

    hand.wait(20.5)
    said = hand.protected(at=20.6)

    assert [attempt.message.message_id for start in of(said, Start) for attempt in start.attempts] == ["id-a"]


def test_what_waits_in_a_pause_is_given_back_when_no_poll_of_ours_could_take_it_again() -> None:
    hand = Hand(protect="auto", limit_s=600.0, visibility_s=600)
    hand.protected(Unheld(), at=0.1)
    hand.deliver(message(), at=1.0)
    hand.wait(1.1)
    hand.protected(Refused("DEPLOYMENT_BLOCKED", is_lasting=False), at=1.2)
    assert of(hand.said, Release) == []

    said = hand.deliver(at=15.0)

    assert [entry.receipt for entry in entries(said, Release)] == ["a/1"]


def test_what_a_handler_cancelled_by_itself_is_given_back_while_polls_go_on() -> None:
    """Interrupted without a stop of ours: a task of the user's own may cancel it."""
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    hand.wait(1.1)

    said = hand.end(attempt.number, Interrupted(), at=1.2)

    assert [entry.receipt for entry in entries(said, Release)] == ["a/1"]


def test_code_that_ends_after_it_was_given_up_does_not_run_any_more() -> None:
    hand = Hand(drain_s=0.0)
    (attempt,) = hand.start(message(), at=1.0)
    hand.stop(at=1.1)
    hand.wait(2.2)
    (release,) = of(hand.said, Release)

    hand.end(attempt.number, Failed("Broken", "f00d"), at=2.5)
    hand.answer(release, at=2.6)

    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=False)


def test_a_success_after_giving_up_is_deleted_if_its_release_has_not_left_yet() -> None:
    """The release waited for a heartbeat to be answered."""
    hand = Hand(drain_s=0.0, visibility_s=6)
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(2.0), Renew)
    hand.stop(at=2.1)
    hand.wait(3.2)
    assert of(hand.said, Release) == []

    said = hand.end(attempt.number, SUCCEEDED, at=3.3)

    assert [entry.number for entry in entries(said, Delete)] == [attempt.number]
    assert renew.entries[0].number == attempt.number


def test_a_success_is_deleted_although_the_release_of_what_was_given_up_is_under_way() -> None:
    hand = Hand(drain_s=0.0)
    (attempt,) = hand.start(message(), at=1.0)
    hand.stop(at=1.1)
    (release,) = of(hand.wait(2.2), Release)

    (delete,) = of(hand.end(attempt.number, SUCCEEDED, at=2.3), Delete)
    hand.answer(release, NO_ANSWER, at=2.4)
    hand.answer(delete, at=2.5)

    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=False)
    assert hand.ledger == {"received": 1, "succeeded": 1}


def test_a_failure_after_giving_up_leaves_the_release_that_is_under_way() -> None:
    hand = Hand(drain_s=0.0)
    (attempt,) = hand.start(message(), at=1.0)
    hand.stop(at=1.1)
    (release,) = of(hand.wait(2.2), Release)

    said = hand.end(attempt.number, Failed("Broken", "f00d"), at=2.3)
    hand.answer(release, at=2.4)

    assert entries(said, Release) == []
    assert hand.ledger == {"received": 1, "released": 1}


def test_a_burial_is_answered_once_although_its_message_was_adopted_meanwhile() -> None:
    hand = Hand(attempts_max=1)
    (attempt,) = hand.start(message(), at=1.0)
    hand.wait(1.1)
    hand.end(attempt.number, Failed("Broken", "f00d"), at=1.2)
    hand.deliver(message(delivery=2), at=1.3)

    said = hand.tell(Buried(attempt.number), at=1.4)

    assert [entry.receipt for entry in entries(said, Delete)] == ["a/2"]
