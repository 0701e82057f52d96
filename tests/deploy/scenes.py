"""Deployments as they go in AWS, as scripts: what following them must tell, and what the screens must look like."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from tests.deploy.scripted_aws import (
    STACK,
    STACK_ID,
    ScriptedLogs,
    ScriptedService,
    ScriptedStack,
    Told,
    deployment,
    of_stack,
)

from forebay.clock import VirtualClock
from forebay.deploy.following import Follower, Picture, Screen
from forebay.deploy.last_words import LastWords
from forebay.deploy.progress import Progress
from forebay.deploy.services import ServiceWatch
from forebay.deploy.stack_values import StackState
from forebay.deploy.stacks import Stacks

SERVICE = "AWS::ECS::Service"
TASK = "AWS::ECS::TaskDefinition"

DESCRIPTIONS = {
    "Queue": "The queue that your jobs wait in",
    "TaskRole": "What your jobs and their worker may do in AWS",
    "TaskDefinition": "What a task is: your image, 0.25 vCPU, 512 MiB, its settings",
    "Service": "The service: keeps your tasks running",
}

FIRST = (
    of_stack(0.5, "CREATE_IN_PROGRESS", "User Initiated"),
    Told(1.0, "Queue", "CREATE_IN_PROGRESS", physical_id=""),
    Told(1.2, "TaskRole", "CREATE_IN_PROGRESS", kind="AWS::IAM::Role"),
    Told(17.5, "TaskRole", "CREATE_COMPLETE", kind="AWS::IAM::Role"),
    Told(18.0, "TaskDefinition", "CREATE_IN_PROGRESS", kind=TASK),
    Told(19.0, "TaskDefinition", "CREATE_COMPLETE", kind=TASK),
    Told(73.5, "Queue", "CREATE_COMPLETE"),
    Told(74.0, "Service", "CREATE_IN_PROGRESS", kind=SERVICE),
    Told(274.6, "Service", "CREATE_COMPLETE", kind=SERVICE),
    of_stack(275.0, "CREATE_COMPLETE"),
)

CANNOT_PULL = (
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
    "123456789012.dkr.ecr.eu-central-1.amazonaws.com/thumbnails: dial tcp 10.0.3.7:443: i/o timeout"
)
BREAKER = (
    "Resource handler returned message: Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
)

FAILED = (
    *FIRST[:8],
    Told(240.0, "Service", "CREATE_FAILED", BREAKER, kind=SERVICE),
    Told(240.1, "Other", "CREATE_FAILED", "Resource creation cancelled"),
    of_stack(240.5, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Service]."),
    Told(241.0, "Service", "DELETE_IN_PROGRESS", kind=SERVICE),
    Told(271.0, "Service", "DELETE_COMPLETE", kind=SERVICE),
    Told(272.0, "Queue", "DELETE_IN_PROGRESS"),
    Told(273.0, "Queue", "DELETE_COMPLETE"),
    of_stack(280.0, "ROLLBACK_COMPLETE"),
)

UPDATE = (
    of_stack(0.5, "UPDATE_IN_PROGRESS", "User Initiated"),
    Told(3.0, "TaskDefinition", "UPDATE_IN_PROGRESS", "Requested update requires the creation", "task:1", TASK),
    Told(4.0, "TaskDefinition", "UPDATE_IN_PROGRESS", "Resource creation Initiated", "task:2", TASK),
    Told(5.0, "TaskDefinition", "UPDATE_COMPLETE", "", "task:2", TASK),
    Told(6.0, "Service", "UPDATE_IN_PROGRESS", kind=SERVICE),
    Told(96.0, "Service", "UPDATE_COMPLETE", kind=SERVICE),
    of_stack(97.0, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    Told(98.0, "TaskDefinition", "DELETE_IN_PROGRESS", "", "task:1", TASK),
    Told(99.0, "TaskDefinition", "DELETE_COMPLETE", "", "task:1", TASK),
    of_stack(100.0, "UPDATE_COMPLETE"),
)

REVIEWED = [of_stack(-1.0, "REVIEW_IN_PROGRESS", "User Initiated")]
DEPLOYED_BEFORE = [of_stack(-500.0, "CREATE_IN_PROGRESS", "User Initiated"), of_stack(-100.0, "CREATE_COMPLETE")]

STEADY = (
    (80.0, {"deployments": [deployment(pending=2)], "events": []}),
    (150.0, {"deployments": [deployment(running=1, pending=1)], "events": []}),
    (274.0, {"deployments": [deployment(rollout="COMPLETED", running=2)], "events": []}),
)

ROLLING = (
    (0.0, {"deployments": [deployment(revision=1, rollout="COMPLETED", running=2)]}),
    (
        10.0,
        {
            "deployments": [
                deployment("ACTIVE", 1, "COMPLETED", running=2),
                deployment("PRIMARY", 2, running=1, pending=1),
            ]
        },
    ),
    (60.0, {"deployments": [deployment("PRIMARY", 2, "COMPLETED", running=2)]}),
)


class Recorder:
    """A screen that keeps what it is shown."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []

    def show(self, picture: Picture) -> None:
        self.pictures.append(picture)

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [(row.logical_id, row.status) for picture in self.pictures for row in picture.changed]


