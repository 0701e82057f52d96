"""Draining: what is finished, what is given back, and when the worker leaves."""

from __future__ import annotations

from tests.worker.hand import NO_ANSWER, Hand, entries, message, of

from forebay.model import Failed, Interrupted, Rejected, TimedOut
from forebay.worker.vocabulary import (
    AbandonPolls,
    Bury,
    Conclude,
    Delete,
    Exit,
    Interrupt,
    MessagesReceived,
    Notify,
    Receive,
    Release,
    Renew,
    Start,
    StopRequested,
)

BROKEN = Failed("app.Broken", "f00d")


def working(**options: float) -> Hand:
    """One attempt runs, and a poll is open."""
    hand = Hand(slots=10, **options)  # type: ignore[arg-type]
    hand.start(message(), at=1.0)
    hand.wait(1.1)
    assert hand.engine._polling.is_open("q")
    return hand


def test_after_a_stop_nothing_is_received() -> None:
    hand = working()
    said = hand.stop(at=2.0) + hand.wait(20.0)

    assert of(said, Receive) == []


def test_running_code_is_told_and_may_finish() -> None:
    hand = working()
    said = hand.stop(at=2.0)
    assert [notify.stopping for notify in of(said, Notify)] == [True]

    (delete,) = of(hand.end(1, at=10.0), Delete)
    hand.answer(delete)
    assert not hand.engine.stopped  # a poll is still open
    hand.deliver(at=15.0)

    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=False)
    assert hand.ledger == {"received": 1, "succeeded": 1}


def test_what_an_open_poll_still_brings_is_given_back_once_no_poll_is_open() -> None:
    """Released earlier, another open poll of ours would take it again."""
    hand = Hand(slots=40)
    hand.start(*(message(str(number)) for number in range(10)), at=1.0)
    hand.wait(1.1)
    assert len(hand.engine._polling.sources["q"].polls) == 2
    hand.stop(at=2.0)

    assert entries(hand.deliver(message("late"), at=3.0), Release) == []
    said = hand.deliver(at=4.0)

    assert of(hand.said, Start)[-1].attempts[0].number <= 10
    assert [(entry.receipt, entry.seconds) for entry in entries(said, Release)] == [("late/1", 0)]


def test_leases_are_kept_during_the_drain() -> None:
    hand = working(visibility_s=6)
    hand.stop(at=1.5)
    renewed = 0
    while hand.now < 20.0:
        for renew in of(hand.wait(hand.now + 0.1), Renew):
            renewed += 1
            hand.answer(renew)

    assert renewed >= 5
    assert hand.reports("lease.lost") == []


def test_at_the_limit_running_attempts_are_interrupted_and_polls_abandoned() -> None:
    hand = working(drain_s=5.0)
    hand.stop(at=2.0)

    said = hand.wait(7.0)

    assert [interrupt.because_of_limit for interrupt in of(said, Interrupt)] == [False]
    assert len(of(said, AbandonPolls)) == 1


def test_what_obeys_the_interrupt_goes_back_and_counts_as_released() -> None:
    hand = working(drain_s=5.0)
    hand.stop(at=2.0)
    hand.wait(7.0)
    (release,) = of(hand.end(1, Interrupted(), at=7.1), Release)
    hand.answer(release)

    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=False)
    assert hand.ledger == {"received": 1, "released": 1}


def test_what_fails_because_it_was_interrupted_has_not_failed() -> None:
    for outcome in (BROKEN, Rejected("cancelled")):
        hand = working(drain_s=5.0)
        hand.stop(at=2.0)
        hand.wait(7.0)
        said = hand.end(1, outcome, at=7.1)

        assert of(said, Bury) == []
        assert [conclusion.outcome for conclude in of(said, Conclude) for conclusion in conclude.conclusions] == [
            Interrupted()
        ]


def test_a_limit_that_passed_during_the_drain_is_still_a_time_out() -> None:
    hand = working(drain_s=30.0, limit_s=10.0)
    hand.stop(at=2.0)
    said = hand.wait(11.5)
    assert [interrupt.because_of_limit for interrupt in of(said, Interrupt)] == [True]

    said = hand.end(1, TimedOut(10.0), at=11.6)

    assert [conclusion.settlement for conclude in of(said, Conclude) for conclusion in conclude.conclusions] == [
        "release"
    ]
    assert hand.engine.ledger["retried"] == 0  # not before its answer


