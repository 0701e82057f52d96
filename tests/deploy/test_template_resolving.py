"""What a template's values come to: references, functions and conditions, and what stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.deploy.template.intrinsics import Json, get_att, ref, sub
from forebay.deploy.template.resolving import Account, resolved

WHERE = Account(region="eu-west-1", number="210987654321")
QUEUE: Json = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": sub("${AWS::Region}-jobs")}}


def value(written: Any, **template: Json) -> Any:
    """What `written` comes to, as a property of a resource beside a queue, a key and a role."""
    resources: Json = {
        "Queue": QUEUE,
        "Key": {"Type": "AWS::KMS::Key"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "It": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": written}},
    }
    found = resolved({"Resources": resources, **template}, WHERE, {"Given": "given"})
    return found["It"].properties.get("Value", "taken away")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("text", "text"),
        (ref("Queue"), "https://sqs.eu-west-1.amazonaws.com/210987654321/eu-west-1-jobs"),
        (get_att("Queue", "Arn"), "arn:aws:sqs:eu-west-1:210987654321:eu-west-1-jobs"),
        (get_att("Queue", "QueueName"), "eu-west-1-jobs"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:aws:sqs:eu-west-1:210987654321:eu-west-1-jobs"),
        (get_att("Key", "Arn"), "arn:aws:kms:eu-west-1:210987654321:key/${Key}"),
        (get_att("Role", "Arn"), "arn:aws:iam::210987654321:role/${Role}"),
        (ref("Role"), "${Role}"),
        (ref("Topic"), "arn:aws:sns:eu-west-1:210987654321:${Topic}"),
        (
            sub("${AWS::AccountId}/${Queue.Arn}/${!Literal}"),
            "210987654321/arn:aws:sqs:eu-west-1:210987654321:eu-west-1-jobs/${Literal}",
        ),
        (sub("${a}-${b}", a="x", b=ref("AWS::Region")), "x-eu-west-1"),
        ({"Fn::Join": ["-", ["a", ref("AWS::Region")]]}, "a-eu-west-1"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::ImportValue": "ring"}, "${Fn::ImportValue}"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "${Fn::Select.0}"),
        (ref("AWS::NoValue"), "taken away"),
        ([ref("AWS::NoValue"), "kept"], ["kept"]),
        ({"inner": ref("AWS::NoValue"), "kept": 1}, {"kept": 1}),
    ],
)
def test_functions_come_to_what_cloudformation_would_make_of_them(written: Any, expected: Any) -> None:
    assert value(written) == expected


def test_parameters_are_what_is_given_else_their_default_else_unknown() -> None:
    parameters: Json = {
        "Given": {"Default": "not this"},
        "Known": {"Default": "default"},
        "Unknown": {"Type": "String"},
    }

    found = value([ref("Given"), ref("Known"), ref("Unknown")], Parameters=parameters)

    assert found == ["given", "default", "${Unknown}"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Fn::Equals": [ref("Given"), "given"]}, "yes"),
        ({"Fn::Not": [{"Fn::Equals": [ref("Given"), "given"]}]}, "no"),
        ({"Fn::And": [{"Condition": "True"}, {"Fn::Equals": ["a", "b"]}]}, "no"),
        ({"Fn::Or": [{"Condition": "True"}, {"Fn::Equals": ["a", "b"]}]}, "yes"),
    ],
)
def test_conditions_are_decided_by_what_is_known(condition: Json, expected: str) -> None:
    conditions: Json = {"It": condition, "True": {"Fn::Equals": ["a", "a"]}}

    found = value({"Fn::If": ["It", "yes", "no"]}, Conditions=conditions, Parameters={"Given": {"Type": "String"}})

    assert found == expected


def test_a_resource_whose_condition_does_not_hold_is_not_there() -> None:
    template: Json = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"Queue": {**QUEUE, "Condition": "Never"}},
    }

    assert resolved(template) == {}