def failing_service(clock: VirtualClock) -> ScriptedService:
    """A service whose tasks cannot pull their image: three stopped tasks, two reasons."""
    start_utc = clock.utc()

    def stopped(number: int, at_s: float, reason: str, **more: Any) -> dict[str, Any]:
        arn = f"arn:aws:ecs:eu-central-1:123456789012:task/{STACK}/{number:032x}"
        return {"taskArn": arn, "stoppedReason": reason, "stoppedAt": start_utc + timedelta(seconds=at_s), **more}

    crashed = {"containers": [{"name": "worker", "exitCode": 2}]}
    services = [
        (80.0, {"deployments": [deployment(pending=2)], "events": []}),
        (120.0, {"deployments": [deployment(failed=2, pending=2)], "events": []}),
        (
            200.0,
            {
                "deployments": [deployment(failed=3, rollout="FAILED")],
                "events": [
                    {
                        "id": "1",
                        "createdAt": start_utc + timedelta(seconds=190),
                        "message": "(service thumbnails) deployment ecs-svc/1 failed: tasks failed to start.",
                    },
                    {
                        "id": "2",
                        "createdAt": start_utc + timedelta(seconds=80),
                        "message": "(service thumbnails) has started 2 tasks.",
                    },
                ],
            },
        ),
    ]
    tasks = [
        stopped(0xA1 << 120, 100.0, CANNOT_PULL),
        stopped(0xB2 << 120, 115.0, CANNOT_PULL.replace("10.0.3.7", "10.0.4.9")),
        stopped(0xC3 << 120, 180.0, "Essential container in task exited", **crashed),
        stopped(0xD4 << 120, 185.0, "Scaling activity initiated by (deployment ecs-svc/1)"),
        stopped(0xE5 << 120, -40.0, "Essential container in task exited"),
    ]
    return ScriptedService(clock, services, tasks)


REFUSAL = (
    "Traceback (most recent call last):",
    "ModuleNotFoundError: No module named 'PIL'",
    "forebay: TARGET: importing 'jobs' failed: ModuleNotFoundError",
)


def failing_logs(clock: VirtualClock) -> ScriptedLogs:
    """What the task with exit code 2 wrote; CloudWatch has it some seconds after the task has stopped."""
    return ScriptedLogs(clock, {"c3": (205.0, REFUSAL)})


def follow(
    stack: ScriptedStack, screen: Screen, *, service: ScriptedService | None = None, title: str = "Creating",
    planned: tuple[tuple[str, str], ...] = (), logs: ScriptedLogs | None = None,
) -> StackState:  # fmt: skip
    """Follow the stack's script from now on to its end."""
    watch = None
    if service is not None:
        words = LastWords(cast("Any", logs), f"/forebay/{STACK}") if logs is not None else None
        watch = ServiceWatch(cast("Any", service), cluster=STACK, service="thumbnails", last_words=words)
    progress = Progress(STACK, f"{title} the infrastructure for stack {STACK}", DESCRIPTIONS, planned=planned)
    stacks = Stacks(cast("Any", stack), pause=stack.pause)
    follower = Follower(stacks, watch, progress, clock=stack.clock, pause=stack.pause, screen=screen)
    return follower.follow(STACK_ID, since=f"event-{len(stack.past) - 1}")
