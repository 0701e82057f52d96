"""The local SQS through boto3 and the AWS command line, as they come."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
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
    return sqs.create_queue(QueueName=f"queue-{next(numbers)}")["QueueUrl"]


def _error(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    response: Any = caught.value.response
    return (
        response["Error"]["QueryErrorCode"],
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
    )


def test_a_message_goes_through_its_whole_life(sqs: SQSClient, url: str) -> None:
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="Grüße 🏞️",
        MessageAttributes={
            "job": {"DataType": "String", "StringValue": "thumbnail"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5-9"}},
    )
    received = sqs.receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"], WaitTimeSeconds=5
    )["Messages"][0]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"], VisibilityTimeout=60)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])

    assert received["MessageId"] == sent["MessageId"]
    assert received["Body"] == "Grüße 🏞️"
    assert received["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert received["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert received["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\xff"
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"
    assert received["Attributes"]["AWSTraceHeader"] == "Root=1-5-9"
    assert "MD5OfMessageSystemAttributes" in sent
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_nothing_is_told_of_a_message_that_was_not_asked_for(sqs: SQSClient, url: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})

    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]

    assert set(message) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}


def test_only_the_named_attributes_are_shown_and_digested(sqs: SQSClient, url: str) -> None:
    sqs.send_message(
        QueueUrl=url,
        MessageBody="x",
        MessageAttributes={
            "Hello": {"DataType": "String", "StringValue": "There"},
            "General": {"DataType": "String", "StringValue": "Kenobi"},
        },
    )

    (message,) = sqs.receive_message(
        QueueUrl=url, MessageAttributeNames=["Hel.*", "No"], MessageSystemAttributeNames=["SentTimestamp"]
    )["Messages"]

    assert set(message["MessageAttributes"]) == {"Hello"}
    assert message["MD5OfMessageAttributes"] == "a311262e065454b75da111d535b8dacd", "as recorded from AWS"
    assert set(message["Attributes"]) == {"SentTimestamp"}


def test_the_older_spelling_of_attribute_names_works_too(sqs: SQSClient, url: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="x")

    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]

    assert message["Attributes"] == {"ApproximateReceiveCount": "1"}


def test_batches_answer_for_each_entry(sqs: SQSClient, url: str) -> None:
    sent = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "1"}}},
            {"Id": "bad", "MessageBody": "\x01"},
        ],
    )
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 60}]
    )
    deleted = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "no such"}],
    )

    assert [one["Id"] for one in sent["Successful"]] == ["good"]
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in sent["Failed"]] == [
        ("bad", "InvalidMessageContents", True)
    ]
    assert [one["Id"] for one in changed["Successful"]] == ["a"]
    assert [one["Id"] for one in deleted["Successful"]] == ["a"]
    assert [(one["Id"], one["Code"]) for one in deleted["Failed"]] == [("b", "ReceiptHandleIsInvalid")]


def test_a_missing_queue_is_boto3s_own_exception_with_both_codes(sqs: SQSClient, running: Running) -> None:
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.receive_message(QueueUrl=f"{running.service.endpoint_url}/000000000000/nowhere")

    assert _error(caught) == ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nowhere")


def test_errors_are_boto3s_own_exceptions(sqs: SQSClient, url: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="x")
    receipt = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)

    with pytest.raises(sqs.exceptions.MessageNotInflight):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=1)
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="no such receipt")
    with pytest.raises(sqs.exceptions.EmptyBatchRequest):
        sqs.delete_message_batch(QueueUrl=url, Entries=[])
    with pytest.raises(sqs.exceptions.InvalidMessageContents):
        sqs.send_message(QueueUrl=url, MessageBody="\x00")
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["NoSuch"])  # type: ignore[list-item]
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes={"DelaySeconds": "3"})


def test_every_answer_has_a_request_id_of_its_own(sqs: SQSClient, url: str) -> None:
    ids = {sqs.receive_message(QueueUrl=url)["ResponseMetadata"]["RequestId"] for _ in range(5)}

    assert len(ids) == 5


def test_queues_can_be_found_listed_and_paged(sqs: SQSClient) -> None:
    made = [sqs.create_queue(QueueName=f"page-{number}")["QueueUrl"] for number in range(5)]

    pages = list(sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page-", PaginationConfig={"PageSize": 2}))

    assert [url for page in pages for url in page["QueueUrls"]] == made
    assert [len(page["QueueUrls"]) for page in pages] == [2, 2, 1]
    assert sqs.get_queue_url(QueueName="page-3")["QueueUrl"] == made[3]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="no such prefix")


def test_dead_letter_queues_know_their_sources(sqs: SQSClient, url: str) -> None:
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})},
    )

    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    assert sqs.list_dead_letter_source_queues(QueueUrl=url)["queueUrls"] == []


def test_tags_are_kept(sqs: SQSClient, url: str) -> None:
    sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "never there"])

    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}


def test_a_purged_queue_is_empty(sqs: SQSClient, url: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="x")

    sqs.purge_queue(QueueUrl=url)

    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}}),
        ("SendMessageBatch", {"Entries": [{"Id": "1", "MessageBody": "x"}, {"Id": "2", "MessageBody": "\x01"}]}),
        ("ReceiveMessage", {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}),
        ("DeleteMessageBatch", {"Entries": [{"Id": "1", "ReceiptHandle": "no"}]}),
        ("ChangeMessageVisibilityBatch", {"Entries": [{"Id": "1", "ReceiptHandle": "no", "VisibilityTimeout": 1}]}),
        ("GetQueueAttributes", {"AttributeNames": ["All"]}),
        ("ListQueues", {}),
        ("ListQueueTags", {}),
        ("ListDeadLetterSourceQueues", {}),
    ],
)
def test_answers_have_the_shape_of_botocores_model(
    sqs: SQSClient, running: Running, url: str, operation: str, params: dict[str, Any]
) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    model = botocore.session.get_session().get_service_model("sqs").operation_model(operation)

    with Wire(running.service.port) as wire:
        answer = wire.call(operation, {"QueueUrl": url, **params})

    assert answer.status == 200
    assert model.output_shape is not None
    report = ParamValidator().validate(answer.json, model.output_shape)
    assert not report.has_errors(), report.generate_report()
    assert set(answer.json) <= set(model.output_shape.members)


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS command line is not installed")
def test_the_command_line_of_aws_works_unchanged(running: Running) -> None:
    """By `--endpoint-url`, which every version of it takes; older ones do not look at AWS_ENDPOINT_URL_SQS."""
    aws_sqs = ["aws", "--endpoint-url", running.service.endpoint_url, "--output", "json", "sqs"]

    def aws(*arguments: str) -> Any:
        done = subprocess.run([*aws_sqs, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    url = aws("create-queue", "--queue-name", "from-the-shell")["QueueUrl"]
    sent = aws("send-message", "--queue-url", url, "--message-body", "hello")
    received = aws("receive-message", "--queue-url", url)["Messages"][0]

    assert received["MessageId"] == sent["MessageId"]
    assert received["Body"] == "hello"
