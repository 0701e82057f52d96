"""The queue that feeds the service, its dead-letter queue, and who may use them. Pure.

Rules kept here and nowhere else:

1. Both queues have fixed names, so that producers can be told them and the dead-letter queue can name its source
   without referring to it: each would wait for the other.
2. Nobody uses a queue without TLS, whatever other policies allow. Who may send beyond the policies of this account is
   named one by one.
3. The worker is told its queues by URL; it never needs to look one up.
"""

from __future__ import annotations

from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract, encryption
from forebay.deploy.template.intrinsics import Json, Piece, allow, arn, get_att, ref, resource
from forebay.queue.port import BODY_MAX_BYTES
from forebay.settings import WorkerSettings

WAIT_S = 20
"""Long polls, also for those who ask without saying how long: short ones cost money and find nothing."""


def visibility_s(manifest: Manifest) -> int:
    """Return the queue's visibility timeout."""
    given = manifest.queue.visibility
    return int(given if given is not None else manifest.run.visibility or WorkerSettings().visibility_s)


def piece(manifest: Manifest, names: Names, given: Piece) -> Piece:
    """Return the queues, their policies, and what a worker may do with them. `given` says who else sends."""
    return Piece(
        resources={
            contract.QUEUE: _queue(manifest, names),
            contract.DEAD_LETTER_QUEUE: _dead_letter_queue(manifest, names),
            contract.QUEUE_POLICY: _policy(
                contract.QUEUE,
                "Who may use the queue: nobody without TLS",
                (*_producers(manifest), *given.queue_statements),
            ),
            contract.DEAD_LETTER_QUEUE_POLICY: _policy(
                contract.DEAD_LETTER_QUEUE,
                "Who may use the dead-letter queue: nobody without TLS",
                given.dead_letter_statements,
            ),
        },
        outputs={
            "QueueUrl": {"Description": "Send jobs here", "Value": ref(contract.QUEUE)},
            "QueueArn": {"Description": "For policies of producers", "Value": get_att(contract.QUEUE, "Arn")},
            "DeadLetterQueueUrl": {
                "Description": "What could not be done is here, for 14 days unless the manifest says otherwise",
                "Value": ref(contract.DEAD_LETTER_QUEUE),
            },
        },
        variables={"FOREBAY_QUEUE_URL": ref(contract.QUEUE), "FOREBAY_DEAD_LETTER": ref(contract.DEAD_LETTER_QUEUE)},
        statements=_worker_statements(manifest),
    )


def _worker_statements(manifest: Manifest) -> tuple[Json, ...]:
    """Return what a worker does with its queues; `queue.grants` has the same for whoever writes policies by hand."""
    return (
        allow(
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",  # For code that names the queue instead of taking the URL that it is given.
                "sqs:SendMessage",  # Checkpoints and resent jobs are new messages; so are further jobs.
            ],
            get_att(contract.QUEUE, "Arn"),
            sid="WorkTheQueue",
        ),
        allow(["sqs:SendMessage"], get_att(contract.DEAD_LETTER_QUEUE, "Arn"), sid="BuryWhatCannotBeDone"),
        *encryption.statements(manifest, sends=True),
    )


def _queue(manifest: Manifest, names: Names) -> Json:
    redrive = {
        "deadLetterTargetArn": get_att(contract.DEAD_LETTER_QUEUE, "Arn"),
        "maxReceiveCount": manifest.queue.max_receive_count,
    }
    return resource(
        "AWS::SQS::Queue",
        "The queue that your jobs wait in",
        {
            "QueueName": names.queue,
            **_fifo(manifest),
            "VisibilityTimeout": visibility_s(manifest),
            "MessageRetentionPeriod": int(manifest.queue.retention),
            "DelaySeconds": int(manifest.queue.delay),
            "ReceiveMessageWaitTimeSeconds": WAIT_S,
            "MaximumMessageSize": BODY_MAX_BYTES,
            **encryption.queue_properties(manifest),
            "RedrivePolicy": redrive,
        },
        despite=encryption.despite(manifest),
        **encryption.kept(manifest),
    )


def _dead_letter_queue(manifest: Manifest, names: Names) -> Json:
    return resource(
        "AWS::SQS::Queue",
        "The dead-letter queue: jobs that failed too often wait here for you to look",
        {
            "QueueName": names.dead_letter_queue,
            **_fifo(manifest),
            "MessageRetentionPeriod": int(manifest.queue.dead_letter_retention),
            "ReceiveMessageWaitTimeSeconds": WAIT_S,
            "MaximumMessageSize": BODY_MAX_BYTES,
            **encryption.queue_properties(manifest),
            "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [arn("sqs", names.queue)]},
        },
        despite=encryption.despite(manifest),
        **encryption.kept(manifest),
    )


def _fifo(manifest: Manifest) -> Json:
    queue = manifest.queue
    if queue.type != "fifo":
        return {}
    # Both are said also where they are SQS's defaults: what a template leaves out may stay as it was.
    return {
        "FifoQueue": True,
        "ContentBasedDeduplication": queue.content_based_deduplication,
        "DeduplicationScope": "messageGroup" if queue.high_throughput else "queue",
        "FifoThroughputLimit": "perMessageGroupId" if queue.high_throughput else "perQueue",
    }


def _producers(manifest: Manifest) -> tuple[Json, ...]:
    if not manifest.queue.producers:
        return ()
    who = {"AWS": list(manifest.queue.producers)}
    actions = ["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    return (allow(actions, get_att(contract.QUEUE, "Arn"), sid="Producers", principal=who),)


def _policy(queue: str, description: str, statements: tuple[Json, ...]) -> Json:
    without_tls: dict[str, Any] = {
        "Sid": "NobodyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": get_att(queue, "Arn"),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return resource(
        "AWS::SQS::QueuePolicy",
        description,
        {"Queues": [ref(queue)], "PolicyDocument": {"Version": "2012-10-17", "Statement": [without_tls, *statements]}},
    )
