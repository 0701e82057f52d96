"""Long polls: who is answered, when, and what becomes of those whose client has gone."""

from __future__ import annotations

import pytest
from tests.rules.queues import Bench, bodies

from forebay.rules.queue_semantics import ServiceFailure, Waiter


def test_a_send_answers_the_poll_that_waits_in_the_same_moment() -> None:
    bench = Bench()
    waiter = bench.poll(tag="who")

    bench.at(3).send("job")

    assert bench.rules.take_answered() == [waiter]
    assert bodies(waiter.messages) == ["job"]
    assert waiter.tag == "who"
    assert bench.counts() == (0, 1, 0)


def test_a_poll_that_is_answered_is_told_of_once() -> None:
    bench = Bench()
    bench.poll()
    bench.send()

    assert len(bench.rules.take_answered()) == 1
    assert bench.rules.take_answered() == []


def test_polls_are_served_in_the_order_of_their_arrival() -> None:
    bench = Bench()
    waiters = [bench.poll(count_max=1) for _ in range(3)]

    bench.send("a", "b")

    assert [bodies(waiter.messages) for waiter in waiters] == [["a"], ["b"], []]
    assert waiters[2].is_open


def test_a_poll_ends_empty_at_its_deadline_and_not_before() -> None:
    bench = Bench()
    waiter = bench.poll(20)

    assert bench.rules.next_event_at() == 20
    bench.at(19.9)
    assert waiter.is_open
    bench.at(20)

    assert bench.rules.take_answered() == [waiter]
    assert waiter.messages == []
    assert not waiter.is_open


def test_polls_of_one_deadline_end_in_the_order_of_their_arrival() -> None:
    bench = Bench()
    waiters = [bench.poll(5) for _ in range(3)]

    bench.at(5)

    assert bench.rules.take_answered() == waiters


def test_a_poll_that_has_ended_gets_nothing_more() -> None:
    bench = Bench()
    ended = bench.poll(5)
    bench.at(5).send("job")

    assert ended.messages == []
    assert bench.counts() == (1, 0, 0)


def test_a_receive_that_finds_something_does_not_wait() -> None:
    bench = Bench()
    bench.send("job")

    answer = bench.rules.receive(bench.url, now=0.0, wait_s=20)

    assert not isinstance(answer, Waiter)
    assert bodies(answer) == ["job"]


def test_the_queues_own_wait_makes_a_long_poll_of_a_plain_receive() -> None:
    bench = Bench(ReceiveMessageWaitTimeSeconds="7")

    answer = bench.rules.receive(bench.url, now=0.0)

    assert isinstance(answer, Waiter)
    assert answer.deadline_at == 7
    assert bench.receive() == [], "a wait of nought goes before the queue's own"


def test_a_message_that_becomes_visible_answers_a_waiting_poll() -> None:
    bench = Bench()
    bench.send("job")
    bench.receive_one(visibility_s=8)
    waiter = bench.poll(20)

    assert bench.rules.next_event_at() == 8
    bench.at(8)

    assert bodies(waiter.messages) == ["job"]


def test_a_delayed_message_answers_a_waiting_poll_when_its_delay_is_over() -> None:
    bench = Bench()
    bench.send("later", delay_s=8)
    waiter = bench.poll(20)

    bench.at(8)

    assert bodies(waiter.messages) == ["later"]


def test_a_released_message_answers_a_waiting_poll_at_once() -> None:
    bench = Bench()
    bench.send("job")
    delivery = bench.receive_one()
    waiter = bench.poll()

    bench.change(delivery, 0)

    assert bodies(waiter.messages) == ["job"]
    assert waiter.messages[0].receive_count == 2


def test_a_great_leap_of_time_keeps_the_order_of_events() -> None:
    """The first poll ends at 5, before the message is visible at 6; the second is open until 20."""
    bench = Bench()
    bench.send("job")
    bench.receive_one(visibility_s=6)
    first, second = bench.poll(5), bench.poll(20, visibility_s=100)

    bench.at(50)

    assert bench.rules.take_answered() == [first, second]
    assert first.messages == []
    assert bodies(second.messages) == ["job"]
    assert bench.counts() == (0, 1, 0), "hidden from 6 to 106"
    assert bench.at(106).counts() == (1, 0, 0)


