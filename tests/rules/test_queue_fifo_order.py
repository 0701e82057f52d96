"""FIFO queues: order within a group, groups side by side, and what frees a group again."""

from __future__ import annotations

import json

import pytest
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import bodies, refusal

from forebay.rules.queue_semantics import ServiceFailure


def test_messages_of_a_group_come_in_the_order_of_their_sending() -> None:
    bench = FifoBench()
    bench.put_all(*(f"a{number}" for number in range(25)))

    seen: list[str] = []
    while deliveries := bench.receive(7):
        seen += bodies(deliveries)
        for delivery in deliveries:
            bench.delete(delivery)

    assert seen == [f"a{number}" for number in range(25)]


def test_one_receive_may_bring_several_messages_of_a_group() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "a3")

    assert bodies(bench.receive(2)) == ["a1", "a2"]


def test_later_messages_of_a_group_are_hidden_while_one_is_in_flight() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "a3")
    first, second = bench.receive(2)

    assert bench.receive() == []
    bench.delete(first)
    assert bench.receive() == [], "the second is still in flight"
    bench.delete(second)
    assert bodies(bench.receive()) == ["a3"]


def test_groups_are_worked_side_by_side() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "b1", "b2")

    assert bodies(bench.receive(1)) == ["a1"]
    assert bodies(bench.receive(1)) == ["b1"]
    assert bench.receive(10) == []


def test_a_receive_takes_what_it_can_from_one_group_before_it_turns_to_the_next() -> None:
    bench = FifoBench()
    bench.put_all("a1", "b1", "a2", "b2", "c1")

    assert bodies(bench.receive(4)) == ["a1", "a2", "b1", "b2"]


def test_a_message_given_back_is_the_first_of_its_group_again() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "a3")
    delivery = bench.receive_one()
    bench.put("a4")
    bench.change(delivery, 0)

    assert bodies(bench.receive()) == ["a1", "a2", "a3", "a4"]


def test_a_message_whose_lease_timed_out_is_the_first_of_its_group_again() -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put_all("a1", "a2")
    bench.receive_one()

    assert bench.at(9.9).receive() == []
    assert bodies(bench.at(10.0).receive()) == ["a1", "a2"]


def test_messages_of_one_receive_given_back_in_any_order_come_in_theirs() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "a3", "a4")
    first, second, third = bench.receive(3)
    for delivery in (second, third, first):
        bench.change(delivery, 0)

    assert bodies(bench.receive()) == ["a1", "a2", "a3", "a4"]


def test_a_message_given_back_waits_until_the_rest_of_its_receive_is_settled() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2")
    first, second = bench.receive(2)
    bench.change(first, 0)

    assert bench.receive() == []
    bench.delete(second)
    assert bodies(bench.receive()) == ["a1"]


def test_a_message_that_failed_often_still_comes_first() -> None:
    """The rule for poison messages is one of standard queues."""
    bench = FifoBench()
    bench.put_all("a1", "a2")
    for _ in range(5):
        bench.change(bench.receive_one(), 0)

    assert bodies(bench.receive(1)) == ["a1"]


def test_a_group_whose_first_message_always_fails_holds_up_no_other() -> None:
    bench = FifoBench()
    bench.put_all("a1", "b1")
    bench.change(bench.receive_one(), 0)

    assert bodies(bench.receive(1)) == ["b1"]


def test_a_receive_with_visibility_nought_locks_nothing_and_keeps_the_order() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2")

    assert bodies(bench.receive(1, visibility_s=0)) == ["a1"]
    assert bodies(bench.receive(10)) == ["a1", "a2"]


def test_a_waiting_poll_is_answered_when_the_group_is_free_again() -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put_all("a1", "a2")
    delivery = bench.receive_one()
    waiter = bench.poll(20)

    bench.delete(delivery)

    assert bench.rules.take_answered() == [waiter]
    assert bodies(waiter.messages) == ["a2"]


def test_a_waiting_poll_is_answered_when_the_lease_that_locks_the_group_times_out() -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put_all("a1", "a2")
    bench.receive_one()
    waiter = bench.poll(20)

    bench.at(10.0)

    assert bodies(waiter.messages) == ["a1", "a2"]


def test_a_delete_whose_lease_has_run_out_is_refused_and_deletes_nothing() -> None:
    bench = FifoBench(VisibilityTimeout="10")
    bench.put("a1")
    late = bench.receive_one()
    bench.at(10.0)

    with pytest.raises(ServiceFailure, match=r"The receipt handle has expired\.$") as caught:
        bench.delete(late)

    assert refusal(caught.value) == ("InvalidParameterValueException", "InvalidParameterValue", 400)
    newest = bench.receive_one()
    with pytest.raises(ServiceFailure, match="expired"):
        bench.delete(late)
    bench.delete(newest)
    assert bench.counts() == (0, 0, 0)


def test_deleting_twice_is_no_error() -> None:
    bench = FifoBench()
    bench.put("a1")
    delivery = bench.receive_one()

    bench.delete(delivery)
    bench.delete(delivery)

    assert bench.counts() == (0, 0, 0)


def test_what_waits_behind_a_locked_group_counts_as_visible() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "a3")
    bench.receive_one()

    assert bench.counts() == (2, 1, 0)


def test_the_limit_of_messages_in_flight_makes_receives_empty_and_no_error() -> None:
    bench = FifoBench()
    bench.rules.modes(bench.url).in_flight_max = 2
    bench.put_all("a1", "b1", "c1")
    first, _ = bench.receive(10)

    assert bench.receive(10) == []
    bench.delete(first)
    assert bodies(bench.receive(10)) == ["c1"]


