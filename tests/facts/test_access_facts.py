"""Facts of encryption attributes, tags, permissions and policies (facts/sqs.md sections 2 and 8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name
from tests.facts.services import Ours, Sqs

# ── encryption ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_of_kms_ends_sqss_own_encryption(sqs: Sqs) -> None:
    """facts/sqs.md section 8: SSE-SQS is on by default for queues created without any encryption setting."""
    url = sqs.queue(KmsMasterKeyId="alias/mine")

    assert sqs.attribute(url, "KmsMasterKeyId") == "alias/mine"
    assert sqs.attribute(url, "SqsManagedSseEnabled") == "false"


def test_a_data_key_is_used_for_300_seconds_by_default(sqs: Sqs) -> None:
    """facts/sqs.md section 8: SSE-KMS data-key reuse period 60..86,400 s, default 300."""
    assert sqs.attribute(sqs.queue(KmsMasterKeyId="alias/mine"), "KmsDataKeyReusePeriodSeconds") == "300"


@pytest.mark.parametrize("seconds", [59, 86_401])
def test_a_data_key_is_used_for_a_minute_to_a_day(seconds: int, sqs: Sqs) -> None:
    """facts/sqs.md section 8: SSE-KMS data-key reuse period 60..86,400 s, default 300."""
    attributes = {"KmsMasterKeyId": "alias/mine", "KmsDataKeyReusePeriodSeconds": str(seconds)}

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes=attributes)

    assert refusal.code == "InvalidAttributeValue"


def test_a_queue_encrypts_in_one_way(sqs: Sqs) -> None:
    """facts/sqs.md section 8: SSE-KMS and SSE-SQS: without any encryption setting SSE-SQS; never both."""
    attributes = {"KmsMasterKeyId": "alias/mine", "SqsManagedSseEnabled": "true"}

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes=attributes)

    assert refusal.code == "InvalidAttributeName"
    assert "You can use one type of server-side encryption (SSE) at one time." in refusal.message


def test_encryption_can_be_turned_off(sqs: Sqs) -> None:
    """facts/sqs.md section 8: SSE-SQS is on by default (and SqsManagedSseEnabled=false turns it off)."""
    url = sqs.queue()

    sqs.set(url, SqsManagedSseEnabled="false")

    assert sqs.attribute(url, "SqsManagedSseEnabled") == "false"


# ── tags and permissions ───────────────────────────────────────────────────────────────────────────────────


def test_tags_are_set_overwritten_and_taken_away(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Tag ops: TagQueue, UntagQueue, ListQueueTags."""
    url = sqs.queue()
    sqs.client.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2", "c": ""})
    sqs.client.tag_queue(QueueUrl=url, Tags={"a": "3"})

    sqs.client.untag_queue(QueueUrl=url, TagKeys=["b", "never there"])

    assert sqs.client.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "3", "c": ""}


