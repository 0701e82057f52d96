"""A role that is live, with every policy that it has: inline ones and attached ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from forebay.deploy.deployed.reading import Reading
from forebay.deploy.doctor.facts import Role
from forebay.deploy.policies import Statement, statements


def role(reading: Reading, arn: object) -> Role | None:
    """Return the role of this ARN; None when there is none, or it may not be read."""
    if not arn:
        return None
    name = str(arn).rpartition("/")[2]
    iam = reading.clients.iam
    found = reading.of("iam", f"role {name}", lambda: iam.get_role(RoleName=name)["Role"])
    if found is None:
        return None
    documents = reading.of("iam", f"policies of role {name}", lambda: list(_documents(reading, name)))
    granted: list[Statement] = []
    for document in documents or ():
        granted += statements(document)
    return Role(
        place=f"live role {name}",
        name=name,
        trust=statements(found.get("AssumeRolePolicyDocument")),
        statements=tuple(granted),
        is_whole=documents is not None,
    )


def _documents(reading: Reading, name: str) -> Iterator[Any]:
    iam = reading.clients.iam
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=name):
        for policy in page["PolicyNames"]:
            yield iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    for attached in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for managed in attached["AttachedPolicies"]:
            arn = managed.get("PolicyArn", "")
            version = iam.get_policy(PolicyArn=arn)["Policy"].get("DefaultVersionId", "v1")
            yield iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"].get("Document")
