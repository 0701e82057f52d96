"""Requests and answers of every operation, against botocore's service model of SQS and its own client."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.session import Session
from botocore.validate import ParamValidator
from tests.queue.signatures import signature_by_botocore
from tests.queue.wire_clients import ACCESS_KEY, QUEUE, REGION, SECRET_KEY, a_client, config
from tests.queue.wire_servers import Request, answer, serving

from forebay.model import MessageAttribute
from forebay.queue.port import Outgoing, Visibility
from forebay.queue.resolve import Resolver
from forebay.queue.signing import Credentials
from forebay.queue.wire import SqsClient

pytestmark = pytest.mark.anyio

MODEL: Any = Session().get_service_model("sqs")
BODY = 'a body: é € \U0001f600 \t\n"\\'
ATTRIBUTES = {
    "job": MessageAttribute("String", "resize"),
    "size": MessageAttribute("Number.int", "320"),
    "raw": MessageAttribute("Binary.png", bytes(range(256))),
}
OUTGOING = [
    Outgoing(BODY, ATTRIBUTES, delay_s=7),
    Outgoing("x" * 300_000, group="g", dedupe="d", trace_header="Root=1-a-b"),
]

ANSWERS: dict[str, dict[str, Any]] = {
    "ReceiveMessage": {
        "Messages": [
            {
                "MessageId": "m-1",
                "ReceiptHandle": "r-1",
                "Body": BODY,
                "MD5OfBody": hashlib.md5(BODY.encode()).hexdigest(),
                "Attributes": {"SentTimestamp": "1700000000000", "ApproximateReceiveCount": "3"},
                "MessageAttributes": {
                    "job": {"DataType": "String", "StringValue": "resize"},
                    "raw": {"DataType": "Binary", "BinaryValue": b64encode(b"\x00\xff").decode()},
                },
            }
        ]
    },
    "DeleteMessageBatch": {
        "Successful": [{"Id": "0"}],
        "Failed": [{"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "no"}],
    },
    "ChangeMessageVisibilityBatch": {"Successful": [{"Id": "0"}], "Failed": []},
    "SendMessageBatch": {
        "Successful": [
            {"Id": "0", "MessageId": "m-1", "MD5OfMessageBody": "0" * 32},
            {"Id": "1", "MessageId": "m-2", "MD5OfMessageBody": "0" * 32},
        ],
        "Failed": [],
    },
    "GetQueueAttributes": {"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:1:q"}},
    "GetQueueUrl": {"QueueUrl": QUEUE},
}

CALLS: dict[str, Callable[[SqsClient], Coroutine[Any, Any, Any]]] = {
    "ReceiveMessage": lambda client: client.receive_message(QUEUE, count_max=7, wait_s=19.2, visibility_s=61),
    "DeleteMessageBatch": lambda client: client.delete_message_batch(QUEUE, ["r-1", "r-2"]),
    "ChangeMessageVisibilityBatch": lambda client: client.change_message_visibility_batch(
        QUEUE, [Visibility("r-1", 0)]
    ),
    "SendMessageBatch": lambda client: client.send_message_batch(QUEUE, OUTGOING),
    "GetQueueAttributes": lambda client: client.get_queue_attributes(QUEUE, ("QueueArn", "RedrivePolicy")),
    "GetQueueUrl": lambda client: client.get_queue_url("jobs", owner="123456789012"),
}

SAME_IN_BOTOCORE: dict[str, dict[str, Any]] = {
    "ReceiveMessage": {
        "QueueUrl": QUEUE,
        "MaxNumberOfMessages": 7,
        "WaitTimeSeconds": 20,
        "VisibilityTimeout": 61,
        "MessageSystemAttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    },
    "DeleteMessageBatch": {
        "QueueUrl": QUEUE,
        "Entries": [{"Id": "0", "ReceiptHandle": "r-1"}, {"Id": "1", "ReceiptHandle": "r-2"}],
    },
    "ChangeMessageVisibilityBatch": {
        "QueueUrl": QUEUE,
        "Entries": [{"Id": "0", "ReceiptHandle": "r-1", "VisibilityTimeout": 0}],
    },
    "SendMessageBatch": {
        "QueueUrl": QUEUE,
        "Entries": [
            {
                "Id": "0",
                "MessageBody": BODY,
                "DelaySeconds": 7,
                "MessageAttributes": {
                    "job": {"DataType": "String", "StringValue": "resize"},
                    "size": {"DataType": "Number.int", "StringValue": "320"},
                    "raw": {"DataType": "Binary.png", "BinaryValue": bytes(range(256))},
                },
            },
            {
                "Id": "1",
                "MessageBody": "x" * 300_000,
                "MessageGroupId": "g",
                "MessageDeduplicationId": "d",
                "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-a-b"}},
            },
        ],
    },
    "GetQueueAttributes": {"QueueUrl": QUEUE, "AttributeNames": ["QueueArn", "RedrivePolicy"]},
    "GetQueueUrl": {"QueueName": "jobs", "QueueOwnerAWSAccountId": "123456789012"},
}


async def exchanged(operation: str, *, token: str | None = None) -> tuple[Request, Any, int]:
    """Make the call of `operation`; return the request as it arrived, our result, and the server's port."""

    async def answering(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(ANSWERS[request.operation]))

    async with serving(answering) as server:
        base = config(f"http://127.0.0.1:{server.port}")
        keys = Credentials(ACCESS_KEY, SECRET_KEY, token)
        resolver = Resolver(type(base)(endpoint_url=base.endpoint_url, region=REGION, credentials=keys))
        async with a_client(server.port, resolver=resolver) as client:
            result = await CALLS[operation](client)
        return server.requests[0], result, server.port


