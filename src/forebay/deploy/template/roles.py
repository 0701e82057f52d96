"""What the tasks may do, and what ECS may do to start them. Pure.

Rules kept here and nowhere else:

1. The task role has what a worker calls, on its own queues and on the tasks of its own cluster, and what the manifest
   adds. A test records a worker's calls and holds the list against them, both ways.
2. ECS may take a role only for a task of this account: another account that names our role in its own task definition
   gets nothing (the confused deputy).
3. No managed policies: they allow reading every image and writing every log of the account.
4. Policies are inline, so a role that is there has them: no task can start before its permissions.
"""

from __future__ import annotations

import re

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.surroundings import Permission
from forebay.deploy.names import Names
from forebay.deploy.template import cluster, contract, secrets
from forebay.deploy.template.intrinsics import Json, Piece, allow, arn, get_att, ref, resource, sub

_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<repository>[\w./-]+)"
)


def piece(manifest: Manifest, names: Names, statements: tuple[Json, ...]) -> Piece:
    """Return the two roles; `statements` is what other pieces want for the task."""
    task = [*statements, *_protection(manifest, names), *_exec(manifest)]
    task += [_permission(number, given) for number, given in enumerate(manifest.permissions, start=1)]
    return Piece(
        resources={
            contract.TASK_ROLE: _role("What your jobs and their worker may do in AWS", "worker", task),
            contract.EXECUTION_ROLE: _role(
                "What ECS may do to start a task: fetch the image, write the log, read the secrets",
                "start",
                [*_image(manifest, names), _log(), *secrets.statements(manifest)],
            ),
        },
    )


def _role(description: str, policy: str, statements: list[Json]) -> Json:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")},
            "ArnLike": {"aws:SourceArn": arn("ecs", "*")},
        },
    }
    return resource(
        "AWS::IAM::Role",
        description,
        {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {"PolicyName": policy, "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}},
            ],
        },
    )


def _protection(manifest: Manifest, names: Names) -> list[Json]:
    """Return the protection of the cluster's tasks. IAM has no way to say: only the task that asks."""
    if manifest.run.protect == "never":
        return []
    tasks = arn("ecs", f"task/{cluster.cluster_name(manifest, names)}/*")
    return [allow(["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], tasks, sid="ProtectTasks")]


def _exec(manifest: Manifest) -> list[Json]:
    if not manifest.exec:
        return []
    channels = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]
    return [allow(channels, "*", sid="SessionsInTheContainer")]


def _permission(number: int, given: Permission) -> Json:
    return allow(given.actions, list(given.resources), sid=f"OfTheManifest{number}", condition=given.conditions)


def _image(manifest: Manifest, names: Names) -> list[Json]:
    """Return how the image is fetched: from the service's own repository, from another of ECR, or from elsewhere."""
    repository = arn("ecr", f"repository/{names.repository}")
    if manifest.image.location is not None:
        named = _ECR_IMAGE.match(manifest.image.location)
        if named is None:
            return []
        repository = sub(
            f"arn:${{AWS::Partition}}:ecr:{named['region']}:{named['account']}:repository/{named['repository']}"
        )
    reads = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [allow(["ecr:GetAuthorizationToken"], "*", sid="EnterEcr"), allow(reads, repository, sid="FetchTheImage")]


def _log() -> Json:
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], get_att(contract.LOG_GROUP, "Arn"), sid="WriteTheLog")
