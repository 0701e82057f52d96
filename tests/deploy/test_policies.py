"""What IAM policies allow: denials, wildcards and conditions, as the pages of IAM give them."""

from __future__ import annotations

import pytest

from forebay.deploy.policies import Decision, decide, statements
from forebay.deploy.template.intrinsics import Json

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:thumbnails"


def policy(*written: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(written)}


def allow(action: object, resource: object = "*", **more: object) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("sqs:ReceiveMessage", QUEUE, Decision.ALLOWED),
        ("SQS:receivemessage", QUEUE, Decision.ALLOWED),
        ("sqs:*", QUEUE, Decision.ALLOWED),
        ("sqs:Receive*", "arn:aws:sqs:*:*:thumb*", Decision.ALLOWED),
        ("sqs:ReceiveMessag?", "*", Decision.ALLOWED),
        ("*", "*", Decision.ALLOWED),
        ("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:123456789012:Thumbnails", Decision.NOT_GRANTED),
        ("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:123456789012:thumbnails-dead", Decision.NOT_GRANTED),
        ("sqs:SendMessage", QUEUE, Decision.NOT_GRANTED),
        ("sqs.ReceiveMessage", QUEUE, Decision.NOT_GRANTED),
    ],
)
def test_actions_are_compared_without_regard_to_case_and_resources_with_it(
    action: str, resource: str, decision: Decision
) -> None:
    assert decide(statements(policy(allow(action, resource))), "sqs:ReceiveMessage", QUEUE) is decision


def test_a_deny_goes_before_every_allow_wherever_it_stands() -> None:
    granted = statements(policy(allow("sqs:*"), {"Effect": "Deny", "Action": "sqs:Delete*", "Resource": "*"}))

    assert decide(granted, "sqs:DeleteMessage", QUEUE) is Decision.DENIED
    assert decide(reversed(granted), "sqs:DeleteMessage", QUEUE) is Decision.DENIED
    assert decide(granted, "sqs:ReceiveMessage", QUEUE) is Decision.ALLOWED


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "decision"),
    [
        ("StringEquals", "a", "a", Decision.ALLOWED),
        ("StringEquals", ["b", "a"], "a", Decision.ALLOWED),
        ("StringEquals", "A", "a", Decision.NOT_GRANTED),
        ("StringEqualsIgnoreCase", "A", "a", Decision.ALLOWED),
        ("StringNotEquals", "a", "a", Decision.NOT_GRANTED),
        ("StringNotEquals", ["b", "c"], "a", Decision.ALLOWED),
        ("StringLike", "a*", "abc", Decision.ALLOWED),
        ("StringNotLike", "a*", "abc", Decision.NOT_GRANTED),
        ("ArnLike", "arn:aws:ecs:*", "arn:aws:ecs:eu-west-1:1:task/c/1", Decision.ALLOWED),
        ("ForAnyValue:StringLike", "a*", "abc", Decision.ALLOWED),
        ("Bool", True, "true", Decision.ALLOWED),
        ("Bool", "false", "true", Decision.NOT_GRANTED),
        ("Null", "false", "here", Decision.ALLOWED),
        ("StringEqualsIfExists", "a", None, Decision.ALLOWED),
        ("StringEquals", "a", None, Decision.CONDITIONAL),
        ("IpAddress", "10.0.0.0/8", "10.1.1.1", Decision.CONDITIONAL),
    ],
)
def test_conditions_hold_or_not_or_are_left_open(
    operator: str, wanted: object, value: str | None, decision: Decision
) -> None:
    granted = statements(policy(allow("sqs:*", Condition={operator: {"aws:SomeKey": wanted}})))
    context = {} if value is None else {"AWS:somekey": value}

    assert decide(granted, "sqs:SendMessage", QUEUE, context) is decision


def test_a_deny_whose_condition_does_not_hold_denies_nothing() -> None:
    without_tls = {
        "Effect": "Deny",
        "Action": "sqs:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    granted = statements(policy(allow("sqs:*"), without_tls))

    assert decide(granted, "sqs:SendMessage", QUEUE, {"aws:SecureTransport": "true"}) is Decision.ALLOWED
    assert decide(granted, "sqs:SendMessage", QUEUE, {"aws:SecureTransport": "false"}) is Decision.DENIED


def test_what_is_not_named_is_meant_by_not_action_and_not_resource() -> None:
    granted = statements(policy({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"}))

    assert decide(granted, "sqs:SendMessage", QUEUE) is Decision.ALLOWED
    assert decide(granted, "iam:PassRole", QUEUE) is Decision.NOT_GRANTED
    assert decide(granted, "s3:GetObject", "arn:aws:s3:::secret/key") is Decision.NOT_GRANTED


def test_a_single_statement_and_single_values_need_no_list() -> None:
    (statement,) = statements({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"}})

    assert statement.principals == ("AWS:*",)
    assert statement.covers(QUEUE)


@pytest.mark.parametrize(
    "document", [None, "text", {}, {"Statement": []}, {"Statement": ["text", {"Effect": "Maybe"}]}]
)
def test_what_is_no_policy_grants_nothing(document: object) -> None:
    assert statements(document) == ()