@pytest.mark.parametrize("operation", CALLS)
async def test_a_request_says_exactly_what_botocore_would_say(operation: str) -> None:
    request, _, _ = await exchanged(operation)

    model = MODEL.operation_model(operation)
    params = SAME_IN_BOTOCORE[operation]
    assert not ParamValidator().validate(params, model.input_shape).has_errors()
    theirs = create_serializer("json").serialize_to_request(params, model)
    assert request.json == json.loads(theirs["body"])
    for name in ("X-Amz-Target", "Content-Type"):
        assert request.headers[name.lower()] == theirs["headers"][name]


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjEXAMPLE//=="])
async def test_every_request_is_signed_as_botocore_signs_it(operation: str, token: str | None) -> None:
    request, _, port = await exchanged(operation, token=token)

    assert request.headers["authorization"] == signature_by_botocore(
        url=f"http://127.0.0.1:{port}/",
        headers=request.headers,
        body=request.body,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        token=token,
        region=REGION,
    )
    assert request.headers.get("x-amz-security-token") == token


def parsed_by_botocore(operation: str) -> Any:
    """Return the answer of `operation` as botocore understands it."""
    response = {"body": json.dumps(ANSWERS[operation]).encode(), "headers": {}, "status_code": 200}
    return create_parser("json").parse(response, MODEL.operation_model(operation).output_shape)


@pytest.mark.parametrize("operation", CALLS)
async def test_the_test_servers_answers_are_sqs_answers(operation: str) -> None:
    theirs = parsed_by_botocore(operation)
    theirs.pop("ResponseMetadata")

    assert not ParamValidator().validate(theirs, MODEL.operation_model(operation).output_shape).has_errors()
    assert set(theirs) == set(ANSWERS[operation])


async def test_a_received_message_holds_what_botocore_reads() -> None:
    _, poll, _ = await exchanged("ReceiveMessage")

    (theirs,) = parsed_by_botocore("ReceiveMessage")["Messages"]
    (ours,) = poll.delivered.messages
    assert (ours.message_id, ours.receipt, ours.body) == (theirs["MessageId"], theirs["ReceiptHandle"], theirs["Body"])
    assert dict(ours.system) == theirs["Attributes"]
    values = {
        name: value.get("StringValue", value.get("BinaryValue")) for name, value in theirs["MessageAttributes"].items()
    }
    assert {name: value.value for name, value in ours.attributes.items()} == values


async def test_batches_lists_and_names_hold_what_botocore_reads() -> None:
    deleted, sent, attributes, url = [
        (await exchanged(operation))[1]
        for operation in ("DeleteMessageBatch", "SendMessageBatch", "GetQueueAttributes", "GetQueueUrl")
    ]

    (failed,) = parsed_by_botocore("DeleteMessageBatch")["Failed"]
    assert {str(index): fault.code for index, fault in deleted.items()} == {failed["Id"]: failed["Code"]}
    assert [entry.message_id for entry in sent] == [
        entry["MessageId"] for entry in parsed_by_botocore("SendMessageBatch")["Successful"]
    ]
    assert attributes == parsed_by_botocore("GetQueueAttributes")["Attributes"]
    assert url == parsed_by_botocore("GetQueueUrl")["QueueUrl"]
