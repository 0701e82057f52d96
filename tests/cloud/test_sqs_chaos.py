"""What goes wrong on purpose at the local SQS, as a client sees it, and what it has done to the queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError
from tests.cloud.sqs_clients import Wire, boto3_of, control

from forebay.cloud.background import InThread
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.sqs_server import SqsServer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Broken:
    """A server with one queue, a client, and the means to break what is between them."""

    def __init__(self, running: InThread[SqsServer]) -> None:
        self.running = running
        self.port = running.service.port
        self.url = running.call(lambda server: server.create_queue("jobs"))
        self.sqs: SQSClient = boto3_of(running.service.endpoint_url)

    def chaos(self, effect: Effect, *operations: str, **more: Any) -> None:
        rule = ChaosRule(effect=effect, operations=operations, **more)
        self.running.call(lambda server: server.chaos.add(rule))

    def send(self, *bodies: str) -> None:
        for body in bodies or ("x",):
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def receive(self, count: int = 10) -> list[Any]:
        return list(self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=count).get("Messages", []))

    def counts(self) -> tuple[int, int]:
        """Visible and in flight, by the server itself."""
        stats = self.running.call(lambda server: server.stats())["queues"][self.url]
        return stats["visible"], stats["in_flight"]


@pytest.fixture
def broken() -> Iterator[Broken]:
    with SqsServer.in_thread() as running:
        yield Broken(running)


@pytest.mark.parametrize(
    ("effect", "detail", "code", "status"),
    [
        (Effect.SERVER_ERROR, "", "InternalFailure", 500),
        (Effect.UNAVAILABLE, "", "ServiceUnavailable", 503),
        (Effect.THROTTLE, "", "RequestThrottled", 403),
        (Effect.THROTTLE, "ThrottlingException", "ThrottlingException", 400),
        (Effect.THROTTLE, "KmsThrottled", "KMS.ThrottlingException", 400),
        (Effect.REFUSE, "KmsAccessDenied", "KMS.AccessDeniedException", 400),
        (Effect.EXPIRED_TOKEN, "", "ExpiredToken", 403),
        (Effect.DENY, "", "AccessDenied", 403),
        (Effect.MISSING, "", "AWS.SimpleQueueService.NonExistentQueue", 400),
    ],
)
def test_an_error_on_purpose_is_answered_so_often_and_has_no_effect(
    broken: Broken, effect: Effect, detail: str, code: str, status: int
) -> None:
    broken.chaos(effect, "SendMessage", times=1, detail=detail)

    with pytest.raises(ClientError) as caught:
        broken.send("refused")
    broken.send("taken")

    response: Any = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert [message["Body"] for message in broken.receive()] == ["taken"]


def test_a_connection_dropped_before_leaves_no_trace_in_the_queue(broken: Broken) -> None:
    broken.chaos(Effect.DROP_BEFORE, "SendMessage", times=1)

    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        broken.send()

    assert broken.counts() == (0, 0)


def test_a_connection_dropped_after_has_carried_the_request_out(broken: Broken) -> None:
    broken.send()
    broken.chaos(Effect.DROP_AFTER, "ReceiveMessage", times=1)

    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        broken.receive()

    assert broken.counts() == (0, 1), "in flight, and nobody knows"


def test_an_answer_cut_short_ends_in_the_middle(broken: Broken) -> None:
    broken.send()
    broken.chaos(Effect.CUT_SHORT, "ReceiveMessage", times=1)

    with Wire(broken.port) as wire, pytest.raises(ConnectionError, match="middle"):
        wire.call("ReceiveMessage", {"QueueUrl": broken.url})


def test_a_malformed_answer_is_no_json(broken: Broken) -> None:
    broken.chaos(Effect.MALFORMED, "ListQueues", times=1)

    with Wire(broken.port) as wire:
        answer = wire.call("ListQueues")

    assert answer.status == 200
    with pytest.raises(ValueError):
        _ = answer.json


def test_a_black_hole_never_answers(broken: Broken) -> None:
    broken.chaos(Effect.BLACK_HOLE, "SendMessage", times=1)
    impatient = boto3_of(broken.running.service.endpoint_url, read_timeout_s=0.3)

    with pytest.raises(ReadTimeoutError):
        impatient.send_message(QueueUrl=broken.url, MessageBody="x")

    assert broken.counts() == (0, 0)


def test_a_delayed_answer_comes_late_though_the_work_was_done_at_once(broken: Broken) -> None:
    broken.chaos(Effect.DELAY, "SendMessage", delay_s=0.3)
    started_at = time.monotonic()

    with Wire(broken.port) as wire:
        wire.send("SendMessage", {"QueueUrl": broken.url, "MessageBody": "x"})
        early = broken.sqs.receive_message(QueueUrl=broken.url, WaitTimeSeconds=5)
        answer = wire.answer()

    assert answer.status == 200
    assert [message["Body"] for message in early["Messages"]] == ["x"]
    assert time.monotonic() - started_at >= 0.3


def test_a_delayed_request_is_carried_out_late(broken: Broken) -> None:
    broken.chaos(Effect.DELAY_BEFORE, "SendMessage", delay_s=0.3)

    with Wire(broken.port) as wire:
        wire.send("SendMessage", {"QueueUrl": broken.url, "MessageBody": "x"})
        assert broken.receive() == []
        assert wire.answer().status == 200

    assert len(broken.receive()) == 1


def test_a_delayed_request_whose_client_has_left_never_happens(broken: Broken) -> None:
    broken.chaos(Effect.DELAY_BEFORE, "SendMessage", delay_s=0.2)

    with Wire(broken.port) as wire:
        wire.send("SendMessage", {"QueueUrl": broken.url, "MessageBody": "never"})
        with Wire(broken.port) as other:
            other.call("ListQueues")
    broken.sqs.receive_message(QueueUrl=broken.url, WaitTimeSeconds=1)

    assert broken.counts() == (0, 0)


def test_some_entries_of_a_batch_fail_by_the_services_fault(broken: Broken) -> None:
    broken.send(*"abcde")
    messages = broken.receive()
    broken.chaos(Effect.FAIL_ENTRIES, "DeleteMessageBatch", entries=2, times=1)
    entries: list[Any] = [
        {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]} for number, one in enumerate(messages)
    ]

    answer = broken.sqs.delete_message_batch(QueueUrl=broken.url, Entries=entries)
    failed = [one["Id"] for one in answer["Failed"]]
    again = broken.sqs.delete_message_batch(
        QueueUrl=broken.url, Entries=[entry for entry in entries if entry["Id"] in failed]
    )

    assert len(answer["Successful"]) == 3
    assert [(one["Code"], one["SenderFault"]) for one in answer["Failed"]] == [("InternalFailure", False)] * 2
    assert len(again["Successful"]) == 2
    assert broken.counts() == (0, 0)


def test_all_entries_of_a_batch_may_fail(broken: Broken) -> None:
    broken.chaos(Effect.FAIL_ENTRIES, "SendMessageBatch", entries=10, times=1)

    answer = broken.sqs.send_message_batch(QueueUrl=broken.url, Entries=[{"Id": "1", "MessageBody": "x"}])

    assert [one["Id"] for one in answer["Failed"]] == ["1"]
    assert broken.counts() == (0, 0)


def test_a_lost_delete_is_answered_as_success(broken: Broken) -> None:
    broken.send()
    (message,) = broken.receive()
    broken.chaos(Effect.LOSE_ENTRIES, "DeleteMessageBatch", times=1)

    answer = broken.sqs.delete_message_batch(
        QueueUrl=broken.url, Entries=[{"Id": "1", "ReceiptHandle": message["ReceiptHandle"]}]
    )

    assert [one["Id"] for one in answer["Successful"]] == ["1"]
    assert broken.counts() == (0, 1)


def test_a_message_is_delivered_twice(broken: Broken) -> None:
    broken.send()
    broken.chaos(Effect.DUPLICATE, "ReceiveMessage", times=1)

    (first,), (second,) = broken.receive(), broken.receive()

    assert first["MessageId"] == second["MessageId"]
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    assert broken.receive() == []


def test_a_denied_action_is_denied_in_batches_too(broken: Broken) -> None:
    """As on a queue that Copilot made, whose policy grants receiving and deleting only."""
    broken.send()
    (message,) = broken.receive()
    broken.running.call(lambda server: server.deny("GetQueueAttributes", "ChangeMessageVisibility"))

    denied: list[str] = []
    calls: tuple[Callable[[], object], ...] = (
        lambda: broken.sqs.get_queue_attributes(QueueUrl=broken.url, AttributeNames=["All"]),
        lambda: broken.sqs.change_message_visibility(
            QueueUrl=broken.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=9
        ),
        lambda: broken.sqs.change_message_visibility_batch(
            QueueUrl=broken.url,
            Entries=[{"Id": "1", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 9}],
        ),
    )
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        denied.append(caught.value.response["Error"]["Code"])
    broken.sqs.delete_message(QueueUrl=broken.url, ReceiptHandle=message["ReceiptHandle"])

    assert denied == ["AccessDenied"] * 3
    assert "sqs:changemessagevisibility" in str(caught.value)
    assert broken.counts() == (0, 0)


def test_a_clock_that_is_off_refuses_signatures_and_says_its_time(broken: Broken) -> None:
    broken.running.call(lambda server: setattr(server, "clock_ahead_s", 3_600.0))

    with pytest.raises(ClientError, match="Signature expired") as caught:
        broken.send()

    response: Any = caught.value.response
    assert response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert broken.counts() == (0, 0)


def test_chaos_comes_and_goes_over_http(broken: Broken) -> None:
    put = control(
        broken.port, "PUT", "/_forebay/chaos", {"rules": [{"effect": "throttle", "operations": ["SendMessage"]}]}
    )
    with pytest.raises(ClientError):
        broken.send()
    shown = control(broken.port, "GET", "/_forebay/chaos").json
    control(broken.port, "DELETE", "/_forebay/chaos")
    broken.send()

    assert put.status == 200
    assert shown["rules"][0]["struck"] == 1
