"""A source over boto3: the outside witness that says what SQS's own client makes of a server's answers.

Rules kept here and nowhere else:

1. It is as plain as can be: every call of the port is one call of boto3, in a thread. It is no source to work with.
2. Errors are classified by the words that boto3 found in the answer: its `Error.Code` and `QueryErrorCode`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio.to_thread
from botocore.exceptions import ClientError

from forebay.errors import Fault, FaultKind, QueueError
from forebay.model import Message, MessageAttribute
from forebay.queue.burial import buried_copy, read_message_max_bytes, read_redrive_policy
from forebay.queue.faults import classify, classify_entry
from forebay.queue.port import Counts, Description, Outgoing, Received, Sent, Visibility

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Answer = TypeVar("Answer")

_PREFIX = "ApproximateNumberOfMessages"


class Boto3Source:
    """One queue, through a boto3 client. Implements `queue.port.Source` and `queue.port.Sink`."""

    def __init__(self, client: SQSClient, url: str, now: Callable[[], float]) -> None:
        self._client = client
        self._url = url
        self._now = now

    @property
    def key(self) -> str:
        """The queue's URL."""
        return self._url

    async def describe(self) -> Description:
        """Ask for the queue's ARN, dead-letter queue and limits."""
        attributes = await self._attributes("QueueArn", "RedrivePolicy", "MaximumMessageSize")
        arn, receive_count_max, notes = read_redrive_policy(attributes.get("RedrivePolicy"))
        dead_letter: str | None = None
        if arn is not None:
            name = arn.rpartition(":")[2]
            dead_letter = (await self._call(lambda: self._client.get_queue_url(QueueName=name)))["QueueUrl"]
        most_bytes = read_message_max_bytes(attributes.get("MaximumMessageSize"))
        return Description(
            attributes["QueueArn"], dead_letter, receive_count_max, message_max_bytes=most_bytes, notes=notes
        )

    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        """Wait up to `wait_s` for up to `count_max` messages."""
        answer = await self._call(
            lambda: self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=count_max,
                WaitTimeSeconds=int(wait_s),
                VisibilityTimeout=visibility_s,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
        )
        found = cast("list[dict[str, Any]]", answer.get("Messages", []))
        return Received([_message(self._url, one) for one in found], self._now())

    async def change_visibility(self, entries: Sequence[Visibility]) -> Mapping[int, Fault]:
        """Hide deliveries for so many seconds from now; 0 gives them back."""
        answer = await self._call(
            lambda: self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for index, (receipt, seconds) in enumerate(entries)
                ],
            )
        )
        return _failed(answer)

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, Fault]:
        """Delete deliveries for good."""
        answer = await self._call(
            lambda: self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(index), "ReceiptHandle": receipt} for index, receipt in enumerate(receipts)],
            )
        )
        return _failed(answer)

    async def bury(self, message: Message, *, error: str) -> None:
        """Send a copy to the dead-letter queue."""
        dead_letter = (await self.describe()).dead_letter
        if dead_letter is None:
            raise QueueError(Fault(FaultKind.MISSING, "NoDeadLetterQueue"), operation="bury")
        copy = buried_copy(message, error, is_fifo=False)
        await Boto3Source(self._client, dead_letter, self._now).resend(copy)

    async def resend(self, message: Outgoing) -> None:
        """Send one message to this queue."""
        (sent,) = await self.send([message])
        if sent.fault is not None:
            raise QueueError(sent.fault, operation="SendMessageBatch")

    async def count(self) -> Counts:
        """Ask for the queue's numbers."""
        names = (_PREFIX, _PREFIX + "NotVisible", _PREFIX + "Delayed")
        attributes = await self._attributes(*names)
        return Counts(*(int(attributes[name]) for name in names))

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send up to ten messages."""
        entries = [_entry(str(index), message) for index, message in enumerate(messages)]
        answer = await self._call(
            lambda: self._client.send_message_batch(QueueUrl=self._url, Entries=cast("Any", entries))
        )
        faults = _failed(answer)
        ids = {int(one["Id"]): one["MessageId"] for one in answer.get("Successful", [])}
        return [Sent(ids.get(index), faults.get(index)) for index in range(len(messages))]

    async def aclose(self) -> None:
        """The client is shared and stays open."""

    async def _attributes(self, *names: str) -> dict[str, str]:
        answer = await self._call(
            lambda: self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=cast("Any", list(names)))
        )
        return cast("dict[str, str]", answer.get("Attributes", {}))

    async def _call(self, function: Callable[[], Answer]) -> Answer:
        try:
            return await anyio.to_thread.run_sync(function)
        except ClientError as error:
            answer = cast("dict[str, Any]", error.response)
            words = answer["Error"].get("QueryErrorCode", ""), answer["Error"]["Code"]
            fault = classify(answer["ResponseMetadata"]["HTTPStatusCode"], words, answer["Error"].get("Message", ""))
            raise QueueError(fault, operation=error.operation_name) from error


def _message(url: str, found: Mapping[str, Any]) -> Message:
    system: Mapping[str, str] = found.get("Attributes", {})
    attributes = {
        name: MessageAttribute(
            value["DataType"], value["BinaryValue"] if "BinaryValue" in value else value["StringValue"]
        )
        for name, value in found.get("MessageAttributes", {}).items()
    }
    return Message(
        url,
        found["MessageId"],
        found["ReceiptHandle"],
        found["Body"],
        int(system["ApproximateReceiveCount"]),
        int(system["SentTimestamp"]),
        int(system["ApproximateFirstReceiveTimestamp"]),
        system.get("MessageGroupId"),
        attributes,
        system,
    )


def _entry(entry_id: str, message: Outgoing) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": entry_id, "MessageBody": message.body}
    if message.delay_s:
        entry["DelaySeconds"] = message.delay_s
    if message.group is not None:
        entry["MessageGroupId"] = message.group
    if message.attributes:
        entry["MessageAttributes"] = {
            name: {"DataType": kind, "BinaryValue" if isinstance(value, bytes) else "StringValue": value}
            for name, (kind, value) in message.attributes.items()
        }
    return entry


def _failed(answer: Mapping[str, Any]) -> dict[int, Fault]:
    return {
        int(one["Id"]): classify_entry(one["Code"], one.get("Message", ""), is_sender_fault=one["SenderFault"])
        for one in answer.get("Failed", [])
    }
