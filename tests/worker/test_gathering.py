"""Batches: who is in one, when it starts, and that each message keeps its own lease, limit and settlement."""

from __future__ import annotations

from tests.worker.hand import LEASE_LOST, Hand, entries, message, of

from forebay.handlers.executor import Ended
from forebay.handlers.registry import BatchRule, Handler, Runs
from forebay.model import SUCCEEDED, Failed
from forebay.worker.vocabulary import Delete, Finished, Interrupt, Release, Renew, Renewed, RoomChanged, Start

FAILED = Failed("app.Broken", "f00d")


def batching(
    *, size: int = 3, linger_s: float = 1.0, slots: int = 20, runs: Runs = "loop", slots_max: int | None = None,
    visibility_s: int = 60,
) -> Hand:  # fmt: skip
    handler = Handler(
        "bulk", runs, lambda attempts: [], 20.0, slots_max=slots_max, batch=BatchRule(size=size, linger_s=linger_s)
    )
    return Hand(slots=slots, visibility_s=visibility_s, handlers=[handler])


def batches(hand: Hand) -> list[list[str]]:
    """The messages of each batch started so far; every `Start` is to be one batch of one number."""
    found: list[list[str]] = []
    for start in of(hand.said, Start):
        assert len({attempt.batch for attempt in start.attempts}) == 1
        assert start.attempts[0].batch == len(found) + 1
        found.append([attempt.message.message_id.removeprefix("id-") for attempt in start.attempts])
    return found


def test_a_batch_starts_when_it_is_full() -> None:
    hand = batching(size=3)

    hand.deliver(*(message(name, job="bulk") for name in "ab"), at=1.0)
    assert batches(hand) == []
    hand.wait(1.1)
    hand.deliver(*(message(name, job="bulk") for name in "cd"), at=1.2)

    assert batches(hand) == [["a", "b", "c"]]


def test_a_batch_starts_when_its_first_message_has_waited_for_the_linger() -> None:
    hand = batching(size=3, linger_s=1.0)
    hand.deliver(message("a", job="bulk"), at=1.0)
    hand.wait(1.5)
    hand.deliver(message("b", job="bulk"), at=1.6)

    hand.wait(1.99)
    assert batches(hand) == []
    hand.wait(2.01)

    assert batches(hand) == [["a", "b"]]


def test_a_batch_of_one_is_a_batch_too() -> None:
    hand = batching(size=3, linger_s=0.5)
    hand.deliver(message("a", job="bulk"), at=1.0)

    hand.wait(1.6)

    assert batches(hand) == [["a"]]


def test_what_does_not_fit_into_a_batch_begins_the_next_one() -> None:
    hand = batching(size=3, linger_s=1.0)

    hand.deliver(*(message(name, job="bulk") for name in "abcdefgh"), at=1.0)
    assert batches(hand) == [["a", "b", "c"], ["d", "e", "f"]]
    hand.wait(2.1)

    assert batches(hand)[2] == ["g", "h"]


def test_each_message_of_a_batch_has_its_own_settlement() -> None:
    hand = batching(size=3)
    hand.deliver(*(message(name, job="bulk") for name in "abc"), at=1.0)

    said = hand.tell(Finished([Ended(1, SUCCEEDED, 0.1), Ended(2, FAILED, 0.1), Ended(3, SUCCEEDED, 0.1)]), at=2.0)

    assert {entry.receipt for entry in entries(said, Delete)} == {"a/1", "c/1"}
    assert {entry.receipt for entry in entries(said, Release)} == {"b/1"}


def test_a_message_that_loses_its_lease_while_the_batch_gathers_is_not_in_it() -> None:
    hand = batching(size=3, linger_s=100.0, visibility_s=30)
    hand.deliver(*(message(name, job="bulk") for name in "ab"), at=1.0)
    (renew,) = of(hand.wait(11.0), Renew)
    hand.tell(Renewed(renew.entries, 10.9, {1: LEASE_LOST}), at=11.1)
    hand.deliver(*(message(name, job="bulk") for name in "cd"), at=11.2)

    assert batches(hand) == [["b", "c", "d"]]
    assert hand.ledger == {"received": 4, "lease_lost": 1}


def test_leases_are_kept_while_a_batch_gathers() -> None:
    hand = batching(size=3, linger_s=15.0, visibility_s=30)
    hand.deliver(message("a", job="bulk"), at=1.0)

    said = hand.wait(12.0)

    assert [entry.receipt for entry in entries(said, Renew)] == ["a/1"]


def test_a_second_delivery_of_a_message_is_not_in_the_batch_twice() -> None:
    hand = batching(size=3)
    hand.deliver(message("a", job="bulk"), at=1.0)
    hand.wait(1.1)
    hand.deliver(message("a", job="bulk", delivery=2), message("b", job="bulk"), at=1.2)

    hand.wait(2.1)

    assert batches(hand) == [["a", "b"]]


def test_a_drain_gives_back_what_gathers_and_lets_a_running_batch_finish() -> None:
    hand = batching(size=2, linger_s=60.0)
    hand.deliver(*(message(name, job="bulk") for name in "abc"), at=1.0)
    hand.stop(at=2.0)
    hand.deliver(at=3.0)

    assert batches(hand) == [["a", "b"]]
    assert [(entry.receipt, entry.seconds) for entry in entries(hand.said, Release)] == [("c/1", 0)]


def test_a_limit_that_passes_is_told_of_every_message_of_the_batch() -> None:
    hand = batching(size=2)
    hand.deliver(*(message(name, job="bulk") for name in "ab"), at=1.0)

    said = hand.wait(21.1)

    assert {interrupt.number for interrupt in of(said, Interrupt)} == {1, 2}


def test_a_batch_takes_one_place_of_an_executor_that_counts_them() -> None:
    hand = batching(size=3, runs="process")
    hand.tell(RoomChanged("process", 1), at=0.5)
    hand.deliver(*(message(name, job="bulk") for name in "abc"), at=1.0)
    hand.wait(1.1)
    assert not hand.engine._polling.is_open("q"), "the place is taken"

    hand.tell(Finished([Ended(1, SUCCEEDED, 60.0), Ended(2, SUCCEEDED, 60.0)]), at=2.0)
    hand.wait(2.1)
    assert not hand.engine._polling.is_open("q"), "one of its messages has not ended"
    hand.end(3, at=3.0)
    hand.wait(3.1)

    assert hand.engine._polling.is_open("q")


def test_no_batch_starts_beyond_the_share_and_a_due_one_takes_what_is_left_of_it() -> None:
    hand = batching(size=3, slots_max=4, linger_s=1.0)
    hand.deliver(*(message(name, job="bulk") for name in "abcd"), at=1.0)
    assert batches(hand) == [["a", "b", "c"]]

    hand.wait(2.1)

    assert batches(hand) == [["a", "b", "c"], ["d"]]
    assert hand.engine.snapshot().running == 4


def test_a_batch_of_a_hundred_is_asked_for_by_many_polls_at_once() -> None:
    hand = batching(size=100, slots=100, linger_s=1.0)
    hand.wait(1.0)

    hand.deliver(*(message(f"m{index}", job="bulk") for index in range(10)), at=1.0)

    assert sum(poll.count_max for poll in hand.engine._polling.sources["q"].polls.values()) == 90
