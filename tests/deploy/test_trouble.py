"""Each way in which AWS can say no, tried through boto3 itself, is told in one sentence with its remedy."""

from __future__ import annotations

import json
import socket

import pytest
from botocore.exceptions import ClientError
from tests.deploy.moto_server import MotoCloud

from forebay.deploy.clients import Clients
from forebay.deploy.trouble import explained, told
from forebay.errors import DeployError


def sentence(clients: Clients | None = None) -> str:
    with pytest.raises(DeployError) as caught, explained("reading the stack"):
        (clients or Clients()).cloudformation.describe_stacks(StackName="thumbnails-test")
    text = str(caught.value)
    assert "\n" not in text
    return text


def refused(code: str, message: str = "Rate exceeded") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


def test_missing_credentials_are_told_with_the_ways_to_give_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    text = sentence()

    assert text.startswith("reading the stack: no AWS credentials are found (NoCredentialsError)")
    assert "aws sso login" in text


def test_half_of_the_credentials_are_told_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert "no AWS credentials are found (PartialCredentialsError)" in sentence()


def test_a_missing_region_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert "no AWS Region is set: set AWS_REGION" in sentence()


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "shop-admin")

    with pytest.raises(DeployError) as caught, explained("reading the stack"):
        Clients()

    assert "there is no AWS profile 'shop-admin' (AWS_PROFILE)" in str(caught.value)


def test_an_endpoint_where_nobody_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

        text = sentence()

    assert f"{endpoint}/ cannot be reached (EndpointConnectionError)" in text


def test_credentials_that_aws_does_not_know_are_told(moto_cloud: MotoCloud) -> None:
    moto_cloud.check_permissions()

    assert "AWS does not accept the credentials (InvalidClientTokenId)" in sentence()


def test_a_missing_permission_is_told_with_its_name_and_who_lacks_it(
    moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = moto_cloud.clients().iam
    iam.create_user(UserName="ci")
    allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    iam.put_user_policy(
        UserName="ci", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    moto_cloud.check_permissions()

    assert sentence().startswith(
        "reading the stack: arn:aws:iam::123456789012:user/ci lacks the permission cloudformation:DescribeStacks"
    )


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "the credentials have expired"),
        ("Throttling", "Rate exceeded", "AWS asks for fewer requests (Throttling)"),
        ("RequestTimeTooSkewed", "", "this machine's clock differs"),
        ("OptInRequired", "", "has not signed up"),
        ("LimitExceeded", "too many stacks", "AWS says LimitExceeded: too many stacks"),
        (
            "403",
            "<Message>User: arn:ci is not authorized to perform: ecs:DescribeServices</Message>\n</Error>",
            "arn:ci lacks the permission ecs:DescribeServices: add it",
        ),
        ("Strange", "two\nlines", "AWS says Strange: two lines"),
        ("AccessDenied", "no", "access denied to DescribeStacks: no; add that permission"),
        (
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/ci/x is not "
            "authorized to perform: ec2:DescribeVpcs because no identity-based policy allows it",
            "arn:aws:sts::1:assumed-role/ci/x lacks the permission ec2:DescribeVpcs: add it",
        ),
    ],
)
def test_a_refusal_is_told_by_what_it_means(code: str, message: str, said: str) -> None:
    assert said in str(told(refused(code, message), doing="looking at the stack"))


def test_what_is_no_error_of_aws_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), explained("counting"):
        _ = 1 / 0
