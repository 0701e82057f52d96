"""Topics of SNS whose messages come to the queue. Pure.

Rules kept here and nowhere else:

1. A topic may send when it is named: the queue's policy and the key's both hold its ARN.
2. What SNS cannot deliver goes to the dead-letter queue, where a person looks. A FIFO topic needs a FIFO queue there.
3. A subscription comes after both queues' policies: what a queue refuses is not tried again, and would be lost.
"""

from __future__ import annotations

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.surroundings import Subscription
from forebay.deploy.names import Names
from forebay.deploy.template import contract, encryption
from forebay.deploy.template.intrinsics import Json, Piece, allow, get_att, in_camel_case, resource, short_hash

SCOPES = {"attributes": "MessageAttributes", "body": "MessageBody"}
SNS = {"Service": "sns.amazonaws.com"}


def piece(manifest: Manifest, names: Names) -> Piece:  # noqa: ARG001  (the form of a piece)
    """Return the subscriptions, and what the policies of the queues and of their key say of the topics."""
    if not manifest.topics:
        return Piece()
    named = {"ArnEquals": {"aws:SourceArn": sorted({topic.arn for topic in manifest.topics.values()})}}

    def may_send(queue: str) -> Json:
        return allow(["sqs:SendMessage"], get_att(queue, "Arn"), sid="Topics", principal=SNS, condition=named)

    return Piece(
        resources={
            _id(topic): _subscription(name, topic, is_fifo=manifest.queue.type == "fifo")
            for name, topic in manifest.topics.items()
        },
        queue_statements=(may_send(contract.QUEUE),),
        dead_letter_statements=(may_send(contract.DEAD_LETTER_QUEUE),),
        key_statements=(allow(encryption.SENDING, "*", sid="Topics", principal=SNS, condition=named),),
    )


def _id(topic: Subscription) -> str:
    """Return the logical id, of the topic and not of the name that the manifest gives it.

    SNS has one subscription for a topic and a queue. Under a new id CloudFormation would be given the same one again,
    and then delete it with the old id.
    """
    return f"Topic{in_camel_case(topic.arn.rpartition(':')[2])}{short_hash(topic.arn)}"


def _subscription(name: str, topic: Subscription, *, is_fifo: bool) -> Json:
    properties: Json = {
        "TopicArn": topic.arn,
        "Protocol": "sqs",
        "Endpoint": get_att(contract.QUEUE, "Arn"),
        # The topic's own Region: without it a topic of another one is looked for here.
        "Region": topic.arn.split(":")[3],
        "RawMessageDelivery": topic.raw,
    }
    if topic.filter is not None:
        properties |= {"FilterPolicy": topic.filter, "FilterPolicyScope": SCOPES[topic.filter_on]}
    if topic.arn.endswith(".fifo") == is_fifo:
        properties["RedrivePolicy"] = {"deadLetterTargetArn": get_att(contract.DEAD_LETTER_QUEUE, "Arn")}
    return resource(
        "AWS::SNS::Subscription",
        f"Brings the messages of topic {name} to the queue",
        properties,
        DependsOn=[contract.QUEUE_POLICY, contract.DEAD_LETTER_QUEUE_POLICY],
    )
