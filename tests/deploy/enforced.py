"""Roles that moto's IAM really checks: what a template's role allows, less an action at a time.

Rules kept here and nowhere else:

1. Moto knows an operation by its own name, where IAM lets the single operation's permission cover its batch: a role
   that may delete may delete in batches (facts of AWS; moto asks for `sqs:DeleteMessageBatch`).
2. Moto calls CloudWatch by the name of its endpoint, `monitoring:`, where IAM says `cloudwatch:`.
3. Moto asks for every action on the resource `*`. So the actions are proven here; which resource each is allowed on is
   proven by evaluating the policies (`test_template_permissions`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from tests.deploy.moto_server import MotoCloud

BATCHES = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}


def actions_of(role: dict[str, Any]) -> frozenset[str]:
    """The actions that a role of a template allows."""
    found: set[str] = set()
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = statement["Action"]
            found |= {actions} if isinstance(actions, str) else set(actions)
    return frozenset(found)


def credentials(cloud: MotoCloud, name: str, actions: Collection[str]) -> dict[str, str]:
    """Credentials of a new role that may do `actions`, as an environment has them."""
    clients = cloud.clients()
    role = clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    allowed = sorted({*map(as_moto, actions), *_batches(actions)})
    # IAM's limit for a role's inline policies is 10,240 characters; a deployer's list fits.
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    clients.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    given = clients.sts.assume_role(RoleArn=role, RoleSessionName="tested")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def as_moto(action: str) -> str:
    """The action as moto's IAM spells it."""
    return re.sub("^cloudwatch:", "monitoring:", action)


def _batches(actions: Iterable[str]) -> set[str]:
    return {BATCHES[action] for action in actions if action in BATCHES}
