"""What SQS would refuse is refused before it costs its siblings the batch, and what a buried copy holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import ERROR_ATTRIBUTE, Message, MessageAttribute
from forebay.queue.burial import buried_copy, read_redrive_policy
from forebay.queue.contents import problem, size_bytes
from forebay.queue.grants import QueueArn, statement
from forebay.queue.port import BODY_MAX_BYTES, Outgoing
from forebay.queue.sink import batches

TEXT = MessageAttribute("String", "v")


def attributes(count: int) -> dict[str, MessageAttribute]:
    return {f"a{number}": TEXT for number in range(count)}


@pytest.mark.parametrize(
    "bad",
    [
        Outgoing(""),
        Outgoing("\x00"),
        Outgoing("\ufffe"),
        Outgoing("\ud800"),
        Outgoing("x" * (BODY_MAX_BYTES + 1)),
        Outgoing("é" * (BODY_MAX_BYTES // 2) + "x"),
        Outgoing("x" * BODY_MAX_BYTES, {"a": TEXT}),
        Outgoing("x", attributes(11)),
        Outgoing("x", {"": TEXT}),
        Outgoing("x", {"AWS.a": TEXT}),
        Outgoing("x", {"a..b": TEXT}),
        Outgoing("x", {"a": MessageAttribute("String", "")}),
        Outgoing("x", {"a": MessageAttribute("Text", "v")}),
        Outgoing("x", {"a": MessageAttribute("Binary", "v")}),
        Outgoing("x", {"a": MessageAttribute("String", b"v")}),
        Outgoing("x", {"a": MessageAttribute("String", "\x00")}),
        Outgoing("x", delay_s=901),
        Outgoing("x", delay_s=-1),
        Outgoing("x", group=""),
        Outgoing("x", dedupe="d" * 129),
    ],
)
def test_what_sqs_would_refuse_is_refused_here(bad: Outgoing) -> None:
    fault = problem(bad)

    assert fault is not None
    assert not fault.kind.is_transient


@pytest.mark.parametrize(
    "good",
    [
        Outgoing("x" * BODY_MAX_BYTES),
        Outgoing("\t\n\r é €\U0001f600"),
        Outgoing("x", attributes(10)),
        Outgoing("x", {"a": MessageAttribute("Binary.png", b"\0"), "b.c": MessageAttribute("Number.int", "1")}),
        Outgoing("x", delay_s=900, group="g" * 128, dedupe="!~"),
    ],
)
def test_what_sqs_takes_is_not_refused(good: Outgoing) -> None:
    assert problem(good) is None


def test_a_refusal_never_shows_the_body() -> None:
    fault = problem(Outgoing("CANARY\x00CANARY"))

    assert fault is not None
    assert "CANARY" not in str(fault)


@given(st.lists(st.integers(1, BODY_MAX_BYTES), max_size=40))
def test_batches_hold_every_message_once_in_order_within_both_limits(sizes: list[int]) -> None:
    small = [Outgoing("x" * (size // 1_000 + 1)) for size in sizes]
    messages = [
        Outgoing("x" * size) if size > BODY_MAX_BYTES // 2 else tiny for size, tiny in zip(sizes, small, strict=True)
    ]

    made = list(batches([size_bytes(message) for message in messages], range(len(messages))))

    assert [index for batch in made for index in batch] == list(range(len(messages)))
    assert all(1 <= len(batch) <= 10 for batch in made)
    assert all(sum(size_bytes(messages[index]) for index in batch) <= BODY_MAX_BYTES for batch in made)


def message(**changes: object) -> Message:
    fields: dict[str, object] = {"source": "u", "message_id": "m-1", "receipt": "r", "body": "b", **changes}
    return Message(**fields)  # type: ignore[arg-type]


def test_a_buried_copy_keeps_everything_and_says_why() -> None:
    kept = {"job": TEXT, "raw": MessageAttribute("Binary.png", b"\xff")}

    copy = buried_copy(message(attributes=kept, group="g"), "{}", is_fifo=False)

    assert copy == Outgoing("b", {**kept, ERROR_ATTRIBUTE: MessageAttribute("String", "{}")}, group="g")


def test_a_buried_copy_goes_without_the_reason_when_ten_attributes_are_taken() -> None:
    copy = buried_copy(message(attributes=attributes(10)), "{}", is_fifo=False)

    assert dict(copy.attributes) == attributes(10)


def test_a_message_buried_again_gets_the_newer_reason() -> None:
    old = {**attributes(9), ERROR_ATTRIBUTE: MessageAttribute("String", "old")}

    copy = buried_copy(message(attributes=old), "new", is_fifo=False)

    assert copy.attributes[ERROR_ATTRIBUTE].value == "new"
    assert len(copy.attributes) == 10


def test_a_buried_copy_goes_without_the_reason_when_it_would_pass_a_mebibyte() -> None:
    copy = buried_copy(message(body="x" * (BODY_MAX_BYTES - 20)), '{"type":"ValueError"}', is_fifo=False)

    assert copy.attributes == {}
    assert problem(copy) is None


def test_a_copy_for_a_fifo_queue_has_a_group_and_is_made_once() -> None:
    copy = buried_copy(message(), "{}", is_fifo=True)

    assert (copy.group, copy.dedupe) == ("m-1", "m-1")


@pytest.mark.parametrize("count", ["5", 5])
def test_a_redrive_policy_may_count_in_numbers_or_in_text(count: str | int) -> None:
    text = f'{{"deadLetterTargetArn":"arn:x","maxReceiveCount":{count!r}}}'.replace("'", '"')

    assert read_redrive_policy(text) == ("arn:x", 5, ())


@pytest.mark.parametrize(
    "policy", ["{", "[]", "5", "{}", '{"deadLetterTargetArn":"a"}', '{"deadLetterTargetArn":"a","maxReceiveCount":[]}']
)
def test_a_redrive_policy_that_cannot_be_read_is_a_note(policy: str) -> None:
    arn, count, notes = read_redrive_policy(policy)

    assert (arn, count, len(notes)) == (None, None, 1)


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/jobs", "arn:aws:sqs:eu-west-1:123456789012:jobs"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/jobs.fifo", "arn:aws-cn:sqs:cn-north-1:1:jobs.fifo"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", "arn:aws-us-gov:sqs:us-gov-west-1:1:q"),
        ("https://sqs.eu-west-1.api.aws/1/q", "arn:aws:sqs:eu-west-1:1:q"),
        ("https://eu-west-1.queue.amazonaws.com/1/q", "arn:aws:sqs:eu-west-1:1:q"),
        ("https://queue.amazonaws.com/1/q", "arn:aws:sqs:us-east-1:1:q"),
        ("https://vpce-0a-b.sqs.eu-west-1.vpce.amazonaws.com/1/q", "arn:aws:sqs:eu-west-1:1:q"),
        ("http://127.0.0.1:9324/000000000000/q", None),
        ("https://sqs.eu-west-1.amazonaws.com/q", None),
    ],
)
def test_a_queues_arn_follows_from_its_url(url: str, arn: str | None) -> None:
    found = QueueArn.of_url(url)

    assert (str(found) if found else None) == arn


def test_a_queue_of_another_account_has_its_url_beside_ours() -> None:
    arn = QueueArn.parse("arn:aws:sqs:eu-west-1:222222222222:jobs-dead")

    assert arn is not None
    assert arn.url_beside("http://127.0.0.1:4566/111111111111/jobs") == "http://127.0.0.1:4566/222222222222/jobs-dead"


def test_a_statement_names_the_single_operations_action_for_a_batch() -> None:
    assert statement(["ChangeMessageVisibilityBatch", "GetQueueAttributes"], "arn:aws:sqs:r:1:q") == (
        '{"Effect": "Allow", "Action": ["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"], '
        '"Resource": "arn:aws:sqs:r:1:q"}'
    )
