"""What to do about the reasons that AWS gives when something does not start. Pure.

Rules kept here and nowhere else:

1. The first hint that fits is told, so the narrow ones stand before the wide ones.
2. A hint names a cause that the text proves or the most common one, and a remedy that can be typed or looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hint:
    """A pattern of AWS's words, and the remedy."""

    name: str
    pattern: re.Pattern[str]
    remedy: str


def _hint(name: str, pattern: str, remedy: str) -> Hint:
    return Hint(name, re.compile(pattern, re.IGNORECASE), remedy)


NO_PATH = (
    "the task cannot reach AWS. Its subnets need a public IP (`egress: public_ip` in subnets with a route to an "
    "internet gateway), a NAT gateway, or endpoints for ecr.api, ecr.dkr, logs, sqs, ecs and a gateway to S3"
)

TASK_HINTS = (
    _hint(
        "image-architecture",
        r"exec format error|image manifest does not contain descriptor matching platform",
        "the image is for another processor: set `architecture: arm64` or `x86_64` to what it was built for, or build "
        "it for this one",
    ),
    _hint(
        "image-missing",
        r"CannotPull(Container)?(Image)?(Error|Manifest).*(not found|manifest unknown|does not exist|NotFound)",
        "there is no such image: deploy without `--image`, or push it first, and keep ECR's lifecycle rule from "
        "expiring images in use",
    ),
    _hint(
        "image-denied",
        r"CannotPull.*(denied|forbidden|403|no basic auth|unauthorized)",
        "the execution role may not pull the image: a repository of another account needs a policy for this one",
    ),
    _hint(
        "image-rate", r"CannotPull.*(toomanyrequests|rate limit)", "the registry limits pulls: copy the image to ECR"
    ),
    _hint(
        "image-disk",
        r"CannotPull.*no space left|no space left on device",
        "the image and its data need more room than 20 GiB: set `disk:` in the manifest",
    ),
    _hint("image-path", r"CannotPull.*", NO_PATH),
    _hint(
        "secret-missing",
        r"ResourceInitializationError.*(ResourceNotFoundException|invalid ssm parameters|ParameterNotFound|can't find)",
        "a secret of `secrets:` does not exist in this Region: create it, or correct its name",
    ),
    _hint(
        "secret-denied",
        r"ResourceInitializationError.*(AccessDenied|not authorized)",
        "the execution role may not read a secret or its key: name the secret in `secrets:` by its ARN, the key in "
        "`secrets_keys:`, and let the key's policy allow the role",
    ),
    _hint(
        "secret-key",
        r"ResourceInitializationError.*(json key|invalid character|unexpected end of JSON)",
        "the secret is not JSON, or has no such key: look at the part of the ARN after the secret's name",
    ),
    _hint(
        "log-group",
        r"ResourceInitializationError.*(log group|log stream|CloudWatch|create-group)",
        "the log group is missing or unreachable: deploy again if somebody deleted it, and look at the network",
    ),
    _hint("no-path", r"ResourceInitializationError|i/o timeout|context deadline exceeded|request canceled", NO_PATH),
    _hint(
        "out-of-memory",
        r"OutOfMemory|exit code 137\b.*memory",
        "the container needs more memory than it has: raise `memory:`, or lower `run: slots:` or `run: buffer_bytes:`",
    ),
    _hint(
        "killed",
        r"exit code 137\b",
        "the container was killed: it used too much memory (raise `memory:`), or did not end within `stop_timeout`",
    ),
    _hint(
        "settings",
        r"exit code 2\b",
        "the worker refused its settings or its handler: `forebay logs --previous` shows the sentence, and "
        "`forebay doctor --settings` tries the same here",
    ),
    _hint(
        "service-refused",
        r"exit code 1\b",
        "the worker gave up: a service said no for good (queue, permission, credentials), a start hook raised, or code "
        "did not end. Its last lines say which: `forebay logs --previous`",
    ),
    _hint(
        "no-command",
        r"exit code 12[67]\b|executable file not found|no such file or directory",
        "the image has no `forebay` to start: its ENTRYPOINT must be `forebay`, as the generated Dockerfile has it",
    ),
    _hint(
        "permissions-of-files",
        r"read-only file system|permission denied",
        "the container's root file system is read-only and its user is 10001: write under /tmp only. A Dockerfile of "
        'your own needs `VOLUME ["/tmp"]`, or /tmp is root\'s',
    ),
    _hint("crash", r"exit code 139\b|exit code 134\b", "native code crashed: look at the wheels that the image holds"),
    _hint(
        "health",
        r"failed container health checks|is unhealthy",
        "`forebay health` did not answer in time: is the task starved of CPU, or `run: health:` changed?",
    ),
    _hint(
        "capacity",
        r"capacity is unavailable|Capacity is unavailable at this time|RESOURCE:(CPU|MEMORY)",
        "Fargate has no room in these zones now: try again, allow more subnets, or lower `spot: percent:`",
    ),
    _hint(
        "spot",
        r"spot interruption|Your Spot Task was interrupted",
        "Fargate took Spot capacity back: this is expected; keep some tasks on demand with `spot: base:`",
    ),
    _hint("quota", r"limit on the number of|vCPU limit|You've reached the limit", "ask for a higher Fargate quota"),
    _hint(
        "role",
        r"unable to assume the role|not authorized to perform: sts:AssumeRole|role .* cannot be assumed",
        "ECS may not take the task's roles yet: IAM needs some seconds after a change; it tries again by itself",
    ),
    _hint("addresses", r"no(t enough)? free (ip )?addresses|InsufficientFreeAddresses", "use larger or more subnets"),
    _hint(
        "breaker",
        r"circuit breaker|rolling back to deployment",
        "new tasks did not stay up, so ECS went back: the stopped tasks above say why",
    ),
)

