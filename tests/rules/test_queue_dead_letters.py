"""Redrive: when a message is moved, and what it keeps."""

from __future__ import annotations

import json

import pytest
from tests.rules.queues import Bench, bodies, refusal

from forebay.rules.queue_semantics import ServiceFailure, Waiter


def _mortal(receives: int | str = 2, **dead_attributes: str) -> tuple[Bench, str]:
    """A bench whose queue has a dead-letter queue; and that queue's URL."""
    bench = Bench()
    dead = bench.create("dead", **dead_attributes)
    _set_policy(bench, bench.rules.arn("dead"), receives)
    return bench, dead


def _set_policy(bench: Bench, arn: str, receives: object) -> None:
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
    bench.rules.set_queue_attributes(bench.url, {"RedrivePolicy": policy}, now=bench.now)


@pytest.mark.parametrize("receives", [1, 3, "3", 1000])
def test_a_message_is_delivered_exactly_as_often_as_the_policy_says(receives: int | str) -> None:
    bench, dead = _mortal(receives)
    bench.send("doomed")

    counts: list[int] = []
    while deliveries := bench.receive():
        counts.append(deliveries[0].receive_count)
        assert bench.counts(dead) == (0, 0, 0)
        bench.change(deliveries[0], 0)

    assert counts == list(range(1, int(receives) + 1))
    assert bodies(bench.receive(url=dead)) == ["doomed"]
    assert bench.counts() == (0, 0, 0)


def test_a_message_is_not_moved_before_somebody_asks_for_it() -> None:
    bench, dead = _mortal(1)
    bench.send()
    bench.receive_one(visibility_s=10)

    assert bench.at(5_000).counts() == (1, 0, 0)
    assert bench.counts(dead) == (0, 0, 0)


def test_a_receive_that_moves_messages_still_brings_the_others() -> None:
    bench, dead = _mortal(1)
    bench.send("doomed")
    bench.change(bench.receive_one(), 0)
    bench.send("healthy")

    assert bodies(bench.receive(1)) == ["healthy"]
    assert bench.counts(dead) == (1, 0, 0)


def test_a_moved_message_keeps_id_time_and_count_and_names_its_queue() -> None:
    bench, dead = _mortal(1)
    bench.at(7).send("doomed")
    before = bench.receive_one()
    bench.change(before, 0)
    bench.at(100).receive()

    moved = bench.at(200).receive_one(url=dead)

    assert moved.content == before.content
    assert moved.content.sent_at_ms == before.content.sent_at_ms
    assert moved.first_received_at_ms == before.first_received_at_ms
    assert moved.receive_count == 2, "counted across all queues (facts/sqs.md section 3)"
    assert moved.dead_letter_source == bench.rules.arn("jobs")


def test_an_old_receipt_is_worth_nothing_after_the_move() -> None:
    bench, dead = _mortal(1)
    bench.send()
    before = bench.receive_one()
    bench.change(before, 0)
    bench.receive()

    bench.delete(before)

    assert refusal(bench.change(before, 10))[1] == "InvalidParameterValue"
    assert bench.counts(dead) == (1, 0, 0)


def test_dead_letters_age_from_their_first_send() -> None:
    bench, dead = _mortal(1, MessageRetentionPeriod="100")
    bench.send("old")
    bench.change(bench.receive_one(), 0)
    bench.at(90).receive()
    assert bench.counts(dead) == (1, 0, 0)

    assert bench.rules.next_event_at() == 100
    assert bench.at(100).counts(dead) == (0, 0, 0)


def test_a_dead_letter_older_than_the_retention_is_removed_at_once() -> None:
    bench, dead = _mortal(1, MessageRetentionPeriod="100")
    bench.send("too old")
    bench.change(bench.receive_one(), 0)

    bench.at(500).receive()

    assert bench.at(500.001).counts(dead) == (0, 0, 0)


def test_a_dead_letter_expires_before_younger_messages_that_were_there_first() -> None:
    bench, dead = _mortal(1, MessageRetentionPeriod="100")
    bench.send("old")
    bench.change(bench.receive_one(), 0)
    bench.at(50).send("young", url=dead)
    bench.at(60).receive()

    bench.at(100)

    assert bodies(bench.receive(url=dead)) == ["young"]


def test_a_poll_that_waits_for_dead_letters_gets_one_as_it_is_moved() -> None:
    bench, dead = _mortal(1)
    bench.send("doomed")
    bench.change(bench.receive_one(), 0)
    waiter = bench.rules.receive(dead, now=0.0, wait_s=20)
    assert isinstance(waiter, Waiter)

    bench.receive()

    assert bodies(waiter.messages) == ["doomed"]


