"""Long polls at the local SQS: waking, leaving, and the end of the server."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.sqs_clients import Wire, boto3_of, control

from forebay.cloud.background import InThread
from forebay.cloud.sqs_server import SqsServer


@pytest.fixture
def running() -> Iterator[InThread[SqsServer]]:
    with SqsServer.in_thread() as server:
        yield server


@pytest.fixture
def url(running: InThread[SqsServer]) -> str:
    return running.call(lambda server: server.create_queue("jobs", VisibilityTimeout="1"))


def _open_polls(running: InThread[SqsServer], count: int) -> None:
    """Return when so many polls are open: the server is asked, in its own turns, until it says so."""
    deadline_at = time.monotonic() + 10
    while control(running.service.port, "GET", "/_forebay/stats").json["polls_open"] != count:
        assert time.monotonic() < deadline_at, f"never {count} open polls"


def test_a_waiting_poll_is_answered_by_the_send_itself(running: InThread[SqsServer], url: str) -> None:
    with Wire(running.service.port) as poller, Wire(running.service.port) as sender:
        poller.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10})
        _open_polls(running, 1)
        sender.call("SendMessage", {"QueueUrl": url, "MessageBody": "job"})

        assert [message["Body"] for message in poller.answer().json["Messages"]] == ["job"]


def test_waking_takes_milliseconds(running: InThread[SqsServer], url: str) -> None:
    """The median of twenty. The bound is loose for busy machines: an emulator that looks every 100 ms has 50."""
    lags: list[float] = []
    with Wire(running.service.port) as poller, Wire(running.service.port) as sender:
        for number in range(20):
            poller.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})
            _open_polls(running, 1)
            sent_at = time.perf_counter()
            sender.send("SendMessage", {"QueueUrl": url, "MessageBody": str(number)})
            poller.answer()
            lags.append(time.perf_counter() - sent_at)
            sender.answer()

    assert statistics.median(lags) < 0.025


def test_a_visibility_that_ends_wakes_a_waiting_poll(running: InThread[SqsServer], url: str) -> None:
    client = boto3_of(running.service.endpoint_url)
    client.send_message(QueueUrl=url, MessageBody="job")
    first = client.receive_message(QueueUrl=url)["Messages"][0]

    again = client.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]

    assert again["MessageId"] == first["MessageId"]


def test_many_polls_wait_at_once_and_each_gets_one(running: InThread[SqsServer], url: str) -> None:
    wires = [Wire(running.service.port) for _ in range(50)]
    try:
        for wire in wires:
            wire.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20, "VisibilityTimeout": 600})
        _open_polls(running, 50)
        with Wire(running.service.port) as sender:
            for number in range(50):
                sender.call("SendMessage", {"QueueUrl": url, "MessageBody": str(number)})
        got = [wire.answer().json["Messages"][0]["Body"] for wire in wires]
    finally:
        for wire in wires:
            wire.close()

    assert sorted(got, key=int) == [str(number) for number in range(50)]


def test_a_poll_whose_client_left_takes_nothing(running: InThread[SqsServer], url: str) -> None:
    with Wire(running.service.port) as gone:
        gone.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})
        _open_polls(running, 1)
    _open_polls(running, 0)
    client = boto3_of(running.service.endpoint_url)

    client.send_message(QueueUrl=url, MessageBody="job")

    assert len(client.receive_message(QueueUrl=url)["Messages"]) == 1


def test_on_demand_a_poll_whose_client_left_swallows_messages_as_on_aws(running: InThread[SqsServer], url: str) -> None:
    control(running.service.port, "PUT", "/_forebay/modes", {"abandoned_polls_swallow": True})
    with Wire(running.service.port) as gone:
        gone.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20, "VisibilityTimeout": 1})
        _open_polls(running, 1)
    _open_polls(running, 0)
    client = boto3_of(running.service.endpoint_url)

    client.send_message(QueueUrl=url, MessageBody="job")
    at_once: Any = client.receive_message(QueueUrl=url)
    later = client.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"])

    assert "Messages" not in at_once
    assert later["Messages"][0]["Attributes"]["ApproximateReceiveCount"] == "2"
    stats = control(running.service.port, "GET", "/_forebay/stats").json
    assert stats["queues"][url]["swallowed"] == 1


def test_deleting_the_queue_ends_its_polls_with_an_error(running: InThread[SqsServer], url: str) -> None:
    with Wire(running.service.port) as poller, Wire(running.service.port) as other:
        poller.send("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})
        _open_polls(running, 1)
        other.call("DeleteQueue", {"QueueUrl": url})
        answer = poller.answer()

    assert answer.json["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"


def test_the_servers_end_cuts_open_polls(url: str, running: InThread[SqsServer]) -> None:
    failures: list[BaseException] = []

    with SqsServer.in_thread() as short_lived:
        other_url = short_lived.call(lambda server: server.create_queue("jobs"))
        poller = Wire(short_lived.service.port)
        poller.send("ReceiveMessage", {"QueueUrl": other_url, "WaitTimeSeconds": 20})

        def wait() -> None:
            try:
                poller.answer()
            except OSError as error:
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        _open_polls(short_lived, 1)
    thread.join(10)
    poller.close()

    assert len(failures) == 1


def test_a_backlog_does_not_slow_the_server(running: InThread[SqsServer], url: str) -> None:
    """Twenty thousand waiting messages: each of the last hundred receives takes as long as each of the first."""
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
    ask = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600}

    def time_of_hundred(wire: Wire) -> float:
        started_at = time.perf_counter()
        for _ in range(100):
            assert len(wire.call("ReceiveMessage", ask).json["Messages"]) == 10
        return time.perf_counter() - started_at

    with Wire(running.service.port) as wire:
        body = {"QueueUrl": url, "Entries": entries}
        for _ in range(100):
            wire.call("SendMessageBatch", body)
        small = time_of_hundred(wire)
        for _ in range(2_000):
            wire.call("SendMessageBatch", body)
        large = time_of_hundred(wire)

    assert large < 5 * small


def test_the_statistics_tell_requests_refusals_and_messages_apart(running: InThread[SqsServer], url: str) -> None:
    with Wire(running.service.port) as wire:
        wire.call("SendMessage", {"QueueUrl": url, "MessageBody": "x"})
        received: Any = wire.call("ReceiveMessage", {"QueueUrl": url}).json
        wire.call("ReceiveMessage", {"QueueUrl": url})
        wire.call("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": received["Messages"][0]["ReceiptHandle"]})
        wire.call("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": "no such receipt"})

    stats = json.loads(control(running.service.port, "GET", "/_forebay/stats").body)

    assert stats["requests"] == {"SendMessage": 1, "ReceiveMessage": 2, "DeleteMessage": 2}
    assert stats["messages"] == {"sent": 1, "delivered": 1, "empty": 1, "deleted": 1}
    assert stats["refusals"] == {"ReceiptHandleIsInvalid": 1}
