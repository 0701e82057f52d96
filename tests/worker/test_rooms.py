"""Shares of jobs and room in executors: who starts, who waits, who goes back, and how much is asked for."""

from __future__ import annotations

import pytest
from tests.worker.hand import Hand, asked, entries, message, of

from forebay.errors import SettingsError
from forebay.handlers.executor import Ended
from forebay.handlers.registry import BatchRule, Handler, Registry, Runs
from forebay.model import SUCCEEDED, Failed
from forebay.worker.rooms import check_shares
from forebay.worker.vocabulary import Bury, Finished, Release, RoomChanged, Start

FAILED = Failed("app.Broken", "f00d")


def job(name: str, *, runs: Runs = "loop", slots_max: int | None = None, batch: BatchRule | None = None) -> Handler:
    return Handler(name, runs, lambda attempt: None, 20.0, slots_max=slots_max, batch=batch)


def started(hand: Hand) -> list[int]:
    """The numbers of all attempts started so far."""
    return [attempt.number for start in of(hand.said, Start) for attempt in start.attempts]


def two_jobs(*, slots: int = 10, share: int = 2) -> Hand:
    return Hand(slots=slots, handlers=[job("narrow", slots_max=share), job("wide")])


# ── shares ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_of_a_job_run_at_once_than_its_share() -> None:
    hand = two_jobs()

    hand.deliver(*(message(name, job="narrow") for name in "abcd"), at=1.0)

    assert started(hand) == [1, 2]
    assert hand.engine.snapshot().waiting == 2


def test_what_waits_for_a_share_starts_in_the_order_of_its_coming() -> None:
    hand = two_jobs()
    hand.deliver(*(message(name, job="narrow") for name in "abcd"), at=1.0)

    hand.end(2, at=2.0)
    hand.end(1, at=3.0)

    assert started(hand) == [1, 2, 3, 4]


def test_others_pass_those_that_wait_for_a_share() -> None:
    hand = two_jobs()

    hand.deliver(*(message(name, job="narrow") for name in "abc"), message("d", job="wide"), at=1.0)

    assert started(hand) == [1, 2, 4]


def test_at_most_half_of_the_slots_wait_and_the_newest_of_the_rest_go_back_with_a_delay() -> None:
    hand = two_jobs(slots=10, share=1)

    hand.deliver(*(message(name, job="narrow") for name in "abcdefgh"), at=1.0)

    released = entries(hand.said, Release)
    assert started(hand) == [1]
    assert hand.engine.snapshot().waiting == 5
    assert {entry.receipt for entry in released} == {"g/1", "h/1"}
    assert all(entry.seconds >= 1 for entry in released)


def test_what_goes_back_for_want_of_room_is_told_once_a_second_in_sum() -> None:
    hand = two_jobs(slots=10, share=1)
    hand.deliver(*(message(f"first-{index}", job="narrow") for index in range(6)), message(job="wide"), at=1.0)
    hand.end(7)
    for step in range(5):
        hand.wait(hand.now + 0.1)
        hand.deliver(message(f"n{step}", job="narrow"), message(f"w{step}", job="wide"))
        hand.end(started(hand)[-1])
    hand.wait(3.0)

    told = hand.reports("messages.given_back")
    assert sum(report["count"] for report in told) == len(entries(hand.said, Release))
    assert [report["count"] for report in told] == [1, 4]
    assert told[0]["job"] == "narrow"


def test_a_queue_that_brings_nothing_but_what_must_go_back_is_asked_ever_less() -> None:
    """Each such receive costs a request, and a receive of the message; what can be done must still be found soon."""
    hand = two_jobs(slots=10, share=1)
    hand.deliver(*(message(f"first-{index}", job="narrow") for index in range(6)), message(job="wide"), at=1.0)
    hand.end(7, at=1.1)
    pauses_s: list[float] = []
    for step in range(8):
        answered_at = hand.now
        hand.deliver(message(f"narrow-{step}", job="narrow"))
        while not hand.engine._polling.is_open("q"):
            hand.wait(hand.now + 0.01)
        pauses_s.append(hand.now - answered_at)

    hand.deliver(message("wide-again", job="wide"))
    hand.end(started(hand)[-1])
    hand.wait(hand.now + 0.1)

    assert pauses_s == sorted(pauses_s)
    assert pauses_s[0] < 0.1 < 0.9 < pauses_s[-1] < 1.1
    assert hand.engine._polling.is_open("q"), "one that could be done, and the queue is asked as ever"


def test_what_went_back_for_want_of_room_counts_as_released() -> None:
    hand = two_jobs(slots=2, share=1)
    (release,) = of(hand.deliver(*(message(name, job="narrow") for name in "abc"), at=1.0), Release)

    hand.answer(release, at=1.1)

    assert hand.ledger == {"received": 3, "released": len(release.entries)}


def test_the_longer_a_message_has_been_sent_to_and_fro_the_longer_it_is_hidden() -> None:
    delays: list[int] = []
    for delivery in (1, 4, 7):
        hand = two_jobs(slots=2, share=1)
        hand.deliver(*(message(name, job="narrow", delivery=delivery) for name in "abc"), at=1.0)
        delays.append(max(entry.seconds for entry in entries(hand.said, Release)))

    assert delays[0] == 1
    assert 4 <= delays[1] <= 8
    assert 32 <= delays[2] <= 64