def test_a_waiting_poll_of_the_source_goes_on_waiting_when_all_is_moved() -> None:
    bench, dead = _mortal(1)
    bench.send("doomed")
    bench.receive_one(visibility_s=10)
    waiter = bench.poll(20)

    bench.at(10)

    assert waiter.is_open
    assert bench.counts(dead) == (1, 0, 0)


def test_messages_are_delivered_on_when_the_dead_letter_queue_is_gone() -> None:
    bench, dead = _mortal(1)
    bench.send("job")
    bench.rules.delete_queue(dead, now=0.0)

    for _ in range(5):
        bench.change(bench.receive_one(), 0)

    assert bench.counts() == (1, 0, 0)


def test_the_count_starts_anew_in_a_dead_letter_queue_that_has_one_itself() -> None:
    bench, dead = _mortal(1)
    bench.create("deadest")
    policy = json.dumps({"deadLetterTargetArn": bench.rules.arn("deadest"), "maxReceiveCount": 2})
    bench.rules.set_queue_attributes(dead, {"RedrivePolicy": policy}, now=0.0)
    bench.send()
    bench.change(bench.receive_one(), 0)
    bench.receive()

    deliveries = [bench.at(number * 30.0).receive_one(url=dead, visibility_s=30) for number in range(2)]

    assert [delivery.receive_count for delivery in deliveries] == [2, 3]
    assert bench.at(60).receive(url=dead) == []


def test_an_empty_policy_takes_the_old_one_away() -> None:
    bench, _ = _mortal(1)

    bench.rules.set_queue_attributes(bench.url, {"RedrivePolicy": ""}, now=0.0)

    assert "RedrivePolicy" not in bench.rules.get_queue_attributes(bench.url, ["All"], now=0.0)
    bench.send()
    for _ in range(3):
        bench.change(bench.receive_one(), 0)


@pytest.mark.parametrize("receives", [0, 1001, "many", True, 2.5, None])
def test_a_receive_limit_out_of_bounds_is_refused(receives: object) -> None:
    bench, _ = _mortal()

    with pytest.raises(ServiceFailure, match="maxReceiveCount"):
        _set_policy(bench, bench.rules.arn("dead"), receives)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("{", "parse the JSON"),
        ("[]", "JSON object"),
        ('{"maxReceiveCount": 3}', "deadLetterTargetArn"),
        ('{"deadLetterTargetArn": "dummy", "maxReceiveCount": 3}', "Invalid value for deadLetterTargetArn"),
        ('{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111111111111:no", "maxReceiveCount": 3}', "does not exist"),
        ('{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111111111111:jobs", "maxReceiveCount": 3}', "does not exist"),
    ],
)
def test_a_policy_that_leads_nowhere_is_refused(policy: str, said: str) -> None:
    bench = Bench()

    with pytest.raises(ServiceFailure, match=said) as caught:
        bench.rules.set_queue_attributes(bench.url, {"RedrivePolicy": policy}, now=0.0)

    assert caught.value.legacy_code == "InvalidParameterValue"
    assert "RedrivePolicy" not in bench.rules.get_queue_attributes(bench.url, ["All"], now=0.0)


@pytest.mark.parametrize(
    ("allow", "is_allowed"),
    [
        ({"redrivePermission": "allowAll"}, True),
        ({"redrivePermission": "denyAll"}, False),
        ({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:eu-west-1:111111111111:jobs"]}, True),
        ({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:eu-west-1:111111111111:other"]}, False),
    ],
)
def test_a_dead_letter_queue_says_whose_letters_it_takes(allow: dict[str, object], is_allowed: bool) -> None:
    bench = Bench()
    bench.create("dead", RedriveAllowPolicy=json.dumps(allow))

    if is_allowed:
        _set_policy(bench, bench.rules.arn("dead"), 3)
    else:
        with pytest.raises(ServiceFailure, match="does not allow this queue"):
            _set_policy(bench, bench.rules.arn("dead"), 3)


def test_the_sources_of_a_dead_letter_queue_can_be_listed() -> None:
    bench, dead = _mortal()
    registry = bench.rules.registry

    assert registry.list_urls(dead_letter_arn=registry.find(dead).arn) == ([bench.url], None)
    assert registry.list_urls(dead_letter_arn=registry.find(bench.url).arn) == ([], None)
