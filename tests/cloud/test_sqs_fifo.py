"""FIFO and fair queues over the wire: what boto3 sends and gets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.cloud.sqs_clients import Wire, boto3_of

from forebay.cloud.background import InThread
from forebay.cloud.sqs_server import SqsServer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Running = InThread[SqsServer]
numbers = itertools.count()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with SqsServer.in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def sqs(running: Running) -> SQSClient:
    return boto3_of(running.service.endpoint_url)


@pytest.fixture
def url(sqs: SQSClient) -> str:
    name = f"queue-{next(numbers)}.fifo"
    return sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]


def _send(sqs: SQSClient, url: str, body: str, group: str = "g", dedupe: str | None = None) -> Any:
    return sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=dedupe or f"id-{next(numbers)}"
    )


def _receive(sqs: SQSClient, url: str, **options: Any) -> list[Any]:
    options = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], **options}
    return list(sqs.receive_message(QueueUrl=url, **options).get("Messages", []))


def _bodies(messages: list[Any]) -> list[str]:
    return [message["Body"] for message in messages]


def _refusal(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    response: Any = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_message_carries_its_group_its_id_and_its_number(sqs: SQSClient, url: str) -> None:
    sent = _send(sqs, url, "x", "tenant", "once")

    (message,) = _receive(sqs, url)

    assert len(sent["SequenceNumber"]) == 20
    assert message["MessageId"] == sent["MessageId"]
    attributes = message["Attributes"]
    assert attributes["SequenceNumber"] == sent["SequenceNumber"]
    assert attributes["MessageGroupId"] == "tenant"
    assert attributes["MessageDeduplicationId"] == "once"


def test_only_the_attributes_asked_for_come(sqs: SQSClient, url: str) -> None:
    sent = _send(sqs, url, "x")

    (message,) = _receive(sqs, url, MessageSystemAttributeNames=["SequenceNumber"])

    assert message["Attributes"] == {"SequenceNumber": sent["SequenceNumber"]}


def test_a_duplicate_is_answered_as_the_first_send_was(sqs: SQSClient, url: str) -> None:
    first, second = _send(sqs, url, "1", dedupe="same"), _send(sqs, url, "2", dedupe="same")

    assert (second["MessageId"], second["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert _bodies(_receive(sqs, url)) == ["1"]


def test_a_batch_keeps_its_order_and_tells_numbers_and_failures(sqs: SQSClient, url: str) -> None:
    entries: list[Any] = [
        {"Id": str(number), "MessageBody": str(number), "MessageGroupId": "g", "MessageDeduplicationId": str(number)}
        for number in range(9)
    ]
    entries.append({"Id": "bad", "MessageBody": "no group", "MessageDeduplicationId": "bad"})

    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)

    sequence = [entry["SequenceNumber"] for entry in answer["Successful"]]
    assert sequence == sorted(sequence)
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("bad", "MissingParameter", True)
    ]
    assert _bodies(_receive(sqs, url)) == [str(number) for number in range(9)]


def test_groups_are_locked_and_freed(sqs: SQSClient, url: str) -> None:
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        _send(sqs, url, body, group)
    (first,) = _receive(sqs, url, MaxNumberOfMessages=1)

    assert _bodies(_receive(sqs, url)) == ["b1"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert _bodies(_receive(sqs, url)) == ["a2"]


def test_a_waiting_poll_gets_the_next_of_its_group_at_the_delete(sqs: SQSClient, url: str, running: Running) -> None:
    _send(sqs, url, "a1")
    _send(sqs, url, "a2")
    (first,) = _receive(sqs, url, MaxNumberOfMessages=1)

    with Wire(int(running.service.endpoint_url.rpartition(":")[2])) as wire:
        wire.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        answer = wire.answer()

    assert _bodies(answer.json["Messages"]) == ["a2"]


def test_a_delete_after_the_lease_is_refused(sqs: SQSClient, url: str) -> None:
    _send(sqs, url, "x")
    (message,) = _receive(sqs, url)
    handle = message["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)

    with pytest.raises(ClientError) as caught:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "1", "ReceiptHandle": handle}])

    text = f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    assert _refusal(caught) == ("InvalidParameterValue", text, 400)
    assert answer["Failed"] == [{"Id": "1", "SenderFault": True, "Code": "InvalidParameterValue", "Message": text}]
    assert _bodies(_receive(sqs, url)) == ["x"]


def test_a_receive_may_be_asked_for_again(sqs: SQSClient, url: str) -> None:
    _send(sqs, url, "x")
    first = _receive(sqs, url, ReceiveRequestAttemptId="attempt-1")

    again = _receive(sqs, url, ReceiveRequestAttemptId="attempt-1")

    assert again == first
    assert _receive(sqs, url) == []


def test_a_standard_queue_refuses_what_only_fifo_queues_take(sqs: SQSClient) -> None:
    standard = sqs.create_queue(QueueName=f"queue-{next(numbers)}")["QueueUrl"]

    with pytest.raises(ClientError, match="not valid for this queue type"):
        sqs.receive_message(QueueUrl=standard, ReceiveRequestAttemptId="a")
    with pytest.raises(ClientError, match="not valid for this queue type"):
        sqs.send_message(QueueUrl=standard, MessageBody="x", MessageDeduplicationId="a")
    with pytest.raises(ClientError, match=r"Unknown Attribute FifoQueue\."):
        sqs.create_queue(QueueName=f"queue-{next(numbers)}", Attributes={"FifoQueue": "false"})


def test_a_dead_letter_queue_takes_dead_letters_in_order(sqs: SQSClient, url: str) -> None:
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    source = sqs.create_queue(
        QueueName=f"queue-{next(numbers)}.fifo", Attributes={"FifoQueue": "true", "RedrivePolicy": policy}
    )["QueueUrl"]
    for body in ("a1", "a2"):
        _send(sqs, source, body)
    _receive(sqs, source, VisibilityTimeout=0)
    assert _receive(sqs, source) == []

    dead = _receive(sqs, url)

    assert _bodies(dead) == ["a1", "a2"]
    assert all(
        message["Attributes"]["DeadLetterQueueSourceArn"].endswith(source.rpartition("/")[2]) for message in dead
    )


def test_dead_letters_go_back_though_their_ids_were_seen_within_five_minutes(sqs: SQSClient, url: str) -> None:
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    source = sqs.create_queue(
        QueueName=f"queue-{next(numbers)}.fifo",
        Attributes={"FifoQueue": "true", "RedrivePolicy": policy, "ReceiveMessageWaitTimeSeconds": "10"},
    )["QueueUrl"]
    _send(sqs, source, "a1")
    _receive(sqs, source, VisibilityTimeout=0)
    assert _receive(sqs, source, WaitTimeSeconds=0) == []

    sqs.start_message_move_task(SourceArn=arn)

    (moved,) = _receive(sqs, source)
    assert moved["Body"] == "a1"
    assert moved["Attributes"]["ApproximateReceiveCount"] == "1"


def test_on_a_standard_queue_a_quiet_group_goes_before_a_noisy_one(sqs: SQSClient) -> None:
    standard = sqs.create_queue(QueueName=f"queue-{next(numbers)}")["QueueUrl"]
    for number in range(20):
        sqs.send_message(QueueUrl=standard, MessageBody=f"flood {number}", MessageGroupId="flood")
    _receive(sqs, standard)
    sqs.send_message(QueueUrl=standard, MessageBody="quiet", MessageGroupId="tenant")

    first, *others = _receive(sqs, standard)

    assert first["Body"] == "quiet"
    assert first["Attributes"]["MessageGroupId"] == "tenant"
    assert "SequenceNumber" not in first["Attributes"]
    assert _bodies(others) == [f"flood {number}" for number in range(10, 19)]
