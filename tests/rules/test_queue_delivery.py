"""Which messages a receive brings, and what the queue counts."""

from __future__ import annotations

import pytest
from tests.rules.queues import EPOCH_MS, Bench, bodies

from forebay.rules.queue_semantics import SendEntry, ServiceFailure


def test_messages_come_in_the_order_of_their_sending() -> None:
    bench = Bench()
    bench.send(*"abcdefghijkl")

    assert bodies(bench.receive(10)) == list("abcdefghij")
    assert bodies(bench.receive(10)) == list("kl")


def test_a_message_that_comes_back_goes_before_the_backlog() -> None:
    bench = Bench()
    bench.send("first", "second", "third")
    first = bench.receive_one()

    bench.change(first, 0)

    assert bodies(bench.receive(2)) == ["first", "second"]


def test_a_message_received_three_times_goes_to_the_back() -> None:
    """Poison messages must not hold up the rest (facts/sqs.md section 3)."""
    bench = Bench()
    bench.send("poison", "healthy")
    for _ in range(3):
        bench.change(bench.receive_one(), 0)

    assert bodies(bench.receive(2)) == ["healthy", "poison"]


def test_a_delay_hides_a_new_message_and_is_no_receive() -> None:
    bench = Bench()
    bench.send("later", delay_s=10)

    assert bench.counts() == (0, 0, 1)
    assert bench.at(9.9).receive() == []
    assert bench.at(10).receive_one().receive_count == 1


def test_a_messages_own_delay_goes_before_the_queues() -> None:
    bench = Bench(DelaySeconds="60")
    bench.send("own", delay_s=0)
    bench.send("queue's")

    assert bodies(bench.receive(visibility_s=600)) == ["own"]
    assert bodies(bench.at(60).receive()) == ["queue's"]


def test_the_counts_follow_every_message() -> None:
    bench = Bench()
    bench.send("a", "b", "c")
    bench.send("later", delay_s=60)
    assert bench.counts() == (3, 0, 1)

    first, second = bench.receive(2, visibility_s=30)
    assert bench.counts() == (1, 2, 1)

    bench.delete(first)
    bench.change(second, 0)
    assert bench.counts() == (2, 0, 1)

    assert bench.at(60).counts() == (3, 0, 0)


def test_messages_tell_their_times_in_unix_milliseconds() -> None:
    bench = Bench()
    bench.at(1.5).send()

    delivery = bench.at(4.25).receive_one()

    assert delivery.content.sent_at_ms == EPOCH_MS + 1_500
    assert delivery.first_received_at_ms == EPOCH_MS + 4_250


def test_message_ids_are_random_uuids_from_the_seed() -> None:
    import uuid

    def ids(seed: int) -> list[str]:
        bench = Bench(seed=seed)
        bench.send(*"abcdef")
        return [delivery.content.message_id for delivery in bench.receive()]

    assert ids(1) == ids(1)
    assert not set(ids(1)) & set(ids(2))
    assert {uuid.UUID(one).version for one in ids(3)} == {4}
    assert {uuid.UUID(one).variant for one in ids(3)} == {uuid.RFC_4122}


def test_messages_are_removed_when_their_retention_is_over() -> None:
    bench = Bench(MessageRetentionPeriod="60")
    bench.send("old")
    bench.at(30).send("young")

    assert bench.at(60).counts() == (1, 0, 0)
    assert bodies(bench.receive()) == ["young"]


def test_retention_ends_for_messages_in_flight_too() -> None:
    bench = Bench(MessageRetentionPeriod="60")
    bench.send()
    delivery = bench.receive_one(visibility_s=600)

    bench.at(60)

    assert bench.counts() == (0, 0, 0)
    assert bench.change(delivery, 60) is not None
    bench.delete(delivery)


def test_a_shorter_retention_acts_on_what_is_there() -> None:
    bench = Bench()
    bench.send("old")
    bench.at(100).send("young")

    bench.rules.set_queue_attributes(bench.url, {"MessageRetentionPeriod": "60"}, now=100.0)

    assert bodies(bench.receive()) == ["young"]


def test_a_purge_removes_everything_and_may_not_be_repeated_within_a_minute() -> None:
    bench = Bench()
    bench.send("a", "b", "c")
    bench.send("later", delay_s=60)
    delivery = bench.receive_one()

    bench.rules.purge_queue(bench.url, now=0.0)

    assert bench.counts() == (0, 0, 0)
    assert bench.change(delivery, 60) is not None
    with pytest.raises(ServiceFailure) as caught:
        bench.rules.purge_queue(bench.url, now=59.0)
    assert (caught.value.shape, caught.value.http_status) == ("PurgeQueueInProgress", 403)
    bench.rules.purge_queue(bench.url, now=60.0)


def test_a_purged_queue_takes_messages_again() -> None:
    bench = Bench()
    bench.send("before")
    bench.rules.purge_queue(bench.url, now=0.0)

    bench.send("after")

    assert bodies(bench.receive()) == ["after"]


@pytest.mark.parametrize(("count_max", "wait_s"), [(0, 0), (11, 0), (1, -1), (1, 21)])
def test_a_receive_out_of_bounds_is_refused(count_max: int, wait_s: int) -> None:
    bench = Bench()

    with pytest.raises(ServiceFailure) as caught:
        bench.rules.receive(bench.url, now=0.0, count_max=count_max, wait_s=wait_s)

    assert caught.value.legacy_code == "InvalidParameterValue"


def test_a_trace_header_and_a_group_travel_with_the_message() -> None:
    bench = Bench()
    bench.rules.send(bench.url, SendEntry(body="x", group="tenant-1", trace_header="Root=1-5-9"), now=0.0)

    shown = bench.receive_one().system_attributes("111111111111")

    assert shown["MessageGroupId"] == "tenant-1"
    assert shown["AWSTraceHeader"] == "Root=1-5-9"
    assert shown["SenderId"] == "111111111111"
    assert "DeadLetterQueueSourceArn" not in shown
