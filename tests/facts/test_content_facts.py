"""Facts of what a message may hold, of batches, and of what a receive may ask for (facts/sqs.md section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.facts.services import Ours, Sqs

MIB = 1_048_576


def _text(value: str = "x") -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def _batch(count: int, body: str = "a body") -> list[dict[str, Any]]:
    return [{"Id": str(number), "MessageBody": body} for number in range(count)]


# ── bodies ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_may_have_one_mebibyte(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message size 1 B .. 1 MiB (1,048,576 B)."""
    url = sqs.queue()

    sqs.send(url, "x" * MIB)

    assert len(sqs.receive_one(url)["Body"]) == MIB


def test_a_body_may_not_have_a_byte_more(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message size 1 B .. 1 MiB (1,048,576 B)."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x" * (MIB + 1))

    assert refusal.code == "InvalidParameterValue"
    assert "Message must be shorter than 1048576 bytes" in refusal.message


def test_size_counts_bytes_not_characters(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message size in bytes, 1 MiB (1,048,576 B)."""
    url = sqs.queue(MaximumMessageSize="1024")

    sqs.send(url, "é" * 512)

    assert sqs.refusal("send_message", QueueUrl=url, MessageBody="é" * 513).code == "InvalidParameterValue"


def test_attributes_count_towards_the_size(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message size incl. attributes (names, types, values)."""
    url = sqs.queue(MaximumMessageSize="1024")
    attributes = {"name": _text("value")}  # 4 + 6 + 5 bytes

    sqs.send(url, "x" * (1024 - 15), MessageAttributes=attributes)

    refusal = sqs.refusal("send_message", QueueUrl=url, MessageBody="x" * (1024 - 14), MessageAttributes=attributes)
    assert refusal.code == "InvalidParameterValue"


def test_the_trace_header_counts_for_nothing(sqs: Sqs) -> None:
    """facts/sqs.md section 2: AWSTraceHeader does not count towards size."""
    url = sqs.queue(MaximumMessageSize="1024")
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}

    sqs.send(url, "x" * 1024, MessageSystemAttributes=trace)

    assert sqs.counts(url) == (1, 0, 0)


def test_a_queue_may_take_less(sqs: Sqs) -> None:
    """facts/sqs.md section 2: queue attribute MaximumMessageSize 1,024..1,048,576."""
    url = sqs.queue(MaximumMessageSize="1024")

    refusal = sqs.refusal("send_message", QueueUrl=url, MessageBody="x" * 1025)

    assert refusal.message == "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."