def test_what_does_not_obey_is_hidden_until_two_seconds_after_our_exit() -> None:
    hand = Hand(drain_s=5.0, slots=1)
    hand.start(message(), at=1.0)
    hand.stop(at=2.0)
    (release,) = of(hand.wait(8.1), Release)
    hand.answer(release)

    exit_at_the_latest = 2.0 + 5.0 + 4.0
    assert 8.0 + release.entries[0].seconds >= exit_at_the_latest + 2.0
    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=True)
    assert hand.reports("attempt.stuck")


def test_when_time_is_up_the_rest_counts_as_lost_and_the_status_says_so() -> None:
    hand = working(drain_s=5.0)
    (delete,) = of(hand.end(1, at=1.2), Delete)
    hand.stop(at=2.0)
    while hand.exit is None:
        hand.answer(delete, NO_ANSWER)
        delete = (of(hand.wait(hand.now + 1.0), Delete) or [delete])[-1]

    assert hand.now <= 12.0
    assert hand.exit.status == 1
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_an_idle_worker_leaves_when_its_poll_ends() -> None:
    hand = Hand()
    hand.stop(at=2.0)
    assert not hand.engine.stopped

    hand.deliver(at=20.0)

    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=False)


def test_a_drain_of_no_seconds_leaves_an_idle_poll_at_once() -> None:
    hand = Hand(drain_s=0.0)
    hand.stop(at=2.0)

    assert hand.exit == Exit(0, "SIGTERM", code_still_runs=False)


def test_repeated_first_signals_change_nothing() -> None:
    hand = working(drain_s=5.0)
    hand.stop(at=2.0)
    for _ in range(100):
        assert hand.stop(at=3.0) == []

    assert len(hand.reports("drain.started")) == 1


def test_the_second_signal_leaves_within_a_second_and_releases_what_it_can() -> None:
    hand = working()
    hand.stop(at=2.0)
    said = hand.stop_now(at=3.0)
    assert len(of(said, Interrupt)) == 1

    (release,) = of(hand.end(1, Interrupted(), at=3.1), Release)
    hand.answer(release, at=3.2)

    assert hand.exit == Exit(1, "second signal", code_still_runs=False)


def test_the_second_signal_waits_no_longer_than_a_second_for_anybody() -> None:
    hand = working()
    hand.stop(at=2.0)
    hand.stop_now(at=3.0)

    hand.wait(4.01)

    assert hand.exit is not None
    assert hand.exit.status == 1
    assert hand.exit.code_still_runs


def test_what_is_given_back_after_the_polls_were_abandoned_outlasts_them() -> None:
    """The service may not have noticed that we are gone, and would hide the message for nobody."""
    hand = working(drain_s=5.0)
    asked_at = max(poll.asked_at for poll in hand.engine._polling.sources["q"].polls.values())
    hand.stop(at=2.0)
    hand.wait(7.0)

    (entry,) = entries(hand.end(1, Interrupted(), at=7.1), Release)

    assert 7.1 + entry.seconds >= asked_at + 20.0


def test_an_answer_that_was_in_the_inbox_when_its_poll_was_abandoned_is_given_back() -> None:
    hand = working(drain_s=0.0)
    (poll,) = hand.engine._polling.sources["q"].polls.values()
    hand.stop(at=2.0)

    said = hand.tell(MessagesReceived("q", poll.number, [message("late")], poll.asked_at, 2.0), at=2.1)

    assert [entry.receipt for entry in entries(said, Release)] == ["late/1"]


def test_a_worker_whose_executor_gives_up_drains_and_leaves_with_status_1() -> None:
    hand = working()

    hand.tell(StopRequested("no child process can be used", status=1), at=2.0)
    hand.deliver(at=2.1)
    (delete,) = of(hand.end(1, at=3.0), Delete)
    hand.answer(delete, at=3.1)

    assert hand.exit is not None
    assert (hand.exit.status, hand.exit.reason) == (1, "no child process can be used")
    assert hand.ledger == {"received": 1, "succeeded": 1}
