"""Heartbeats: when leases are renewed, what an answer is worth, and what is lost."""

from __future__ import annotations

from tests.worker.hand import DENIED, LEASE_LOST, NO_ANSWER, THROTTLED, Hand, entries, message, of

from forebay.queue.port import Description
from forebay.settings import VISIBILITY_CEILING_S
from forebay.worker.vocabulary import Delete, Notify, Receive, Release, Renew, Tick


def test_a_lease_is_renewed_when_a_third_of_it_is_gone() -> None:
    hand = Hand(visibility_s=60)
    hand.start(message(), at=1.0)

    assert entries(hand.wait(19.9), Renew) == []
    (entry,) = entries(hand.wait(20.1), Renew)

    assert (entry.receipt, entry.seconds) == ("a/1", 60)


def test_leases_that_fall_due_together_are_renewed_in_one_command() -> None:
    hand = Hand(visibility_s=60)
    hand.start(*(message(name) for name in "abcdefg"), at=1.0)

    (renew,) = of(hand.wait(20.1), Renew)

    assert len(renew.entries) == 7


def test_a_renewal_counts_from_its_request_however_late_its_answer_comes() -> None:
    hand = Hand(visibility_s=60)
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)
    hand.answer(renew, at=50.0)

    record = hand.engine._desk.records[attempt.number]

    assert record.trusted_until <= 20.1 + 60 - 5


def test_a_renewal_answered_when_trust_had_ended_revives_nothing_and_is_told_once() -> None:
    hand = Hand(visibility_s=60)
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)

    said = hand.answer(renew, at=70.0)

    assert [notify.attempt.number for notify in of(said, Notify) if notify.lease_lost] == [attempt.number]
    assert len(hand.reports("lease.lost")) == 1
    assert entries(hand.end(attempt.number), Delete) == []
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_a_renewal_that_fails_is_tried_again_while_there_is_trust() -> None:
    hand = Hand(visibility_s=60)
    hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)
    hand.answer(renew, THROTTLED)

    said = hand.wait(30.0)

    assert len(entries(said, Renew)) == 1
    assert hand.reports("lease.lost") == []


def test_a_lease_that_cannot_be_renewed_is_lost_before_the_service_shows_the_message_again() -> None:
    hand = Hand(visibility_s=60)
    (attempt,) = hand.start(message(), at=1.0)
    while hand.now < 59.0:
        for renew in of(hand.wait(hand.now + 0.5), Renew):
            hand.answer(renew, NO_ANSWER)

    (lost,) = hand.reports("lease.lost")

    assert lost["state"] == "running"
    assert hand.engine._desk.records[attempt.number].is_lease_lost


def test_a_refused_renewal_means_that_the_lease_is_lost_now() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)

    said = hand.answer(renew, LEASE_LOST)

    assert [notify.attempt.number for notify in of(said, Notify) if notify.lease_lost] == [attempt.number]


def test_a_result_whose_lease_was_lost_is_neither_deleted_nor_released() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)
    hand.answer(renew, LEASE_LOST)

    said = hand.end(attempt.number)

    assert entries(said, Delete) == entries(said, Release) == []
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_an_answer_to_a_renewal_of_an_older_delivery_says_nothing() -> None:
    hand = Hand(visibility_s=60)
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)
    hand.deliver(message(delivery=2), at=20.2)

    hand.answer(renew, LEASE_LOST, at=20.3)

    assert hand.reports("lease.lost") == []
    assert not hand.engine._desk.records[attempt.number].is_lease_lost


def test_where_renewing_is_denied_it_is_said_once_and_receives_hide_for_the_longest_job() -> None:
    hand = Hand(limit_s=600.0)
    hand.start(message(), message("b"), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)
    hand.answer(renew, DENIED)

    later = hand.wait(40.0)
    hand.deliver(at=41.0)

    assert entries(later, Renew) == []
    assert len([report for report in hand.reports("permission.missing") if "ChangeMessage" in report["action"]]) == 1
    assert of(hand.said, Receive)[-1].visibility_s >= 600


def test_where_renewing_is_known_to_be_denied_the_first_receive_hides_long_enough() -> None:
    hand = Hand(limit_s=600.0, description=Description(dead_letter="dead", may_renew=False))
    hand.start(message(), at=1.0)

    assert of(hand.said, Receive)[0].visibility_s >= 600
    assert entries(hand.wait(590.0), Renew) == []
    assert hand.reports("lease.lost") == []


def test_no_renewal_asks_for_more_than_the_ceiling_leaves() -> None:
    hand = Hand(visibility_s=7_200, limit_s=42_600.0)
    hand.start(message(), at=1.0)
    asked: list[tuple[float, int]] = []
    while hand.now < 43_000:
        for renew in of(hand.wait(hand.now + 60.0), Renew):
            asked += [(hand.now, entry.seconds) for entry in renew.entries]
            hand.answer(renew)

    assert len(asked) > 10
    assert all(now + seconds <= VISIBILITY_CEILING_S + 60 for now, seconds in asked)
    assert hand.reports("lease.lost") == []


def test_a_stalled_loop_that_wakes_too_late_gives_the_lease_up_and_settles_nothing() -> None:
    hand = Hand(visibility_s=10)
    (attempt,) = hand.start(message(), at=1.0)

    said = hand.end(attempt.number, at=30.0)

    assert entries(said, Delete) == []
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_heartbeats_go_on_until_a_settlement_is_confirmed() -> None:
    hand = Hand(visibility_s=6)
    (attempt,) = hand.start(message(), at=1.0)
    (delete,) = of(hand.end(attempt.number, at=1.1), Delete)
    hand.answer(delete, THROTTLED, at=1.2)

    renewed = entries(hand.tell(Tick(), at=2.5), Renew)

    assert [entry.receipt for entry in renewed] == ["a/1"]
