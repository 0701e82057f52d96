"""Every operation that botocore's model of SQS knows is answered, and what is not of it is refused in so many words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from tests.cloud.sqs_clients import Answer, Wire, boto3_of

from forebay.cloud.background import InThread
from forebay.cloud.sqs_server import SqsServer

MODEL = botocore.session.get_session().get_service_model("sqs")
Running = InThread[SqsServer]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with SqsServer.in_thread() as opened:
        yield opened


class _Grounds:
    """A queue with a message in flight and a dead-letter queue, and what each operation may be asked there."""

    def __init__(self, running: Running) -> None:
        self.client: Any = boto3_of(running.service.endpoint_url)
        dead = self.client.create_queue(QueueName="dead")["QueueUrl"]
        self.dead_arn = "arn:aws:sqs:us-east-1:000000000000:dead"
        redrive = json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": 3})
        url = self.client.create_queue(QueueName="jobs", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
        self.client.add_permission(QueueUrl=url, Label="there", AWSAccountIds=["111111111111"], Actions=["*"])
        lease = {"QueueUrl": url, "ReceiptHandle": self._received(url)}
        entry = {"Id": "1", "ReceiptHandle": lease["ReceiptHandle"]}
        self.calls: dict[str, Callable[[], dict[str, Any]]] = {
            "AddPermission": lambda: {
                "QueueUrl": url,
                "Label": "new",
                "AWSAccountIds": ["111111111111"],
                "Actions": ["SendMessage"],
            },
            "CancelMessageMoveTask": self._running_task,
            "ChangeMessageVisibility": lambda: {**lease, "VisibilityTimeout": 40},
            "ChangeMessageVisibilityBatch": lambda: {"QueueUrl": url, "Entries": [{**entry, "VisibilityTimeout": 40}]},
            "CreateQueue": lambda: {"QueueName": "another"},
            "DeleteMessage": lambda: lease,
            "DeleteMessageBatch": lambda: {"QueueUrl": url, "Entries": [entry]},
            "DeleteQueue": lambda: {"QueueUrl": self.client.create_queue(QueueName="gone")["QueueUrl"]},
            "GetQueueAttributes": lambda: {"QueueUrl": url, "AttributeNames": ["All"]},
            "GetQueueUrl": lambda: {"QueueName": "jobs"},
            "ListDeadLetterSourceQueues": lambda: {"QueueUrl": dead},
            "ListMessageMoveTasks": lambda: {"SourceArn": self.dead_arn},
            "ListQueues": dict,
            "ListQueueTags": lambda: {"QueueUrl": url},
            "PurgeQueue": lambda: {"QueueUrl": dead},
            "ReceiveMessage": lambda: {"QueueUrl": url},
            "RemovePermission": lambda: {"QueueUrl": url, "Label": "there"},
            "SendMessage": lambda: {"QueueUrl": url, "MessageBody": "a body"},
            "SendMessageBatch": lambda: {"QueueUrl": url, "Entries": [{"Id": "1", "MessageBody": "a body"}]},
            "SetQueueAttributes": lambda: {"QueueUrl": url, "Attributes": {"DelaySeconds": "0"}},
            "StartMessageMoveTask": lambda: {"SourceArn": self.dead_arn},
            "TagQueue": lambda: {"QueueUrl": url, "Tags": {"a": "b"}},
            "UntagQueue": lambda: {"QueueUrl": url, "TagKeys": ["a"]},
        }

    def _received(self, url: str) -> str:
        self.client.send_message(QueueUrl=url, MessageBody="a body")
        (message,) = self.client.receive_message(QueueUrl=url)["Messages"]
        return str(message["ReceiptHandle"])

    def _running_task(self) -> dict[str, Any]:
        """A task that will not be over before it is cancelled: one message a second, and there are two."""
        source = self.client.create_queue(QueueName="busy-dead")["QueueUrl"]
        arn = "arn:aws:sqs:us-east-1:000000000000:busy-dead"
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        self.client.create_queue(QueueName="busy", Attributes={"RedrivePolicy": redrive})
        for body in ("a", "b", "c"):
            self.client.send_message(QueueUrl=source, MessageBody=body)
        answer = self.client.start_message_move_task(
            SourceArn=arn, DestinationArn="arn:aws:sqs:us-east-1:000000000000:busy", MaxNumberOfMessagesPerSecond=1
        )
        return {"TaskHandle": answer["TaskHandle"]}


@pytest.fixture(scope="module")
def grounds(running: Running) -> _Grounds:
    return _Grounds(running)


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_every_operation_of_botocores_model_is_carried_out(operation: str, grounds: _Grounds) -> None:
    params = grounds.calls[operation]()

    answer = getattr(grounds.client, xform_name(operation))(**params)

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    output = MODEL.operation_model(operation).output_shape
    assert set(answer) - {"ResponseMetadata"} <= set(output.members if output is not None else ())


def test_an_operation_that_no_model_knows_is_refused_by_name(running: Running) -> None:
    with Wire(running.service.port) as wire:
        answer = wire.call("TurnQueueIntoGold")

    assert answer.status == 400
    assert answer.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.UnsupportedOperation;Sender"
    assert answer.json["__type"] == "com.amazonaws.sqs#UnsupportedOperation"
    assert "TurnQueueIntoGold" in answer.json["message"]


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/", b"Action=ListQueues&Version=2012-11-05", "application/x-www-form-urlencoded; charset=utf-8"),
        ("/000000000000/jobs", b"Action=ListQueues&Version=2012-11-05", "application/x-www-form-urlencoded"),
        ("/?Action=ListQueues&Version=2012-11-05", b"", ""),
    ],
)
def test_the_query_protocol_is_refused_in_xml_that_its_clients_can_read(
    path: str, body: bytes, content_type: str, running: Running
) -> None:
    with Wire(running.service.port) as wire:
        wire.say(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        answer = wire.answer()

    assert _error_of(answer)["Code"] == "AWS.SimpleQueueService.UnsupportedOperation"
    assert "ListQueues came by the Query protocol" in _error_of(answer)["Message"]
    assert "What is: the AWS JSON protocol" in _error_of(answer)["Message"]


def test_a_refusal_in_xml_is_well_formed_whatever_was_asked(running: Running) -> None:
    with Wire(running.service.port) as wire:
        wire.send("", b"", path="/?Action=%3Ca%3E%26", X_Amz_Target="")
        answer = wire.answer()

    assert "<a>& came by the Query protocol" in _error_of(answer)["Message"]


def _error_of(answer: Answer) -> dict[str, Any]:
    """The error as botocore's parser of the Query protocol reads it."""
    shape = MODEL.operation_model("ListQueues").output_shape
    assert shape is not None
    parsed = create_parser("query").parse(
        {"body": answer.body, "headers": answer.headers, "status_code": answer.status}, shape
    )
    return dict(ClientError(parsed, "ListQueues").response["Error"])
