"""Attempts that are counted by sending the job again, and where they are counted by deliveries after all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worker.hand import DENIED, DESCRIPTION, Hand, entries, message, of
from tests.worker.test_going_on import FAILED, FAILURES, came_again, number_in, sent, word

from forebay.model import (
    ATTEMPT_ATTRIBUTE,
    CONTINUED,
    FIRST_SENT_ATTRIBUTE,
    Interrupted,
    MessageAttribute,
    Outcome,
    Postponed,
    Rejected,
)
from forebay.worker.vocabulary import (
    Bury,
    Delete,
    Release,
    Resend,
)


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_failed_attempt_is_counted_on_a_copy_that_waits_out_the_back_off(outcome: Outcome) -> None:
    hand = Hand(retry="resend")
    (one,) = hand.start(replace(message(), sent_at_ms=1_000), at=1.0)

    said = hand.end(one.number, outcome, at=2.0)
    copy = sent(said)

    assert word(said) == "resend"
    assert 1 <= copy.delay_s <= 2
    assert number_in(copy, ATTEMPT_ATTRIBUTE) == 1
    assert number_in(copy, FIRST_SENT_ATTRIBUTE) == 1_000
    assert copy.body == "{}"
    hand.answer(of(hand.resent(one.number, at=3.0), Delete)[0], at=3.1)
    assert hand.ledger == {"received": 1, "retried": 1}
    assert hand.reports("message.continued") == []


def test_deliveries_that_were_given_back_do_not_count() -> None:
    hand = Hand(retry="resend", attempts_max=3)
    (one,) = hand.start(came_again(attempts=1, delivery=9), at=1.0)
    assert one.count == 2

    assert number_in(sent(hand.end(one.number, FAILED, at=2.0)), ATTEMPT_ATTRIBUTE) == 2


def test_the_last_attempt_buries_and_says_which_it_was() -> None:
    hand = Hand(retry="resend", attempts_max=3)
    (one,) = hand.start(came_again(attempts=2), at=1.0)

    (bury,) = of(hand.end(one.number, FAILED, at=2.0), Bury)

    assert bury.error["reason"] == "failed with app.Broken on attempt 3 of 3"
    assert (bury.error["attempt"], bury.error["first_sent_at_ms"]) == (3, 1_000)


def test_the_queues_own_limit_says_nothing_about_exact_counts() -> None:
    hand = Hand(retry="resend", description=replace(DESCRIPTION, receive_count_max=2))
    (one,) = hand.start(came_again(attempts=3), at=1.0)

    assert of(hand.end(one.number, FAILED, at=2.0), Resend)


@pytest.mark.parametrize(("reached", "expected"), [("9", "9"), (None, "3")])
def test_a_failed_attempt_takes_its_newest_state_along(reached: str | None, expected: str) -> None:
    hand = Hand(retry="resend")
    (one,) = hand.start(came_again(state="3"), at=1.0)

    copy = sent(hand.end(one.number, FAILED, checkpoint=reached, at=2.0))

    assert copy.body == f'{{"forebay.checkpoint":{expected}}}'


@pytest.mark.parametrize("outcome", [Postponed(7.0), Interrupted()])
def test_what_is_no_failure_goes_back_uncounted(outcome: Outcome) -> None:
    hand = Hand(retry="resend")
    (one,) = hand.start(message(), at=1.0)

    said = hand.end(one.number, outcome, at=2.0)

    assert of(said, Resend) == []
    assert entries(said, Release)


def test_a_rejection_is_buried_whatever_the_count() -> None:
    hand = Hand(retry="resend")
    (one,) = hand.start(message(), at=1.0)

    assert of(hand.end(one.number, Rejected("no"), at=2.0), Bury)


def test_a_fifo_queue_counts_deliveries_and_that_is_told_once() -> None:
    description = replace(DESCRIPTION, is_fifo=True)
    hand = Hand(retry="resend", sources=["a.fifo", "b.fifo"], description=description)
    (one,) = hand.start(message(delivery=3, source="a.fifo"), at=1.0)

    said = hand.end(one.number, FAILED, at=2.0)

    assert one.count == 3
    assert of(said, Resend) == []
    assert [report["jobs"] for report in hand.reports("attempts.approximate")] == ["job"]


def test_where_copies_are_denied_deliveries_count_until_one_is_taken() -> None:
    hand = Hand(retry="resend", attempts_max=3)
    (one,) = hand.start(message("a"), at=1.0)
    hand.end(one.number, FAILED, at=2.0)
    said = hand.resent(one.number, DENIED, at=2.1)
    assert 1 <= entries(said, Release)[0].seconds <= 2

    (two,) = hand.start(message("b", delivery=3), at=3.0)
    assert two.count == 3
    assert of(hand.end(two.number, FAILED, at=3.1), Bury), "it is bounded all the same"

    (three,) = hand.start(message("c", delivery=2), at=4.0)
    hand.end(three.number, CONTINUED, checkpoint="1", at=4.1)
    hand.resent(three.number, at=4.2)
    (four,) = hand.start(message("d", delivery=2), at=5.0)
    assert four.count == 1


def test_a_message_with_no_room_for_a_count_counts_deliveries() -> None:
    own = {f"own-{number}": MessageAttribute("Number", "1") for number in range(9)}
    full = message("a", delivery=2)
    hand = Hand(retry="resend")

    (one,) = hand.start(replace(full, attributes={**full.attributes, **own}), at=1.0)
    said = hand.end(one.number, FAILED, at=2.0)

    assert one.count == 2
    assert of(said, Resend) == []
    assert entries(said, Release)


def test_the_jobs_own_back_off_counts() -> None:
    hand = Hand(backoff_first_s=100.0, backoff_ceiling_s=100.0, attempts_max=100)
    attempts = hand.start(*(message(str(index), delivery=9) for index in range(10)), at=1.0)

    delays = [entries(hand.end(one.number, FAILED, at=2.0), Release)[0].seconds for one in attempts]

    assert max(delays) > 50
    assert all(1 <= delay <= 100 for delay in delays)


def test_a_copy_waits_no_longer_than_sqs_delays_a_message() -> None:
    hand = Hand(retry="resend", backoff_first_s=40_000.0, backoff_ceiling_s=40_000.0, attempts_max=100)
    (one,) = hand.start(message(), at=1.0)

    assert sent(hand.end(one.number, FAILED, at=2.0)).delay_s == 900


def test_a_suspected_dependency_costs_no_attempt() -> None:
    hand = Hand(retry="resend", attempts_max=3, slots=50)
    asked = 0
    while hand.reports("dependency.suspected") == []:
        asked += 10
        assert asked < 1_000
        attempts = hand.start(*(message(str(index)) for index in range(asked, asked + 10)), at=hand.now + 1.0)
        for one in attempts:
            hand.end(one.number, FAILED)
            hand.resent(one.number)
    last = of(hand.said, Resend)[-1].message

    assert number_in(last, ATTEMPT_ATTRIBUTE) is None, "the failure that raised the suspicion is forgiven already"


def test_a_message_that_its_queue_would_not_take_back_with_a_count_is_counted_by_deliveries() -> None:
    description = replace(DESCRIPTION, message_max_bytes=1_024)
    hand = Hand(retry="resend", description=description)
    large = replace(message("a", delivery=3), body="{" + " " * 1_000 + "}")

    one, two = hand.start(large, message("b", delivery=3), at=1.0)

    assert (one.count, two.count) == (3, 1)
    assert one.message_max_bytes == 1_024
