"""The local SQS inside another program: on its own loop, or in a thread beside blocking code."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.cloud.sqs_clients import Wire, boto3_of

from forebay.cloud.sqs_server import SqsServer


def test_a_server_lives_in_an_async_block() -> None:
    async def main() -> tuple[str, str, int]:
        async with SqsServer() as server:
            url = server.create_queue("jobs")
            client = boto3_of(server.endpoint_url)
            await asyncio.to_thread(client.send_message, QueueUrl=url, MessageBody="x")
            return server.url, server.endpoint_url, server.counts.requests["SendMessage"]

    url, endpoint, sent = asyncio.run(main())

    assert url == endpoint
    assert endpoint.startswith("http://127.0.0.1:")
    assert sent == 1


def test_a_server_in_a_thread_ends_with_its_block() -> None:
    before = set(threading.enumerate())  # Other tests' servers may live as long as the session.
    with SqsServer.in_thread(region="eu-west-3") as running:
        port = running.service.port
        assert set(threading.enumerate()) > before
        url = running.call(lambda server: server.create_queue("jobs"))
        with Wire(port) as wire:
            answer = wire.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})

    assert answer.json["Attributes"]["QueueArn"] == "arn:aws:sqs:eu-west-3:000000000000:jobs"
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError):
        Wire(port)


def test_a_server_that_cannot_start_says_so_to_who_started_it() -> None:
    with SqsServer.in_thread() as running, pytest.raises(OSError):
        SqsServer.in_thread(port=running.service.port).__enter__()


def test_an_error_on_the_servers_loop_reaches_the_caller_and_harms_nobody() -> None:
    with SqsServer.in_thread() as running:
        with pytest.raises(ZeroDivisionError):
            running.call(lambda server: 1 // 0)

        assert running.call(lambda server: server.stats()["polls_open"]) == 0


def test_two_servers_share_nothing() -> None:
    with SqsServer.in_thread() as first, SqsServer.in_thread() as second:
        first.call(lambda server: server.create_queue("jobs"))

        assert list(second.call(lambda server: server.stats()["queues"])) == []


def test_equal_seeds_give_equal_message_ids() -> None:
    def ids(seed: int) -> list[str]:
        with SqsServer.in_thread(seed=seed) as running:
            url = running.call(lambda server: server.create_queue("jobs"))
            client = boto3_of(running.service.endpoint_url)
            return [client.send_message(QueueUrl=url, MessageBody="x")["MessageId"] for _ in range(3)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
