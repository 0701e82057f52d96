"""What AWS leaves open, on demand: samples, repeated deliveries, deletes that are forgotten."""

from __future__ import annotations

import json

from tests.rules.queues import Bench, bodies


def test_a_sampled_queue_answers_with_fewer_messages_than_wait() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).is_sampled = True
    bench.send(*(str(number) for number in range(100)))

    sizes = [len(bench.receive(10)) for _ in range(20)]

    assert max(sizes) <= 10
    assert min(sizes) < 10
    assert 0 in sizes, "a short poll may miss every message"


def test_a_sampled_long_poll_brings_at_least_one() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).is_sampled = True
    bench.send(*(str(number) for number in range(60)))

    sizes: list[int] = []
    for _ in range(60):
        answer = bench.rules.receive(bench.url, now=0.0, count_max=10, wait_s=20)
        if not isinstance(answer, list):
            break
        sizes.append(len(answer))

    assert sum(sizes) == 60
    assert min(sizes) >= 1


def test_a_sampled_queue_loses_nothing() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).is_sampled = True
    sent = [str(number) for number in range(50)]
    bench.send(*sent)

    got: list[str] = []
    while bench.counts()[0]:
        got += bodies(bench.receive(10))

    assert sorted(got) == sorted(sent)


def test_a_message_can_be_delivered_again_while_its_first_lease_runs() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).duplicates_due = 1
    bench.send("job")

    first, second = bench.receive_one(), bench.receive_one()

    assert first.content is second.content
    assert (first.receive_count, second.receive_count) == (1, 2)
    assert first.receipt != second.receipt
    assert bench.receive() == [], "once more, not for ever"
    assert bench.counts() == (0, 1, 0)


def test_a_repeated_delivery_answers_a_waiting_poll() -> None:
    bench = Bench()
    waiters = [bench.poll(), bench.poll()]
    bench.rules.modes(bench.url).duplicates_due = 1

    bench.send("job")

    assert [bodies(waiter.messages) for waiter in waiters] == [["job"], ["job"]]


def test_only_the_newest_of_two_deliveries_can_delete() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).duplicates_due = 1
    bench.send("job")
    first, second = bench.receive_one(), bench.receive_one()

    bench.delete(first)
    assert bench.counts() == (0, 1, 0)
    bench.delete(second)
    assert bench.counts() == (0, 0, 0)


def test_a_share_of_all_deliveries_can_be_repeated() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).duplicate_ratio = 0.5
    bench.send(*(str(number) for number in range(200)))

    count = 0
    while deliveries := bench.receive(10):
        count += len(deliveries)

    assert 250 < count < 350


def test_a_repeat_is_dropped_when_the_message_was_deleted_before() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).duplicates_due = 1
    bench.send("job")

    bench.delete(bench.receive_one())

    assert bench.receive() == []


def test_a_repeat_never_passes_the_receive_limit_nor_moves_the_message() -> None:
    bench = Bench()
    dead = bench.create("dead")
    policy = json.dumps({"deadLetterTargetArn": bench.rules.arn("dead"), "maxReceiveCount": 1})
    bench.rules.set_queue_attributes(bench.url, {"RedrivePolicy": policy}, now=0.0)
    bench.rules.modes(bench.url).duplicates_due = 1
    bench.send("job")
    delivery = bench.receive_one()

    assert bench.receive() == []
    assert bench.counts(dead) == (0, 0, 0)
    bench.delete(delivery)
    assert bench.counts() == (0, 0, 0)


def test_a_delete_can_be_forgotten() -> None:
    bench = Bench()
    bench.rules.modes(bench.url).deletes_lost = 1
    bench.send("job")

    bench.delete(bench.receive_one(visibility_s=10))
    again = bench.at(10).receive_one()
    bench.delete(again)

    assert again.receive_count == 2
    assert bench.counts() == (0, 0, 0)
