"""AWS's own words for what does not start, and the hint that each must get."""

from __future__ import annotations

import pytest

from forebay.deploy.hints import NO_PATH, RESOURCE_HINTS, TASK_HINTS, Hint, resource_hint, task_hint

PULL = "CannotPullContainerError: "
INIT = "ResourceInitializationError: unable to pull secrets or registry auth: "

TASK_REASONS = {
    "image-architecture": "exec /usr/bin/forebay: exec format error, container worker: exit code 255",
    "image-missing": PULL + "pull image manifest: 123.dkr.ecr.eu-central-1.amazonaws.com/thumbnails:1: not found",
    "image-denied": PULL + "unexpected status from HEAD request: 403 Forbidden",
    "image-rate": PULL + "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit",
    "image-disk": PULL + "failed to register layer: write /app: no space left on device",
    "image-path": PULL + "pull image manifest has been retried 5 time(s): failed to resolve ref: dial tcp: i/o timeout",
    "secret-missing": INIT + "execution resource retrieval failed: invalid ssm parameters: /shop/token",
    "secret-denied": INIT
    + "AccessDeniedException: User: arn is not authorized to perform: secretsmanager:GetSecretValue",
    "secret-key": "ResourceInitializationError: retrieved secret did not contain json key password",
    "log-group": "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon "
    "CloudWatch log group defined in the task definition",
    "no-path": INIT + "RequestError: send request failed caused by: Post: dial tcp 3.1.2.3:443: i/o timeout",
    "out-of-memory": "OutOfMemoryError: Container killed due to memory usage, container worker: exit code 137",
    "killed": "Essential container in task exited, container worker: exit code 137",
    "settings": "Essential container in task exited, container worker: exit code 2",
    "service-refused": "Essential container in task exited, container worker: exit code 1",
    "no-command": 'CannotStartContainerError: exec: "forebay": executable file not found in $PATH',
    "permissions-of-files": "OSError: [Errno 30] Read-only file system: '/app/cache'",
    "crash": "Essential container in task exited, container worker: exit code 139",
    "health": "Task failed container health checks",
    "capacity": "RESOURCE:MEMORY: Capacity is unavailable at this time. Please try again later",
    "spot": "Your Spot Task was interrupted.",
    "quota": "You've reached the limit on the number of vCPUs you can run concurrently",
    "role": "was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task",
    "addresses": "There are not enough free addresses in subnet: InsufficientFreeAddressesInSubnet",
    "breaker": "rolling back to deployment ecs-svc/1",
}

RESOURCE_REASONS = {
    "zones": "Template error: Fn::Select  cannot select nonexistent value at index 2",
    "service-exists": "Invalid request provided: CreateService error: Creation of service was not idempotent.",
    "bucket-not-empty": "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)",
    "exists": "Resource of type 'AWS::SQS::Queue' with identifier {https://sqs…} already exists.",
    "capacity-provider": "The specified capacity provider FARGATE_SPOT was not found. (Service: Ecs, Status Code: 400)",
    "recently-deleted": "You must wait 60 seconds after deleting a queue before you can create another.",
    "linked-role": "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
    "denied": "User: arn:aws:iam::1:user/ci is not authorized to perform: sqs:CreateQueue",
    "limit": "The maximum number of VPCs has been reached. (Service: Ec2, VpcLimitExceeded)",
    "stabilise": "Resource timed out: did not stabilize",
    "breaker": "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.",
    "role": "ECS was unable to assume the role 'arn'",
}


def hint_named(hints: tuple[Hint, ...], name: str) -> Hint:
    return next(hint for hint in hints if hint.name == name)


@pytest.mark.parametrize("name", TASK_REASONS)
def test_a_task_that_did_not_start_gets_the_hint_for_its_reason(name: str) -> None:
    assert task_hint(TASK_REASONS[name]) == hint_named(TASK_HINTS, name).remedy


@pytest.mark.parametrize("name", RESOURCE_REASONS)
def test_a_resource_that_failed_gets_the_hint_for_its_reason(name: str) -> None:
    assert resource_hint(RESOURCE_REASONS[name]) == hint_named(RESOURCE_HINTS, name).remedy


def test_every_hint_has_a_reason_here_that_it_is_given_for() -> None:
    assert {hint.name for hint in TASK_HINTS} == set(TASK_REASONS)
    assert {hint.name for hint in RESOURCE_HINTS} == set(RESOURCE_REASONS)


@pytest.mark.parametrize(
    "reason",
    [
        "(service thumbnails) has started 2 tasks.",
        "Essential container in task exited",
        "container worker: exit code 12",
        "container worker: exit code 20",
    ],
)
def test_what_needs_no_hint_gets_none(reason: str) -> None:
    assert task_hint(reason) is None


def test_the_commonest_of_all_names_every_way_to_aws() -> None:
    for word in ("public IP", "NAT gateway", "ecr.api", "ecr.dkr", "logs", "sqs", "ecs", "S3"):
        assert word in NO_PATH