def test_an_empty_body_is_no_message(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message size 1 B .. 1 MiB."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="")

    assert refusal.code == "MissingParameter"


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\ufffe", "\uffff"])
def test_characters_outside_xmls_are_refused(character: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: Body charset #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody=f"a{character}b")

    assert (refusal.code, refusal.status) == ("InvalidMessageContents", 400)


def test_the_whole_of_xmls_characters_travels_unchanged(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Body charset #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF."""
    url = sqs.queue()
    body = "\t\n\r ~\u00e9\ud7ff\ue000\ufffd\U00010000\U0010ffff"

    sqs.send(url, body)

    assert sqs.receive_one(url)["Body"] == body


# ── attributes ─────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_attributes_are_taken(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message attributes 10."""
    url = sqs.queue()
    sqs.send(url, MessageAttributes={f"a{number}": _text() for number in range(10)})

    assert len(sqs.receive_one(url)["MessageAttributes"]) == 10


def test_eleven_attributes_are_too_many(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message attributes 10."""
    attributes = {f"a{number}": _text() for number in range(11)}

    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", MessageAttributes=attributes)

    assert refusal.code == "InvalidParameterValue"


@pytest.mark.parametrize("name", ["AWS.name", "Amazon.name", "aws.name"])
def test_names_that_begin_like_amazons_are_refused(name: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: no AWS./Amazon. prefix."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", MessageAttributes={name: _text()})

    assert refusal.code == "InvalidParameterValue"


def test_a_name_has_at_most_256_characters(sqs: Sqs) -> None:
    """facts/sqs.md section 2: name <= 256 chars."""
    url = sqs.queue()
    sqs.send(url, MessageAttributes={"n" * 256: _text()})

    refusal = sqs.refusal("send_message", QueueUrl=url, MessageBody="x", MessageAttributes={"n" * 257: _text()})

    assert refusal.code == "InvalidParameterValue"


def test_an_attribute_needs_a_value(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Message attributes have a name, a type and a value; an empty one is refused."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", MessageAttributes={"a": _text("")})

    assert refusal.code == "InvalidParameterValue"
    assert refusal.message == "Message (user) attribute 'a' must contain a non-empty value of type 'String'."


def test_a_type_is_text_number_or_bytes(sqs: Sqs) -> None:
    """facts/sqs.md section 1: `MessageAttributes` {name: {DataType, …}}: String, Number or Binary."""
    attributes = {"a": {"DataType": "Boolean", "StringValue": "true"}}

    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", MessageAttributes=attributes)

    assert refusal.code == "InvalidParameterValue"


def test_a_number_must_be_one(sqs: Sqs) -> None:
    """facts/sqs.md section 7: transport byte 1 String/Number: a Number is text, and must be a number."""
    attributes = {"a": {"DataType": "Number", "StringValue": "seven"}}

    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", MessageAttributes=attributes)

    assert refusal.code == "InvalidParameterValue"


# ── batches ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_has_up_to_ten_entries(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Batch 10 entries."""
    url = sqs.queue()

    answer = sqs.client.send_message_batch(QueueUrl=url, Entries=_batch(10))

    assert len(answer["Successful"]) == 10
    assert sqs.counts(url) == (10, 0, 0)


def test_eleven_entries_are_too_many(sqs: Sqs) -> None:
    """facts/sqs.md section 1: TooManyEntriesInBatchRequest: >10 entries."""
    refusal = sqs.refusal("send_message_batch", QueueUrl=sqs.queue(), Entries=_batch(11))

    assert refusal.code == "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    assert refusal.message == "Maximum number of entries per request are 10. You have sent 11."


def test_an_empty_batch_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: EmptyBatchRequest: 0 entries."""
    refusal = sqs.refusal("send_message_batch", QueueUrl=sqs.queue(), Entries=[])

    assert refusal.code == "AWS.SimpleQueueService.EmptyBatchRequest"


def test_ids_of_a_batch_are_distinct(sqs: Sqs) -> None:
    """facts/sqs.md section 1: BatchEntryIdsNotDistinct: dup ids."""
    entries = [{"Id": "same", "MessageBody": "x"}, {"Id": "same", "MessageBody": "y"}]

    refusal = sqs.refusal("send_message_batch", QueueUrl=sqs.queue(), Entries=entries)

    assert refusal.code == "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"


@pytest.mark.parametrize("bad_id", ["a b", "a.b", "é", "x" * 81])
def test_ids_of_a_batch_are_plain_and_short(bad_id: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: batch id <= 80 chars; section 1: InvalidBatchEntryId: bad id."""
    refusal = sqs.refusal("send_message_batch", QueueUrl=sqs.queue(), Entries=[{"Id": bad_id, "MessageBody": "x"}])

    assert refusal.code == "AWS.SimpleQueueService.InvalidBatchEntryId"


def test_a_batch_has_one_mebibyte_in_all(sqs: Sqs) -> None:
    """facts/sqs.md section 1: BatchRequestTooLong: batch > 1 MiB; section 2: total <= 1 MiB."""
    refusal = sqs.refusal("send_message_batch", QueueUrl=sqs.queue(), Entries=_batch(2, "x" * (MIB // 2 + 1)))

    assert refusal.code == "AWS.SimpleQueueService.BatchRequestTooLong"


def test_a_bad_entry_does_not_harm_the_others(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Batch calls return HTTP 200 with Successful[] and Failed[]: always inspect Failed."""
    url = sqs.queue()
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}]

    answer = sqs.client.send_message_batch(QueueUrl=url, Entries=entries)

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("bad", True)]


def test_a_batch_tells_the_md5_of_each_body(sqs: Sqs) -> None:
    """facts/sqs.md section 1: a worker that wants end-to-end integrity compares MD5OfBody itself."""
    answer = sqs.client.send_message_batch(QueueUrl=sqs.queue(), Entries=_batch(2, "hello"))

    assert {entry["MD5OfMessageBody"] for entry in answer["Successful"]} == {"5d41402abc4b2a76b9719d911017c592"}


# ── delays ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_delayed_message_counts_as_delayed(sqs: Sqs) -> None:
    """facts/sqs.md section 5: GetQueueAttributes gives ApproximateNumberOfMessagesDelayed at once."""
    url = sqs.queue()

    sqs.send(url, DelaySeconds=900)

    assert sqs.counts(url) == (0, 0, 1)
    assert sqs.receive(url) == []


@pytest.mark.parametrize("delay_s", [-1, 901])
def test_a_delay_out_of_bounds_is_refused(delay_s: int, sqs: Sqs) -> None:
    """facts/sqs.md section 2: Delay 0..900 s per queue and per message."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", DelaySeconds=delay_s)

    assert refusal.code == "InvalidParameterValue"


def test_a_delay_of_zero_overrides_the_queues(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Delay 0..900 s per queue and per message."""
    url = sqs.queue(DelaySeconds="900")

    sqs.send(url, DelaySeconds=0)

    assert sqs.counts(url) == (1, 0, 0)


def test_a_delay_ends_when_it_has_passed(ours: Ours) -> None:
    """facts/sqs.md section 2: Delay 0..900 s per queue and per message."""
    url = ours.queue(DelaySeconds="10")
    ours.send(url, "the queue's")
    ours.send(url, "its own", DelaySeconds=900)

    ours.pass_time(10)
    first = ours.receive_one(url)
    assert first["Body"] == "the queue's"
    ours.delete(url, first)

    ours.pass_time(889)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert ours.receive_one(url)["Body"] == "its own"


# ── receives ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count_max", [0, 11])
def test_a_receive_asks_for_one_to_ten(count_max: int, sqs: Sqs) -> None:
    """facts/sqs.md section 2: MaxNumberOfMessages 1..10, default 1."""
    refusal = sqs.refusal("receive_message", QueueUrl=sqs.queue(), MaxNumberOfMessages=count_max)

    assert refusal.code == "InvalidParameterValue"
    assert f"Value {count_max} for parameter MaxNumberOfMessages is invalid" in refusal.message


def test_a_receive_gives_one_message_unless_asked_for_more(sqs: Sqs) -> None:
    """facts/sqs.md section 2: MaxNumberOfMessages 1..10, default 1."""
    url = sqs.queue()
    sqs.send(url, "a", "b", "c")

    assert len(sqs.client.receive_message(QueueUrl=url)["Messages"]) == 1


@pytest.mark.parametrize("wait_s", [-1, 21])
def test_a_wait_is_of_zero_to_twenty_seconds(wait_s: int, sqs: Sqs) -> None:
    """facts/sqs.md section 2: Long poll WaitTimeSeconds 0..20."""
    refusal = sqs.refusal("receive_message", QueueUrl=sqs.queue(), WaitTimeSeconds=wait_s)

    assert refusal.code == "InvalidParameterValue"


def test_a_long_poll_ends_empty_after_its_wait(ours: Ours) -> None:
    """facts/sqs.md section 2: Long poll WaitTimeSeconds 0..20."""
    url = ours.queue()

    with ours.polling(url, WaitTimeSeconds=20) as answered:
        ours.pass_time(20)
        assert answered() == []


def test_a_queues_own_wait_is_used_when_none_is_asked_for(ours: Ours) -> None:
    """facts/sqs.md section 2: Long poll: queue default ReceiveMessageWaitTimeSeconds 0."""
    url = ours.queue(ReceiveMessageWaitTimeSeconds="20")

    with ours.polling(url) as answered:
        ours.send(url, "at last")
        assert [message["Body"] for message in answered()] == ["at last"]


def test_messages_older_than_the_retention_are_gone(ours: Ours) -> None:
    """facts/sqs.md section 2: Retention 60 s .. 14 d, default 4 d."""
    url, short = ours.queue(), ours.queue(MessageRetentionPeriod="60")
    ours.send(url)
    ours.send(short)

    ours.pass_time(60)
    assert (ours.counts(short), ours.counts(url)) == ((0, 0, 0), (1, 0, 0))

    ours.pass_time(345_600 - 61)
    assert ours.counts(url) == (1, 0, 0)
    ours.pass_time(1)
    assert ours.counts(url) == (0, 0, 0)


def test_a_full_queue_refuses_short_polls_and_stays_silent_in_long_ones(ours: Ours) -> None:
    """facts/sqs.md section 2: In flight ~120,000 (short poll -> OverLimit; long poll -> silently empty)."""
    url = ours.queue()
    ours.modes(url).in_flight_max = 2
    ours.send(url, "a", "b", "c")
    assert len(ours.receive(url)) == 2

    refusal = ours.refusal("receive_message", QueueUrl=url, WaitTimeSeconds=0)
    assert (refusal.code, refusal.status) == ("OverLimit", 403)

    with ours.polling(url, WaitTimeSeconds=5) as answered:
        ours.pass_time(5)
        assert answered() == []