def test_one_poll_takes_a_whole_batch() -> None:
    from forebay.rules.queue_semantics import SendEntry

    bench = Bench()
    waiter, other = bench.poll(), bench.poll()

    bench.rules.send_batch(
        bench.url, [SendEntry(body=str(number), entry_id=str(number)) for number in range(10)], now=0.0
    )

    assert len(waiter.messages) == 10
    assert other.is_open


def test_a_cancelled_poll_takes_nothing() -> None:
    bench = Bench()
    gone, waiting = bench.poll(), bench.poll()

    bench.rules.cancel(gone)
    bench.send("job")

    assert gone.messages == []
    assert bodies(waiting.messages) == ["job"]
    assert bench.rules.take_answered() == [waiting]


def test_an_abandoned_poll_swallows_messages_for_their_visibility() -> None:
    """As on AWS, where the service still answers a poll whose client has left (PEERS.md, C3)."""
    bench = Bench()
    gone = bench.poll(20, visibility_s=30)
    bench.rules.cancel(gone, swallow=True)

    bench.at(10).send("eaten")

    assert bench.rules.take_answered() == []
    assert bench.counts() == (0, 1, 0)
    assert bench.rules.registry.find(bench.url).swallowed_count == 1
    assert bench.at(40).receive_one().receive_count == 2


def test_an_abandoned_poll_swallows_nothing_after_its_wait() -> None:
    bench = Bench()
    bench.rules.cancel(bench.poll(20), swallow=True)

    bench.at(20).send("job")

    assert bodies(bench.receive()) == ["job"]
    assert bench.rules.take_answered() == []


def test_cancelling_a_poll_that_has_ended_changes_nothing() -> None:
    bench = Bench()
    waiter = bench.poll()
    bench.send("job")

    bench.rules.cancel(waiter)

    assert bodies(waiter.messages) == ["job"]


def test_deleting_a_queue_ends_its_polls_with_an_error() -> None:
    bench = Bench()
    waiter = bench.poll()

    bench.rules.delete_queue(bench.url, now=0.0)

    assert bench.rules.take_answered() == [waiter]
    assert waiter.failure is not None
    assert waiter.failure.shape == "QueueDoesNotExist"


def test_time_never_goes_back() -> None:
    bench = Bench().at(10)

    with pytest.raises(AssertionError, match="time went back"):
        bench.rules.advance(9)


def test_nothing_will_happen_by_itself_in_an_empty_service() -> None:
    bench = Bench()

    assert bench.rules.next_event_at() is None
    assert bench.rules.due_at == float("inf")


def test_the_next_event_is_never_later_than_something_that_happens() -> None:
    bench = Bench(MessageRetentionPeriod="300")
    bench.send("job")
    assert bench.rules.next_event_at() == 300

    bench.receive_one(visibility_s=30)
    bench.send("later", delay_s=20)
    assert bench.rules.next_event_at() == 20

    bench.at(20)
    assert bench.rules.next_event_at() == 30


def test_long_polls_beyond_the_in_flight_limit_stay_silently_empty() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).in_flight_max = 2
    bench.send("a", "b", "c")
    first = bench.receive(10)

    waiter = bench.poll(20)

    assert len(first) == 2
    assert waiter.is_open
    with pytest.raises(ServiceFailure) as caught:
        bench.receive(1)
    assert (caught.value.shape, caught.value.http_status) == ("OverLimit", 403)


def test_a_delete_makes_room_for_a_waiting_poll() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).in_flight_max = 2
    bench.send("a", "b", "c")
    first = bench.receive(10)
    waiter = bench.poll(20)

    bench.delete(first[0])

    assert bodies(waiter.messages) == ["c"]


def test_the_in_flight_limit_is_that_of_aws_unless_it_is_changed() -> None:
    assert Bench().rules.modes(Bench().url).in_flight_max == 120_000