def test_a_queue_can_be_made_with_tags(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Tag ops: CreateQueue takes tags too (API reference, CreateQueue)."""
    name = sqs.queue().rsplit("/", 1)[-1] + "-tagged"

    url = sqs.client.create_queue(QueueName=name, tags={"team": "blue"})["QueueUrl"]

    assert sqs.client.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "blue"}


def test_fifty_tags_are_the_most(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Tag ops; quotas [docs:quotas-queues]: more than 50 tags aren't recommended."""
    url = sqs.queue()
    sqs.client.tag_queue(QueueUrl=url, Tags={str(number): "x" for number in range(50)})

    refusal = sqs.refusal("tag_queue", QueueUrl=url, Tags={str(number): "y" for number in range(51)})

    assert refusal.code == "InvalidParameterValue"
    assert len(sqs.client.list_queue_tags(QueueUrl=url)["Tags"]) == 50


def test_a_permission_is_a_statement_of_the_policy(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy: 20 statements, 50 principals; AddPermission writes one."""
    url = sqs.queue()

    sqs.client.add_permission(QueueUrl=url, Label="there", AWSAccountIds=["111111111111"], Actions=["ReceiveMessage"])

    policy = json.loads(sqs.attribute(url, "Policy") or "")
    assert policy["Statement"] == [
        {
            "Sid": "there",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
            "Action": "SQS:ReceiveMessage",
            "Resource": sqs.arn(url),
        }
    ]


def test_a_label_is_used_once(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy 20 statements: each has a label of its own (API reference, AddPermission)."""
    url = sqs.queue()
    permission: dict[str, Any] = {
        "QueueUrl": url,
        "Label": "there",
        "AWSAccountIds": ["111111111111"],
        "Actions": ["SendMessage"],
    }
    sqs.client.add_permission(**permission)

    refusal = sqs.refusal("add_permission", **permission)

    assert refusal.message == "Value there for parameter Label is invalid. Reason: Already exists."


def test_at_most_seven_actions_are_permitted_at_once(sqs: Sqs) -> None:
    """facts/sqs.md section 1: OverLimit 403: AddPermission."""
    refusal = sqs.refusal(
        "add_permission",
        QueueUrl=sqs.queue(),
        Label="there",
        AWSAccountIds=["111111111111"],
        Actions=["SendMessage"] * 8,
    )

    assert (refusal.code, refusal.status) == ("OverLimit", 403)
    assert refusal.message == "8 Actions were found, maximum allowed is 7."


def test_what_is_the_owners_cannot_be_permitted(sqs: Sqs) -> None:
    """facts/sqs.md section 8: actions on the queue ARN; the owner's own cannot be given away by AddPermission."""
    refusal = sqs.refusal(
        "add_permission", QueueUrl=sqs.queue(), Label="x", AWSAccountIds=["111111111111"], Actions=["DeleteQueue"]
    )

    assert refusal.message == (
        "Value SQS:DeleteQueue for parameter ActionName is invalid. "
        "Reason: Only the queue owner is allowed to invoke this action."
    )


def test_a_permission_is_taken_away_by_its_label(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy 20 statements: with the last of them the policy is gone."""
    url = sqs.queue()
    sqs.client.add_permission(QueueUrl=url, Label="there", AWSAccountIds=["111111111111"], Actions=["*"])

    sqs.client.remove_permission(QueueUrl=url, Label="there")

    assert sqs.attribute(url, "Policy") is None


def test_a_label_that_is_not_there_cannot_be_taken_away(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy 20 statements: a permission is found by its label (API reference)."""
    url = sqs.queue()
    sqs.client.add_permission(QueueUrl=url, Label="there", AWSAccountIds=["111111111111"], Actions=["*"])

    refusal = sqs.refusal("remove_permission", QueueUrl=url, Label="not there")

    assert refusal.code == "InvalidParameterValue"
    assert "Value not there for parameter Label is invalid. Reason: can't find label" in refusal.message


def test_a_policy_is_json(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy 8,192 B, 20 statements: a JSON document."""
    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes={"Policy": "allow all"})

    assert refusal.code == "InvalidAttributeValue"


def test_a_policy_has_at_most_8192_bytes(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy 8,192 B."""
    policy = json.dumps({"Version": "2012-10-17", "Id": "x" * 8_192, "Statement": []})

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes={"Policy": policy})

    assert refusal.code == "InvalidAttributeValue"


def test_a_policy_has_at_most_twenty_statements(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Policy 20 statements."""
    url = sqs.queue()
    statement = {"Effect": "Allow", "Principal": "*", "Action": "SQS:SendMessage", "Resource": sqs.arn(url)}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement] * 21})

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})

    assert refusal.code == "InvalidAttributeValue"


@pytest.mark.parametrize(
    ("action", "entry"),
    [
        ("SendMessage", {"Id": "1", "MessageBody": "x"}),
        ("DeleteMessage", {"Id": "1", "ReceiptHandle": "x"}),
        ("ChangeMessageVisibility", {"Id": "1", "ReceiptHandle": "x", "VisibilityTimeout": 1}),
    ],
)
def test_a_batch_needs_the_permission_of_its_single_form(action: str, entry: dict[str, Any], ours: Ours) -> None:
    """facts/sqs.md section 8: sqs:ReceiveMessage, DeleteMessage, … on the queue ARN (batch variants use the same)."""
    url = ours.queue()

    with ours.denying(action):
        refusal = ours.refusal(f"{xform_name(action)}_batch", QueueUrl=url, Entries=[entry])

    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
