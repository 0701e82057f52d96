"""What a deletion leaves behind on purpose: queues and their messages, and the key that they need.

Rules kept here and nowhere else:

1. A queue that holds messages goes only when that was asked for. The counts are approximate, so a queue counts as
   empty when two looks, before and after the stack's deletion, both find nothing.
2. A key goes only after every queue that it encrypts, and then in thirty days, so that it can be called back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from forebay.deploy.trouble import code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_sqs import SQSClient

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NonExistentQueue")
KEY_GOES_IN_DAYS = 30


@dataclass(frozen=True, slots=True)
class KeptQueue:
    """A queue that is there."""

    name: str
    url: str
    messages: int
    """Visible, in flight and delayed together, as far as SQS knows."""

    @property
    def holds(self) -> str:
        """What it holds, in words."""
        return "no messages" if self.messages == 0 else f"{self.messages:,} message{'s' * (self.messages != 1)}"


def queues_there(client: SQSClient, names: Sequence[str]) -> tuple[KeptQueue, ...]:
    """Return those of the queues that exist, with what they hold."""
    found: list[KeptQueue] = []
    with explained("looking at the queues"):
        for name in names:
            try:
                url = client.get_queue_url(QueueName=name)["QueueUrl"]
                told = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))  # type: ignore[arg-type]  # pyright: ignore
            except ClientError as error:
                if code_of(error) not in MISSING:
                    raise
            else:
                counts = told.get("Attributes", {})
                found.append(KeptQueue(name, url, sum(int(number) for number in counts.values())))
    return tuple(found)


def delete_queue(client: SQSClient, queue: KeptQueue) -> None:
    """Delete a queue with all that is in it. One that is gone already is no error."""
    with explained(f"deleting queue {queue.name}"):
        try:
            client.delete_queue(QueueUrl=queue.url)
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise


def let_key_go(client: KMSClient, key_id: str) -> None:
    """Have the key deleted in thirty days."""
    with explained(f"scheduling the deletion of key {key_id}"):
        client.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=KEY_GOES_IN_DAYS)