def test_deliveries_that_were_given_back_unstarted_do_not_count_as_attempts() -> None:
    """Its second delivery is its first attempt: with two attempts allowed, a failure must not bury it yet."""
    hand = Hand(slots=2, handlers=[Handler("job", "loop", lambda attempt: None, 20.0, 2, slots_max=1)])
    hand.deliver(message("a"), message("b"), message("c"), at=1.0)
    (release, *_) = of(hand.said, Release)
    name = release.entries[-1].receipt.split("/")[0]
    hand.answer(release, at=1.1)
    hand.end(1, at=1.2)
    hand.end(2, at=1.3)
    hand.wait(2.0)
    (attempt,) = hand.start(message(name, delivery=2), at=3.0)

    hand.end(attempt.number, FAILED, at=4.0)

    assert of(hand.said, Bury) == []
    hand.wait(4.2)
    (attempt,) = hand.start(message(name, delivery=3), at=5.0)
    hand.end(attempt.number, FAILED, at=6.0)
    assert len(of(hand.said, Bury)) == 1


def test_a_worker_of_limited_jobs_asks_for_no_more_than_they_may_run() -> None:
    hand = Hand(slots=10, handlers=[job("narrow", slots_max=3)])
    hand.tell(RoomChanged("loop", 100), at=0.1)

    hand.wait(1.0)

    assert asked(hand.said) == [3]


def test_a_source_that_brings_only_a_job_whose_share_is_taken_is_not_asked() -> None:
    hand = two_jobs(slots=20, share=1)
    hand.deliver(*(message(name, job="narrow") for name in "abc"), at=1.0)
    before = len(asked(hand.said))

    hand.wait(400.0)

    assert len(asked(hand.said)) == before


# ── executors whose places come and go ─────────────────────────────────────────────────────────────────────────


def test_nothing_is_asked_for_before_the_first_child_is_up() -> None:
    hand = Hand(slots=2, handlers=[job("alone", runs="process")])
    hand.wait(5.0)
    assert asked(hand.said) == []

    hand.tell(RoomChanged("process", 2), at=5.0)
    hand.wait(5.1)

    assert asked(hand.said) == [2]


@pytest.mark.parametrize(("lasted_s", "wanted"), [(0.01, 8), (0.25, 6), (1.0, 3), (600.0, 2)])
def test_what_would_start_in_a_moment_is_in_store_and_never_more_than_may_wait(lasted_s: float, wanted: int) -> None:
    """A receive for each short job would cost more than the job; a long one must not wait here beside idle workers."""
    hand = Hand(slots=12, handlers=[job("alone", runs="process")])
    hand.tell(RoomChanged("process", 2), at=0.5)
    hand.wait(1.0)
    hand.deliver(message("a", job="alone"), message("b", job="alone"), at=1.1)

    hand.tell(Finished([Ended(1, SUCCEEDED, lasted_s), Ended(2, SUCCEEDED, lasted_s)]), at=2.0)
    hand.wait(2.1)

    assert asked(hand.said) == [2, wanted], "none in store before it is known how long a job takes"
    assert entries(hand.said, Release) == []


def test_no_more_start_than_there_are_children_and_the_rest_waits() -> None:
    hand = Hand(slots=10, handlers=[job("alone", runs="process"), job("wide")])
    hand.tell(RoomChanged("process", 2), at=0.5)

    hand.deliver(*(message(name, job="alone") for name in "abc"), at=1.0)
    assert started(hand) == [1, 2]
    hand.tell(RoomChanged("process", 3), at=2.0)

    assert started(hand) == [1, 2, 3]


def test_room_that_shrinks_stops_new_starts_only() -> None:
    hand = Hand(slots=10, handlers=[job("alone", runs="process"), job("wide")])
    hand.tell(RoomChanged("process", 2), at=0.5)
    hand.deliver(*(message(name, job="alone") for name in "abcd"), at=1.0)

    hand.tell(RoomChanged("process", 1), at=2.0)
    hand.end(1, at=3.0)
    assert started(hand) == [1, 2]
    hand.end(2, at=4.0)

    assert started(hand) == [1, 2, 3]


def test_nothing_starts_while_no_child_is_up() -> None:
    hand = Hand(slots=10, handlers=[job("alone", runs="process"), job("wide")])
    hand.tell(RoomChanged("process", 1), at=0.5)
    hand.tell(RoomChanged("process", 0), at=0.6)

    hand.deliver(message("a", job="alone"), message("b", job="wide"), at=1.0)
    assert started(hand) == [2]
    hand.tell(RoomChanged("process", 1), at=2.0)

    assert started(hand) == [2, 1]


def test_room_of_one_kind_is_shared_by_its_jobs_in_the_order_of_their_coming() -> None:
    hand = Hand(slots=10, handlers=[job("one", runs="process"), job("two", runs="process"), job("wide")])
    hand.tell(RoomChanged("process", 1), at=0.5)
    hand.deliver(message("a", job="one"), message("b", job="two"), message("c", job="one"), at=1.0)

    hand.end(1, at=2.0)
    hand.end(2, at=3.0)

    assert started(hand) == [1, 2, 3]


# ── contradictions ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_share_over_the_slots_is_refused() -> None:
    with pytest.raises(SettingsError, match="slots=20 of job 'greedy' is over the worker's slots=10"):
        check_shares(Registry([job("greedy", slots_max=20)]), slots=10)


@pytest.mark.parametrize(("share", "told"), [(None, "the worker's slots=10"), (5, "its own slots=5")])
def test_a_batch_that_could_never_be_full_is_refused(share: int | None, told: str) -> None:
    with pytest.raises(SettingsError, match=f"size=11 of batch job 'bulk' is over {told}"):
        check_shares(Registry([job("bulk", slots_max=share, batch=BatchRule(11, 1.0))]), slots=10)


def test_what_fits_is_accepted() -> None:
    check_shares(Registry([job("fits", slots_max=10, batch=BatchRule(10, 1.0))]), slots=10)