RESOURCE_HINTS = (
    _hint(
        "zones",
        r"Fn::Select\s+cannot select nonexistent value",
        "this Region has fewer zones than `network: zones:` asks for: ask for fewer",
    ),
    _hint(
        "service-exists",
        r"Creation of service was not idempotent",
        "a service of this name runs in the cluster of `cluster:` already: two environments cannot share a cluster, "
        "since their services have one name",
    ),
    _hint(
        "bucket-not-empty",
        r"BucketNotEmpty|bucket you tried to delete is not empty",
        "CloudFormation deletes no bucket that holds objects: `aws s3 rm s3://NAME --recursive`, then again",
    ),
    _hint(
        "exists",
        r"already exists",
        "something of that name is there and not in this stack: delete or rename it, or use another environment name",
    ),
    _hint(
        "recently-deleted",
        r"QueueDeletedRecently|wait 60 seconds after deleting",
        "SQS wants a minute between deleting a queue and making one of its name: deploy again then",
    ),
    _hint(
        "capacity-provider",
        r"capacity provider.*(not found|not associated|is not valid)",
        "the cluster of `cluster:` does not know it: `aws ecs put-cluster-capacity-providers` with FARGATE and "
        "FARGATE_SPOT, or leave `cluster:` out",
    ),
    _hint(
        "linked-role",
        r"service.linked role",
        "the account's first use of ECS makes a role that is not there yet: deploy again, or run "
        "`aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`",
    ),
    _hint(
        "denied",
        r"is not authorized to perform|AccessDenied|not authorized",
        "the identity that deploys lacks this permission",
    ),
    _hint("limit", r"LimitExceeded|maximum number of|quota", "ask for a higher quota, or delete what is not needed"),
    _hint(
        "stabilise",
        r"did not stabilize|Exceeded attempts to wait",
        "the service never became steady: see the stopped tasks; protected ones hold a deployment up to three hours",
    ),
    *(hint for hint in TASK_HINTS if hint.name in ("breaker", "role")),
)


def task_hint(reason: str) -> str | None:
    """Return what to do about a reason for which a task stopped or did not start."""
    return _first(TASK_HINTS, reason)


def resource_hint(reason: str) -> str | None:
    """Return what to do about a reason for which a resource failed."""
    return _first(RESOURCE_HINTS, reason)


def _first(hints: tuple[Hint, ...], reason: str) -> str | None:
    return next((hint.remedy for hint in hints if hint.pattern.search(reason)), None)
