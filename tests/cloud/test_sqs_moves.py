"""Message move tasks at the local SQS by the machine's own clock: they act by themselves, and leave room for others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.sqs_clients import boto3_of

from forebay.cloud.background import InThread
from forebay.cloud.sqs_server import SqsServer
from forebay.rules.queue_contents import SendEntry

ARN = "arn:aws:sqs:us-east-1:000000000000:"
Running = InThread[SqsServer]


@pytest.fixture
def running() -> Iterator[Running]:
    with SqsServer.in_thread() as opened:
        yield opened


def _queues(running: Running, count: int) -> tuple[Any, str, str]:
    """Make a queue and its dead-letter queue with so many messages in it; return a client and both URLs."""
    redrive = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 1})

    def fill(server: SqsServer) -> tuple[str, str]:
        dead = server.create_queue("dead")
        jobs = server.create_queue("jobs", RedrivePolicy=redrive)
        now = time.monotonic()
        for number in range(count):
            server.service.send(dead, SendEntry(body=str(number)), now=now)
        return jobs, dead

    jobs, dead = running.call(fill)
    return boto3_of(running.service.endpoint_url), jobs, dead


def _task(client: Any) -> dict[str, Any]:
    (task,) = client.list_message_move_tasks(SourceArn=ARN + "dead")["Results"]
    return dict(task)


def test_a_poll_is_answered_by_a_task_that_acts_by_itself(running: Running) -> None:
    client, jobs, _ = _queues(running, 2)

    client.start_message_move_task(SourceArn=ARN + "dead", DestinationArn=ARN + "jobs", MaxNumberOfMessagesPerSecond=5)
    found = [client.receive_message(QueueUrl=jobs, WaitTimeSeconds=10)["Messages"][0]["Body"] for _ in range(2)]

    assert found == ["0", "1"]


def test_a_large_move_leaves_room_for_other_calls(running: Running) -> None:
    """Nothing else would see it half done: a move in one turn is 0 or all to every other call."""
    client, _, dead = _queues(running, 3_000)

    client.start_message_move_task(SourceArn=ARN + "dead", DestinationArn=ARN + "jobs")
    seen = {_task(client)["ApproximateNumberOfMessagesMoved"]}
    deadline_at = time.monotonic() + 20
    while _task(client)["Status"] == "RUNNING":
        seen.add(_task(client)["ApproximateNumberOfMessagesMoved"])
        assert time.monotonic() < deadline_at, _task(client)

    assert len(seen - {0, 3_000}) >= 2
    assert (_task(client)["Status"], _task(client)["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3_000)
    assert "Messages" not in client.receive_message(QueueUrl=dead)


def test_a_cancelled_task_ends_by_itself(running: Running) -> None:
    client, _, _ = _queues(running, 10)
    handle = client.start_message_move_task(
        SourceArn=ARN + "dead", DestinationArn=ARN + "jobs", MaxNumberOfMessagesPerSecond=1
    )["TaskHandle"]

    client.cancel_message_move_task(TaskHandle=handle)

    deadline_at = time.monotonic() + 10
    while _task(client)["Status"] == "CANCELLING":
        assert time.monotonic() < deadline_at, _task(client)
    assert _task(client)["Status"] == "CANCELLED"
