"""Ending leases on purpose: deletes, releases, burials, and what is done when one fails."""

from __future__ import annotations

import pytest
from tests.worker.hand import DENIED, LEASE_LOST, NO_ANSWER, THROTTLED, Hand, entries, message, of

from forebay.errors import Fault, FaultKind
from forebay.model import Failed, Postponed, Rejected, Succeeded
from forebay.queue.port import Description
from forebay.settings import VISIBILITY_CEILING_S
from forebay.worker.vocabulary import Bury, Conclude, Delete, Deleted, Entry, Release, Renew

BROKEN = Failed("app.Broken", "f00d", ("app.py:1 job",), "canary", "canary")
NO_DEAD_LETTERS = Description()


def test_a_success_is_deleted_and_counted_once_its_delete_is_confirmed() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (delete,) = of(hand.end(attempt.number), Delete)
    assert hand.ledger == {"received": 1}

    hand.answer(delete)

    assert hand.ledger == {"received": 1, "succeeded": 1}


def test_ends_that_come_together_are_settled_in_one_command() -> None:
    hand = Hand()
    attempts = hand.start(*(message(name) for name in "abc"), at=1.0)
    said = [command for attempt in attempts for command in hand.end(attempt.number)]

    assert len(entries(said, Delete)) == 3


def test_each_entry_of_a_batch_has_its_own_result() -> None:
    hand = Hand()
    attempts = hand.start(message("a"), message("b"), at=1.0)
    batch = [Entry(attempt.number, attempt.message.receipt) for attempt in attempts]
    for attempt in attempts:
        hand.end(attempt.number)

    hand.tell(Deleted(batch, {attempts[0].number: THROTTLED}))

    assert hand.ledger == {"received": 2, "succeeded": 1}
    again = entries(hand.wait(2.0), Delete)
    assert [entry.number for entry in again] == [attempts[0].number]


def test_a_delete_is_tried_again_for_as_long_as_there_is_trust() -> None:
    hand = Hand(visibility_s=6)
    (attempt,) = hand.start(message(), at=1.0)
    hand.end(attempt.number, at=1.1)
    tries = 0
    while hand.now < 10.0:
        for command in hand.said[:]:
            if isinstance(command, Delete | Renew):
                tries += isinstance(command, Delete)
                hand.said.remove(command)
                hand.answer(command, NO_ANSWER)
        hand.wait(hand.now + 0.05)

    assert tries >= 3
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_a_delete_whose_receipt_is_refused_is_no_success() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (delete,) = of(hand.end(attempt.number), Delete)

    hand.answer(delete, LEASE_LOST)

    assert hand.ledger == {"received": 1, "lease_lost": 1}
    assert len(hand.reports("lease.lost")) == 1


def test_a_failure_is_given_back_with_a_delay_and_counts_as_retried() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (release,) = of(hand.end(attempt.number, BROKEN), Release)
    hand.answer(release)

    assert 1 <= release.entries[0].seconds <= 2
    assert hand.ledger == {"received": 1, "retried": 1}


def test_a_postponement_beyond_the_ceiling_is_cut_to_it() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)

    (entry,) = entries(hand.end(attempt.number, Postponed(1_000_000.0), at=11.0), Release)

    assert entry.seconds == VISIBILITY_CEILING_S - 11


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)

    (entry,) = entries(hand.end(attempt.number, Postponed(0.2)), Release)

    assert entry.seconds == 1


def test_a_release_waits_for_the_renewal_that_is_under_way() -> None:
    """A renewal that arrived after it would hide the message again."""
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (renew,) = of(hand.wait(20.1), Renew)

    assert entries(hand.end(attempt.number, BROKEN), Release) == []
    assert len(entries(hand.answer(renew), Release)) == 1


def test_a_release_that_fails_is_tried_again_and_one_that_is_refused_is_done() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (release,) = of(hand.end(attempt.number, BROKEN), Release)
    hand.answer(release, THROTTLED)

    (again,) = of(hand.wait(2.0), Release)
    hand.answer(again, LEASE_LOST)

    assert hand.ledger == {"received": 1, "retried": 1}


def test_a_release_that_is_denied_is_left_to_the_visibility_timeout() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (release,) = of(hand.end(attempt.number, BROKEN), Release)

    hand.answer(release, DENIED)

    assert hand.ledger == {"received": 1, "retried": 1}
    assert hand.reports("permission.missing")


