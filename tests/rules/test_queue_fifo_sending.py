"""FIFO queues: what a send needs, and that a duplicate is taken in once."""

from __future__ import annotations

import hashlib

import pytest
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import bodies, refusal

from forebay.rules.queue_semantics import SendEntry, SentMessage, ServiceFailure


def _refused(bench: FifoBench, entry: SendEntry) -> ServiceFailure:
    with pytest.raises(ServiceFailure) as caught:
        bench.rules.send(bench.url, entry, now=bench.now)
    assert bench.counts() == (0, 0, 0), "what is refused leaves nothing behind"
    return caught.value


def test_a_group_is_needed() -> None:
    failure = _refused(FifoBench(), SendEntry(body="x", dedupe="1"))

    assert refusal(failure) == ("MissingRequiredParameterException", "MissingParameter", 400)
    assert failure.message == "The request must contain the parameter MessageGroupId."


def test_a_deduplication_id_is_needed_unless_bodies_give_it() -> None:
    failure = _refused(FifoBench(), SendEntry(body="x", group="g"))

    assert refusal(failure) == ("InvalidParameterValueException", "InvalidParameterValue", 400)
    assert failure.message == (
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )


@pytest.mark.parametrize("text", ["", "a b", "é", "x" * 129, "a\n"])
def test_groups_and_ids_are_1_to_128_letters_digits_and_punctuation(text: str) -> None:
    for entry in (SendEntry(body="x", group=text, dedupe="1"), SendEntry(body="x", group="g", dedupe=text)):
        assert _refused(FifoBench(), entry).legacy_code == "InvalidParameterValue"


def test_a_message_has_no_delay_of_its_own() -> None:
    failure = _refused(FifoBench(), SendEntry(body="x", group="g", dedupe="1", delay_s=5))

    assert failure.message == (
        "Value 5 for parameter DelaySeconds is invalid. "
        "Reason: The request include parameter that is not valid for this queue type."
    )


def test_a_second_send_with_the_same_id_is_answered_as_the_first_and_not_delivered() -> None:
    bench = FifoBench()
    first = bench.put("first", "a", "same")
    second = bench.put("second", "b", "same")

    assert (second.message_id, second.sequence) == (first.message_id, first.sequence)
    assert second.body_md5 == hashlib.md5(b"second", usedforsecurity=False).hexdigest()
    assert bodies(bench.receive()) == ["first"]


def test_the_window_is_five_minutes_from_the_first_send_and_not_from_its_duplicates() -> None:
    bench = FifoBench()
    first = bench.put("1", "a", "same")
    bench.at(299.0).put("2", "a", "same")

    assert bench.at(299.999).put("3", "a", "same").message_id == first.message_id
    assert bench.at(300.0).put("4", "a", "same").message_id != first.message_id
    assert bodies(bench.receive()) == ["1", "4"]


@pytest.mark.parametrize("fate", ["received", "deleted", "expired", "purged", "dead"])
def test_an_id_outlives_its_message(fate: str) -> None:
    bench = FifoBench(MessageRetentionPeriod="60", VisibilityTimeout="200")
    bench.put("1", "a", "same")
    if fate == "expired":
        bench.at(60.0)
    elif fate == "purged":
        bench.rules.purge_queue(bench.url, now=0.0)
    else:
        delivery = bench.receive_one()
        if fate == "deleted":
            bench.delete(delivery)
    before = bench.counts()

    bench.put("2", "a", "same")

    assert bench.counts() == before


def test_bodies_give_ids_when_the_queue_says_so() -> None:
    bench = FifoBench(ContentBasedDeduplication="true")

    def send(body: str, dedupe: str | None = None) -> SentMessage:
        return bench.rules.send(bench.url, SendEntry(body=body, group="g", dedupe=dedupe), now=bench.now)

    first = send("same")
    assert send("same").message_id == first.message_id
    assert send("same", dedupe="own").message_id != first.message_id, "a given id overrides the body's"
    by_hand = hashlib.sha256(b"same").hexdigest()
    assert send("other", dedupe=by_hand).message_id == first.message_id
    assert [delivery.system_attributes("1")["MessageDeduplicationId"] for delivery in bench.receive()] == [
        by_hand,
        "own",
    ]


def test_attributes_are_no_part_of_what_bodies_give() -> None:
    bench = FifoBench(ContentBasedDeduplication="true")
    entries = [SendEntry(body="same", group="g", trace_header=header) for header in ("Root=1", "Root=2")]
    first, second = (bench.rules.send(bench.url, entry, now=0.0) for entry in entries)

    assert first.message_id == second.message_id


def test_with_the_scope_of_a_group_the_same_id_in_another_group_is_another_message() -> None:
    bench = FifoBench(DeduplicationScope="messageGroup")
    bench.put("1", "a", "same")
    bench.put("2", "a", "same")
    bench.put("3", "b", "same")

    assert bodies(bench.receive()) == ["1", "3"]


def test_a_batch_keeps_its_order_and_finds_duplicates_within_itself() -> None:
    bench = FifoBench()
    entries = [
        SendEntry(body=body, group="g", dedupe=dedupe, entry_id=body)
        for body, dedupe in (("1", "x"), ("2", "y"), ("3", "x"), ("4", "z"))
    ]
    results = bench.rules.send_batch(bench.url, entries, now=0.0)

    ids = [result.message_id for result in results if isinstance(result, SentMessage)]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3
    assert bodies(bench.receive()) == ["1", "2", "4"]


def test_a_batchs_bad_entry_fails_alone() -> None:
    bench = FifoBench()
    entries = [
        SendEntry(body="1", group="g", dedupe="1", entry_id="1"),
        SendEntry(body="2", dedupe="2", entry_id="2"),
        SendEntry(body="3", group="g", dedupe="3", entry_id="3"),
    ]
    results = bench.rules.send_batch(bench.url, entries, now=0.0)

    assert [isinstance(result, ServiceFailure) for result in results] == [False, True, False]
    assert bodies(bench.receive()) == ["1", "3"]


def test_a_refused_send_does_not_use_up_its_id() -> None:
    bench = FifoBench(MaximumMessageSize="1024")
    _refused(bench, SendEntry(body="x" * 2_000, group="g", dedupe="1"))

    bench.put("fits", "g", "1")

    assert bodies(bench.receive()) == ["fits"]


def test_duplicates_are_counted() -> None:
    bench = FifoBench()
    bench.put("1", "a", "same")
    bench.put("2", "a", "same")
    tally = bench.rules.registry.find(bench.url).tally

    assert (tally.sent, tally.deduplicated) == (1, 1)
