"""What SQS and CloudWatch say of the service's queue and its dead-letter queue.

Rules kept here and nowhere else:

1. The dead-letter queue is the one that the queue's own RedrivePolicy names, so that what is shown is where failed
   messages really go.
2. SQS counts now; the age comes from CloudWatch and is a minute or more behind, so it carries its time.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from forebay.deploy.live.asking import Ask
from forebay.deploy.live.values import Age, DeadLetters, QueueState, Unread
from forebay.deploy.live.where import Where
from forebay.deploy.trouble import code_of

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
AGE_WINDOW = timedelta(minutes=10)
NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def read_queue(clients: Clients, where: Where, now_utc: datetime, ask: Ask) -> QueueState | Unread:
    """Return the queue's depth. Raises botocore's errors."""
    if where.queue is None:
        return Unread("no queue is named: give --queue, by name or by URL")
    url = _url(clients, where.queue)
    if url is None:
        return Unread(f"there is no queue {where.queue}")
    attributes = _attributes(clients, url, *COUNTS, "RedrivePolicy")
    name = url.rpartition("/")[2]
    visible, in_flight, delayed = (int(attributes.get(count, 0)) for count in COUNTS)
    return QueueState(
        name=name,
        url=url,
        visible=visible,
        in_flight=in_flight,
        delayed=delayed,
        oldest=ask("cloudwatch", "reading the age of the oldest message", lambda: _oldest(clients, name, now_utc)),
        dead=ask("sqs", "reading the dead-letter queue", lambda: _dead(clients, attributes.get("RedrivePolicy"))),
    )


def _url(clients: Clients, queue: str, *, owner: str | None = None) -> str | None:
    from botocore.exceptions import ClientError

    if "://" in queue:
        return queue
    try:
        if owner is not None:
            return clients.sqs.get_queue_url(QueueName=queue, QueueOwnerAWSAccountId=owner)["QueueUrl"]
        return clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except ClientError as error:
        if code_of(error) in NO_QUEUE:
            return None
        raise


def _attributes(clients: Clients, url: str, *names: Any) -> dict[str, str]:
    answer: Any = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
    found: dict[str, str] = answer.get("Attributes", {})
    return found


def _dead(clients: Clients, redrive_policy: str | None) -> DeadLetters | Unread | None:
    if redrive_policy is None:
        return None
    arn = str(json.loads(redrive_policy)["deadLetterTargetArn"])
    owner, name = arn.split(":")[4:6]
    url = _url(clients, name, owner=owner)
    if url is None:
        return Unread(f"the queue's RedrivePolicy names {name}, which is not there: nothing can be moved to it")
    counts = _attributes(clients, url, COUNTS[0])
    return DeadLetters(name, int(counts.get(COUNTS[0], 0)))


def _oldest(clients: Clients, queue: str, now_utc: datetime) -> Age | None:
    answer: Any = clients.cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=now_utc - AGE_WINDOW,
        EndTime=now_utc,
        Period=60,
        Statistics=["Maximum"],
    )
    points: list[Any] = sorted(answer.get("Datapoints", ()), key=lambda point: point["Timestamp"])
    if not points:
        return None
    return Age(float(points[-1]["Maximum"]), points[-1]["Timestamp"].astimezone(UTC))
