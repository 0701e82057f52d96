"""The whole client against moto, which knows nothing of us: an outside witness for the shapes on the wire."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from mypy_boto3_sqs import SQSClient
from tests.queue.wire_clients import ACCESS_KEY, REGION, SECRET_KEY, a_source, config

from forebay.model import ERROR_ATTRIBUTE, MessageAttribute
from forebay.queue.port import BODY_MAX_BYTES, Counts, Outgoing, Visibility
from forebay.queue.sink import SqsSink

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ATTRIBUTES = {"job": MessageAttribute("String", "é"), "raw": MessageAttribute("Binary.png", bytes(range(256)))}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def boto(endpoint: str) -> Iterator[SQSClient]:
    client = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    yield client
    client.close()


async def test_a_queue_of_motos_is_worked_from_send_to_burial(endpoint: str, boto: SQSClient) -> None:
    dead = boto.create_queue(QueueName="jobs-dead")["QueueUrl"]
    arn = boto.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "4"})
    url = boto.create_queue(QueueName="jobs", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    sink = SqsSink.open(url, config(endpoint))

    async with a_source(endpoint, url) as source:
        description = await source.describe()
        sent = await sink.send([Outgoing("x" * (BODY_MAX_BYTES - 400), ATTRIBUTES), *[Outgoing("small €")] * 11])
        received = (await source.receive(count_max=10, wait_s=1, visibility_s=60)).messages
        assert await source.change_visibility([Visibility(message.receipt, 90) for message in received]) == {}
        await source.bury(received[0], error="{}")
        assert await source.delete([message.receipt for message in received]) == {}
        counts = await source.count()
    await sink.aclose()

    assert (description.dead_letter, description.receive_count_max, description.notes) == (dead, 4, ())
    assert [result.fault for result in sent] == [None] * 12
    assert counts == Counts(2, 0, 0)
    (copy,) = boto.receive_message(QueueUrl=dead, MessageAttributeNames=["All"])["Messages"]
    assert copy["Body"] == received[0].body
    assert ERROR_ATTRIBUTE in copy["MessageAttributes"]


async def test_what_boto3_sends_by_hand_arrives_as_a_job(endpoint: str, boto: SQSClient) -> None:
    url = boto.create_queue(QueueName="by-hand")["QueueUrl"]
    boto.send_message(
        QueueUrl=url,
        MessageBody='{"key":"a.png"}',
        MessageAttributes={
            "job": {"DataType": "String", "StringValue": "thumbnail"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )

    async with a_source(endpoint, url) as source:
        (message,) = (await source.receive(count_max=10, wait_s=1, visibility_s=60)).messages

    assert (message.job, message.body) == ("thumbnail", '{"key":"a.png"}')
    assert message.attributes["raw"] == MessageAttribute("Binary", b"\x00\xff")


async def test_fifo_messages_keep_their_group(endpoint: str, boto: SQSClient) -> None:
    url = boto.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sink = SqsSink.open(url, config(endpoint))

    async with a_source(endpoint, url) as source:
        (sent,) = await sink.send([Outgoing("a", group="g", dedupe="d")])
        (message,) = (await source.receive(count_max=10, wait_s=1, visibility_s=60)).messages
        description = await source.describe()
    await sink.aclose()

    assert sent.fault is None
    assert message.group == "g"
    assert description.is_fifo