def test_nothing_is_delivered_twice_and_no_delete_is_lost_whatever_the_modes_say() -> None:
    bench = FifoBench()
    modes = bench.rules.modes(bench.url)
    modes.duplicates_due, modes.duplicate_ratio, modes.deletes_lost = 5, 1.0, 5
    bench.put_all("a1", "b1")

    deliveries = bench.receive()
    assert bodies(deliveries) == ["a1", "b1"]
    assert bench.receive() == []
    for delivery in deliveries:
        bench.delete(delivery)
    assert bench.counts() == (0, 0, 0)


# ── dead letters ───────────────────────────────────────────────────────────────────────────────────────────


def _with_dead_letters(receives_max: int = 1, **attributes: str) -> tuple[FifoBench, str]:
    bench = FifoBench()
    dead = bench.create("dead", MessageRetentionPeriod="100")
    policy = {"deadLetterTargetArn": bench.rules.arn("dead.fifo"), "maxReceiveCount": receives_max}
    bench.url = bench.create("work", RedrivePolicy=json.dumps(policy), VisibilityTimeout="10", **attributes)
    return bench, dead


def test_a_group_goes_on_when_its_first_message_is_dead() -> None:
    bench, dead = _with_dead_letters()
    bench.put_all("a1", "a2")
    bench.change(bench.receive_one(), 0)

    assert bodies(bench.receive(1)) == ["a2"]
    assert bodies(bench.receive(url=dead)) == ["a1"]


def test_a_dead_letter_keeps_id_group_and_count_and_has_a_time_and_a_number_of_its_own() -> None:
    bench, dead = _with_dead_letters()
    bench.put("d0", url=dead)
    sent = bench.put("a1")
    bench.receive_one()
    bench.at(50.0).receive(1)

    _, delivery = bench.receive(url=dead)

    shown = delivery.system_attributes("1")
    assert delivery.content.message_id == sent.message_id
    assert shown["MessageGroupId"] == "a"
    assert shown["MessageDeduplicationId"] == "id-2"
    assert shown["ApproximateReceiveCount"] == "2"
    assert shown["DeadLetterQueueSourceArn"] == bench.rules.arn("work.fifo")
    assert int(shown["SentTimestamp"]) == delivery.content.sent_at_ms == 1_800_000_050_000
    assert shown["SequenceNumber"] != sent.sequence


def test_a_dead_letters_retention_begins_with_its_move() -> None:
    bench, dead = _with_dead_letters()
    bench.put("a1")
    bench.receive_one()
    bench.at(90.0).receive(1)

    bench.at(189.0)
    assert bench.counts(dead) == (1, 0, 0)
    bench.at(190.0)
    assert bench.counts(dead) == (0, 0, 0)


def test_dead_letters_keep_the_order_of_their_group() -> None:
    bench, dead = _with_dead_letters()
    bench.put_all("a1", "a2", "a3")
    bench.receive(10)
    bench.at(10.0).receive(10)

    assert bodies(bench.receive(url=dead)) == ["a1", "a2", "a3"]


# ── time ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_queues_delay_hides_every_message_and_keeps_the_order() -> None:
    bench = FifoBench(DelaySeconds="10")
    bench.put("a1")
    bench.at(3.0).put("a2")

    assert bench.counts() == (0, 0, 2)
    assert bodies(bench.at(10.0).receive(10)) == ["a1"]
    assert bench.at(13.0).receive(10) == [], "the group is locked"


def test_a_change_of_the_queues_delay_holds_for_messages_that_are_delayed() -> None:
    bench = FifoBench(DelaySeconds="900")
    bench.put("a1")
    bench.rules.set_queue_attributes(bench.url, {"DelaySeconds": "20"}, now=0.0)

    assert bench.at(19.0).receive() == []
    assert bodies(bench.at(20.0).receive()) == ["a1"]


def test_a_poll_is_answered_when_a_delay_ends() -> None:
    bench = FifoBench(DelaySeconds="10")
    bench.put("a1")
    waiter = bench.poll(20)

    assert bench.rules.next_event_at() == 10.0
    bench.at(15.0)

    assert bodies(waiter.messages) == ["a1"]


def test_an_expired_message_in_flight_frees_its_group() -> None:
    bench = FifoBench(MessageRetentionPeriod="60", VisibilityTimeout="1000")
    bench.put("a1")
    bench.receive_one()
    bench.at(30.0).put("a2")

    assert bench.at(59.0).receive() == []
    assert bodies(bench.at(60.0).receive()) == ["a2"]


def test_a_purge_removes_what_is_in_flight_and_frees_its_group() -> None:
    bench = FifoBench()
    bench.put_all("a1", "a2", "b1")
    bench.receive_one()
    bench.rules.purge_queue(bench.url, now=0.0)
    bench.put("a3")

    assert bodies(bench.receive()) == ["a3"]


def test_sequence_numbers_have_twenty_digits_and_rise() -> None:
    bench = FifoBench()
    answers = [bench.put(body).sequence for body in ("a1", "b1", "a2")]
    shown = [delivery.system_attributes("1")["SequenceNumber"] for delivery in bench.receive()]

    assert all(number is not None and len(number) == 20 and number.isdigit() for number in answers)
    assert answers == sorted(set(answers), key=lambda number: int(number or 0))
    assert sorted(shown) == answers
