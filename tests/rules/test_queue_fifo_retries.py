"""FIFO queues: a receive asked for again with its ReceiveRequestAttemptId."""

from __future__ import annotations

import pytest
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import Bench, bodies, refusal

from forebay.rules.queue_semantics import ServiceFailure, Waiter


def test_the_same_token_brings_the_same_messages_under_the_same_handles() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "b1")
    first = bench.again("token", count_max=2)

    again = bench.again("token", count_max=1)

    assert bodies(again) == ["a1", "a2"]
    assert [delivery.receipt for delivery in again] == [delivery.receipt for delivery in first]
    assert [delivery.receive_count for delivery in again] == [1, 1]
    assert bench.counts() == (1, 2, 0)


def test_a_repeated_receive_hides_the_messages_anew() -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put("a1")
    (delivery,) = bench.again("token")
    bench.at(9.0).again("token")

    assert bench.at(18.9).receive() == []
    bench.delete(delivery)
    assert bench.counts() == (0, 0, 0)


def test_another_token_and_none_find_the_group_locked() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2")
    bench.again("token", count_max=1)

    assert bench.again("other") == []
    assert bench.receive() == []


def test_a_token_stands_for_nothing_after_five_minutes() -> None:
    bench = FifoBench(VisibilityTimeout="1000")
    bench.put_all("a1", "b1")
    bench.again("token", count_max=1)

    assert bodies(bench.at(299.9).again("token")) == ["a1"]
    assert bodies(bench.at(300.0).again("token")) == ["b1"]


@pytest.mark.parametrize("change", ["deleted", "renewed", "given back"])
def test_a_token_stands_for_nothing_once_one_of_its_messages_was_changed(change: str) -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put_all("a1", "a2", "b1")
    first, second = bench.again("token", count_max=2)
    if change == "deleted":
        bench.delete(first)
    elif change == "renewed":
        bench.change(first, 5)
    else:
        bench.change(second, 0)

    assert bodies(bench.again("token")) == ["b1"]


def test_a_token_stands_for_nothing_once_its_messages_have_become_visible() -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put_all("a1", "b1")
    (first,) = bench.again("token", count_max=1)

    (again,) = bench.at(10.0).again("token", count_max=1)

    assert bodies([again]) == ["b1"], "a receive like any other: b has waited longer"
    assert again.receipt != first.receipt


def test_a_receive_that_brought_nothing_leaves_no_trace() -> None:
    bench = FifoBench()

    assert bench.again("token") == []
    bench.put("a1")
    assert bodies(bench.again("token")) == ["a1"]


def test_a_token_given_to_a_long_poll_stands_for_what_the_poll_brought() -> None:
    bench = FifoBench()
    waiter = bench.rules.receive(bench.url, now=0.0, wait_s=20, attempt_id="token")
    assert isinstance(waiter, Waiter)
    bench.put("a1")

    assert [delivery.receipt for delivery in bench.again("token")] == [delivery.receipt for delivery in waiter.messages]


def test_an_abandoned_polls_messages_are_found_again_by_its_token() -> None:
    """What the token is for: the answer was lost on its way."""
    bench = FifoBench()
    waiter = bench.rules.receive(bench.url, now=0.0, wait_s=20, attempt_id="token")
    assert isinstance(waiter, Waiter)
    bench.rules.cancel(waiter, swallow=True)
    bench.put("a1")

    assert bench.receive() == []
    assert bodies(bench.again("token")) == ["a1"]


def test_a_token_outlives_a_renewal_of_another_receives_message() -> None:
    bench = FifoBench()
    bench.put_all("a1", "b1")
    bench.again("one", count_max=1)
    (other,) = bench.again("two", count_max=1)
    bench.change(other, 100)

    assert bodies(bench.again("one")) == ["a1"]


@pytest.mark.parametrize("token", ["", "a b", "x" * 129, "é"])
def test_a_token_is_1_to_128_letters_digits_and_punctuation(token: str) -> None:
    with pytest.raises(ServiceFailure) as caught:
        FifoBench().again(token)

    assert caught.value.legacy_code == "InvalidParameterValue"


def test_a_standard_queue_takes_no_token() -> None:
    bench = Bench()
    with pytest.raises(ServiceFailure, match="not valid for this queue type") as caught:
        bench.rules.receive(bench.url, now=0.0, attempt_id="token")

    assert refusal(caught.value) == ("InvalidParameterValueException", "InvalidParameterValue", 400)


def test_tokens_leave_no_trail() -> None:
    bench = FifoBench(VisibilityTimeout="1000")
    queue = bench.rules.registry.find(bench.url)
    for number in range(1_000):
        bench.at(float(number)).put(f"g{number}", f"g{number}")
        for delivery in bench.again(f"token-{number}"):
            bench.delete(delivery)

    sizes = [len(value) for value in vars(vars(queue)["retries"]).values() if value is not None]
    assert sizes == [300, 300]


def test_the_twelve_hours_of_a_lease_begin_anew_with_a_repeated_receive() -> None:
    bench = FifoBench(VisibilityTimeout="43200")
    bench.put("a1")
    (delivery,) = bench.again("token")
    bench.at(200.0).again("token")

    assert bench.at(43_300.0).change(delivery, 50) is None
    assert bench.change(delivery, 101) is not None, "12 h after the repeated receive it is over"


def test_a_token_used_by_two_open_polls_stands_for_what_the_later_answer_brought() -> None:
    bench = FifoBench(VisibilityTimeout="1000")
    for _ in range(2):
        bench.rules.receive(bench.url, now=0.0, wait_s=20, attempt_id="token")
    bench.put("a1")
    bench.put("b1")
    first, second = (waiter.messages[0] for waiter in bench.rules.take_answered())
    bench.change(first, 500)

    assert [delivery.receipt for delivery in bench.again("token")] == [second.receipt]