def test_a_delete_that_is_denied_is_told_with_the_statement_that_would_allow_it() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)
    (delete,) = of(hand.end(attempt.number, Succeeded()), Delete)

    hand.answer(delete, DENIED)

    (report,) = hand.reports("permission.missing")
    assert report["action"] == "sqs:DeleteMessage"
    assert '"sqs:DeleteMessage"' in report["grant"]


@pytest.mark.parametrize(
    ("attempts", "own", "delivery", "end"),
    [(2, None, 1, Release), (2, None, 2, Bury), (2, 3, 2, Release), (7, None, 6, Release)],
)
def test_a_job_that_says_no_attempts_gets_those_of_the_worker(
    attempts: int, own: int | None, delivery: int, end: type[Release | Bury]
) -> None:
    hand = Hand(attempts=attempts, attempts_max=own)
    (attempt,) = hand.start(message(delivery=delivery), at=1.0)

    assert of(hand.end(attempt.number, BROKEN), end)


def test_the_original_is_deleted_only_when_its_copy_is_confirmed() -> None:
    hand = Hand(attempts_max=1)
    (attempt,) = hand.start(message(), at=1.0)
    said = hand.end(attempt.number, BROKEN)
    assert len(of(said, Bury)) == 1
    assert entries(said, Delete) == []

    assert entries(hand.copied(attempt.number, NO_ANSWER), Delete) == []
    assert len(of(hand.wait(2.0), Bury)) == 1
    (delete,) = of(hand.copied(attempt.number), Delete)
    hand.answer(delete)

    assert hand.ledger == {"received": 1, "buried": 1}


def test_a_delete_that_fails_after_the_copy_makes_no_second_copy() -> None:
    hand = Hand(attempts_max=1)
    (attempt,) = hand.start(message(), at=1.0)
    hand.end(attempt.number, BROKEN)
    (delete,) = of(hand.copied(attempt.number), Delete)
    hand.answer(delete, THROTTLED)

    said = hand.wait(3.0)

    assert of(said, Bury) == []
    assert len(entries(said, Delete)) == 1


def test_a_buried_message_says_why_but_shows_no_user_data() -> None:
    hand = Hand(attempts_max=1)
    (attempt,) = hand.start(message(), at=1.0)

    (bury,) = of(hand.end(attempt.number, BROKEN), Bury)

    assert bury.error["type"] == "app.Broken"
    assert bury.error["fingerprint"] == "f00d"
    assert bury.error["outcome"] == "failed"
    assert "canary" not in str(bury.error)


def test_with_no_dead_letter_queue_nothing_is_deleted() -> None:
    hand = Hand(attempts_max=1, description=NO_DEAD_LETTERS)
    (attempt,) = hand.start(message(), at=1.0)
    said = hand.end(attempt.number, BROKEN)
    (release,) = of(said, Release)
    hand.answer(release)

    assert of(said, Bury) == []
    assert release.entries[0].seconds >= VISIBILITY_CEILING_S - 2
    assert hand.ledger == {"received": 1, "parked": 1}
    assert "RedrivePolicy" in hand.reports("message.parked")[0]["remedy"]
    assert not any(entries([command], Delete) for command in hand.said)


def test_a_message_that_is_parked_again_is_reported_once() -> None:
    hand = Hand(attempts_max=1, description=NO_DEAD_LETTERS)
    for delivery in (1, 2):
        (attempt,) = hand.start(message(delivery=delivery), at=float(delivery))
        (release,) = of(hand.end(attempt.number, Rejected("no")), Release)
        hand.answer(release)
        hand.wait(hand.now + 0.5)

    assert len(hand.reports("message.parked")) == 1
    assert hand.ledger == {"received": 2, "parked": 2}


def test_a_dead_letter_queue_that_takes_nothing_parks() -> None:
    hand = Hand(attempts_max=1)
    (attempt,) = hand.start(message(), at=1.0)
    hand.end(attempt.number, BROKEN)

    said = hand.copied(attempt.number, Fault(FaultKind.DENIED, "AccessDenied"))

    assert entries(said, Release)[0].seconds > 40_000
    assert entries(said, Delete) == []


def test_a_conclusion_says_what_follows() -> None:
    hand = Hand()
    (attempt,) = hand.start(message(), at=1.0)

    (conclude,) = of(hand.end(attempt.number, Postponed(7.0)), Conclude)

    (conclusion,) = conclude.conclusions
    assert (conclusion.settlement, conclusion.delay_s) == ("release", 7.0)
