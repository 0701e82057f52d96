"""Dead letters, encryption and who may use the queues. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, length, warning
from forebay.deploy.doctor.facts import Queue
from forebay.deploy.doctor.finding import Found
from forebay.deploy.policies import Statement


@check("dead-letter-missing", "The queue has a dead-letter queue")
def dead_letter_missing(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is not None and queue.dead_letter_arn is None:
        yield error(
            "no RedrivePolicy",
            f"{queue.place}.RedrivePolicy",
            f"a job that cannot be done comes back again and again, until SQS deletes it ({length(queue.retention_s)})",
            "add a dead-letter queue: `forebay deploy` makes one",
        )


@check("dead-letter-retention", "Dead letters are kept longer than the queue keeps messages")
def dead_letter_retention(case: Case) -> Iterator[Found]:
    queue, dead = case.facts.queue, case.facts.dead_letter
    # A FIFO queue begins anew with a message's age when it moves it (facts/sqs.md section 3).
    if queue is None or dead is None or queue.is_fifo or dead.retention_s > queue.retention_s:
        return
    tell = error if dead.retention_s < queue.retention_s else warning
    yield tell(
        f"retention {length(dead.retention_s)}, of the queue {length(queue.retention_s)}",
        f"{dead.place}.MessageRetentionPeriod",
        "a dead letter keeps the age of its first sending, so an old one is deleted as soon as it is moved",
        "set queue.dead_letter_retention to 14d, and queue.retention below that",
        "queue.dead_letter_retention",
    )


@check("dead-letter-type", "Queue and dead-letter queue are of one type")
def dead_letter_type(case: Case) -> Iterator[Found]:
    queue, dead = case.facts.queue, case.facts.dead_letter
    if queue is not None and dead is not None and queue.is_fifo != dead.is_fifo:
        kinds = {True: "FIFO", False: "standard"}
        yield error(
            f"queue {kinds[queue.is_fifo]}, dead-letter queue {kinds[dead.is_fifo]}",
            f"{dead.place}.FifoQueue",
            "SQS moves nothing between the two types",
            "give both the same FifoQueue",
            "queue.type",
        )


@check("dead-letter-allow", "The dead-letter queue takes this queue's messages, and no other's")
def dead_letter_allow(case: Case) -> Iterator[Found]:
    queue, dead = case.facts.queue, case.facts.dead_letter
    if queue is None or dead is None:
        return
    place = f"{dead.place}.RedriveAllowPolicy"
    if dead.allowed_sources is None:
        yield warning(
            "any queue of the account",
            place,
            "another service's queue may bury its jobs here, and a redrive would send them to your worker",
            "set redrivePermission byQueue with this queue's ARN",
        )
    elif queue.arn not in dead.allowed_sources:
        others = ", ".join(one.rpartition(":")[2] for one in dead.allowed_sources)
        yield error(
            f"allows {others or 'no queue'}, not {queue.name}",
            place,
            "SQS refuses the queue's RedrivePolicy, or moves nothing",
            "name this queue's ARN in sourceQueueArns",
        )


@check("encryption-both", "A queue is encrypted in one way")
def encryption_both(case: Case) -> Iterator[Found]:
    for queue in _both(case):
        if queue.kms_key is not None and queue.is_encrypted_by_sqs:
            yield error(
                "SqsManagedSseEnabled and KmsMasterKeyId",
                f"{queue.place}.KmsMasterKeyId",
                "SQS takes one of them, and refuses the deployment with both",
                "keep KmsMasterKeyId, or leave it out",
                "queue.encryption",
            )


@check("encryption-off", "Messages are encrypted at rest")
def encryption_off(case: Case) -> Iterator[Found]:
    for queue in _both(case):
        if queue.kms_key is None and not queue.is_encrypted_by_sqs:
            yield warning(
                "SqsManagedSseEnabled false, no key",
                f"{queue.place}.SqsManagedSseEnabled",
                "bodies are stored as they are, though encryption by SQS costs nothing and needs no permission",
                "set queue.encryption to sqs",
                "queue.encryption",
            )


@check("queue-tls", "Nobody uses the queues without TLS")
def queue_tls(case: Case) -> Iterator[Found]:
    for queue in _both(case):
        if not any(map(_refuses_plain_http, queue.policy)):
            yield warning(
                "no Deny for aws:SecureTransport false",
                f"{queue.place}: queue policy",
                "a client that is told an http:// address sends messages in the clear, and SQS takes them",
                "add a Deny of sqs:* for everybody with aws:SecureTransport false",
            )


@check("queue-open", "Only who is named may use the queues")
def queue_open(case: Case) -> Iterator[Found]:
    for queue in _both(case):
        for statement in queue.policy:
            if statement.is_allow and "AWS:*" in statement.principals and not statement.conditions:
                yield error(
                    f"{', '.join(statement.actions)} for everybody",
                    f"{queue.place}: queue policy",
                    "anybody with an account of AWS may do that to your queue",
                    "name the accounts or roles in queue.producers, or add a condition",
                    "queue.producers",
                )


@check("queue-source", "A service that may send to the queue does so for this account only")
def queue_source(case: Case) -> Iterator[Found]:
    for queue in _both(case):
        for statement in queue.policy:
            services = [one for one in statement.principals if one.startswith("Service:")]
            known = {"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:principalorgid"}
            if statement.is_allow and services and not statement.condition_keys() & known:
                yield warning(
                    f"{', '.join(statement.actions)} for {', '.join(one.partition(':')[2] for one in services)}",
                    f"{queue.place}: queue policy",
                    "anybody's topic or rule can make that service send to your queue (the confused deputy)",
                    "add a condition on aws:SourceArn or aws:SourceAccount",
                )


@check("topic-key", "Topics may use the key of the queue", scope="template")
def topic_key(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or queue.kms_key is None or "${" in queue.kms_key:  # The stack's own key names its topics.
        return
    for subscription in case.facts.subscriptions:
        if subscription.queue == queue.name:
            yield warning(
                f"topic {subscription.topic.rpartition(':')[2]}, key {queue.kms_key.rpartition(':')[2]}",
                f"{queue.place}.KmsMasterKeyId",
                "SNS sends to an encrypted queue only if the key's own policy says so, and the dead-letter queue has "
                "the same key: what SNS cannot deliver is lost without a word",
                "let the key's policy allow kms:GenerateDataKey and kms:Decrypt to sns.amazonaws.com for this topic, "
                "or set queue.encryption to kms or sqs",
                "queue.encryption",
            )


@check("queue-kept", "Messages outlive a replacement of the queue", scope="template")
def queue_kept(case: Case) -> Iterator[Found]:
    for queue in _both(case):
        if queue.is_kept is False:
            yield warning(
                "no UpdateReplacePolicy: Retain",
                queue.place,
                "a new name or type replaces the queue, and CloudFormation deletes the old one with its messages",
                "set queue.keep to true",
                "queue.keep",
            )


def _both(case: Case) -> Iterator[Queue]:
    yield from (queue for queue in (case.facts.queue, case.facts.dead_letter) if queue is not None)


def _refuses_plain_http(statement: Statement) -> bool:
    if statement.is_allow or "AWS:*" not in statement.principals or not statement.names("sqs:SendMessage"):
        return False
    return any(tests.get("aws:securetransport") == ("false",) for tests in statement.conditions.values())
