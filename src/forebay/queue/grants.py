"""What an operator must grant when SQS denies an operation: the exact IAM statement. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from forebay.queue.resolve import region_in

ACTION_OF = {
    "ReceiveMessage": "sqs:ReceiveMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "SendMessageBatch": "sqs:SendMessage",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "GetQueueUrl": "sqs:GetQueueUrl",
}
"""The permission that each operation needs. Batches use the single operation's (facts/sqs.md section 8)."""


@dataclass(frozen=True, slots=True)
class QueueArn:
    """A queue's Amazon Resource Name, in parts."""

    partition: str
    region: str
    account: str
    name: str

    @classmethod
    def parse(cls, arn: str) -> QueueArn | None:
        """Read `arn:aws:sqs:<region>:<account>:<name>`; None if it is not of that form."""
        parts = arn.split(":")
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sqs" or not all(parts[3:]):
            return None
        return cls(parts[1], parts[3], parts[4], parts[5])

    @classmethod
    def of_url(cls, queue_url: str, *, region: str | None = None) -> QueueArn | None:
        """Derive the name from a queue's URL; None if the URL does not end in account and name."""
        parts = urlsplit(queue_url).path.rstrip("/").split("/")
        region = region_in(queue_url) or region
        if len(parts) < 3 or not region or not all(parts[-2:]):
            return None
        partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
        return cls(partition, region, parts[-2], parts[-1])

    def __str__(self) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{self.name}"

    def url_beside(self, queue_url: str) -> str:
        """Return this queue's URL, written like `queue_url` of the same service."""
        parts = urlsplit(queue_url)
        head = parts.path.rstrip("/").split("/")[:-2]
        return parts._replace(path="/".join([*head, self.account, self.name]), query="", fragment="").geturl()


def statement(operations: Sequence[str], resource: str) -> str:
    """Return the IAM statement that allows these operations on the queue `resource` (an ARN)."""
    actions = sorted({ACTION_OF[operation] for operation in operations})
    return json.dumps({"Effect": "Allow", "Action": actions, "Resource": resource})
