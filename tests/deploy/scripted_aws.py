"""CloudFormation and ECS that play a script in virtual time, through the same calls as boto3's clients.

Rules kept here and nowhere else:

1. Time passes only in `pause`, which is what the code under test does between two looks.
2. Answers have AWS's shapes: events newest first and in pages, NextToken, errors as `ClientError`.
3. A stack's status is what its own last event says, as in AWS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

from botocore.exceptions import ClientError, EndpointConnectionError

from forebay.clock import VirtualClock
from forebay.deploy.stack_values import ENVIRONMENT_TAG, SERVICE_TAG, STACK_KIND

STACK = "thumbnails-test"
STACK_ID = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{STACK}/0000"
OUR_TAGS = {SERVICE_TAG: "thumbnails", ENVIRONMENT_TAG: "test"}


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a script: so many seconds after its beginning."""

    at_s: float
    logical_id: str
    status: str
    reason: str = ""
    physical_id: str | None = None
    kind: str = "AWS::SQS::Queue"


def of_stack(at_s: float, status: str, reason: str = "") -> Told:
    return Told(at_s, STACK, status, reason, STACK_ID, STACK_KIND)


def refused(code: str, operation: str, message: str = "Rate exceeded", status: int = 400) -> ClientError:
    shape = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(cast("Any", shape), operation)


def unreachable() -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com/")


class Failing:
    """Raises what is planned for an operation, call by call."""

    def __init__(self) -> None:
        self.planned: dict[str, list[Exception | None]] = {}
        self.calls: list[str] = []

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        planned = self.planned.get(operation)
        if planned and (error := planned.pop(0)) is not None:
            raise error


@dataclass
class ScriptedStack(Failing):
    """One stack of CloudFormation."""

    clock: VirtualClock
    past: list[Told] = field(default_factory=list)
    """What happened before: at negative times of the script."""
    script: Sequence[Told] = ()
    """What happens once it is started."""
    later: list[Sequence[Told]] = field(default_factory=list)
    """What happens at each further start."""
    page_size: int = 100
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=lambda: OUR_TAGS)
    template: Any = field(default_factory=dict)
    template_metadata: str = ""
    change_set_pages: list[dict[str, Any]] = field(default_factory=list)
    validations: list[dict[str, Any]] = field(default_factory=list)
    """What CloudFormation's validation of a change set found; an event a page."""
    change_set_looks: int = 0
    """So many looks find the change set still being made."""
    exists: bool = True
    started_at: float | None = None
    interrupted_at_s: float | None = None
    """When somebody presses Ctrl-C."""
    deleted: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    executed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Failing.__init__(self)

    def pause(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if self.interrupted_at_s is not None and self.clock.now() >= self.interrupted_at_s:
            raise KeyboardInterrupt

    def start(self) -> None:
        if self.started_at is not None:
            begun = self.started_at
            self.past += [replace(one, at_s=begun + one.at_s) for one in self.script]
            self.script = self.later.pop(0)
        self.started_at = self.clock.now()

    # ── what has happened ──────────────────────────────────────────────────────────────────────────────────

    def _happened(self) -> list[dict[str, Any]]:
        start = 0.0 if self.started_at is None else self.started_at
        told = [(one, one.at_s) for one in self.past]
        if self.started_at is not None:
            told += [(one, start + one.at_s) for one in self.script if start + one.at_s <= self.clock.now()]
        return [self._event(number, one, at_s) for number, (one, at_s) in enumerate(told)]

    def _event(self, number: int, told: Told, at_s: float) -> dict[str, Any]:
        # The clock's own start is second 0.
        at_utc = self.clock.utc() + timedelta(seconds=at_s - self.clock.now())
        return {
            "EventId": f"event-{number}",
            "LogicalResourceId": told.logical_id,
            "PhysicalResourceId": told.physical_id if told.physical_id is not None else f"{told.logical_id}-1",
            "ResourceType": told.kind,
            "ResourceStatus": told.status,
            **({"ResourceStatusReason": told.reason} if told.reason else {}),
            "Timestamp": at_utc,
        }

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────

    def get_paginator(self, operation: str) -> ScriptedStack:
        assert operation == "list_stack_resources"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self._called("ListStackResources")
        found = [
            {"LogicalResourceId": one, "PhysicalResourceId": f"{one}-1", "ResourceStatus": "CREATE_COMPLETE"}
            for one in self.template.get("Resources", {})
        ]
        return [{"StackResourceSummaries": found}]

    def describe_stacks(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeStacks")
        statuses = [one for one in self._happened() if one["ResourceType"] == STACK_KIND]
        is_gone = bool(statuses) and statuses[-1]["ResourceStatus"] == "DELETE_COMPLETE"
        if not self.exists or not statuses or (is_gone and asked["StackName"] != STACK_ID):
            raise refused("ValidationError", "DescribeStacks", f"Stack with id {asked['StackName']} does not exist")
        return {
            "Stacks": [
                {
                    "StackName": STACK,
                    "StackId": STACK_ID,
                    "StackStatus": statuses[-1]["ResourceStatus"],
                    "StackStatusReason": statuses[-1].get("ResourceStatusReason", ""),
                    "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()],
                    "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
                    "CreationTime": self.clock.utc(),
                }
            ]
        }

    def describe_stack_events(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeStackEvents")
        newest_first = self._happened()[::-1]
        first = int(asked.get("NextToken", "0"))
        page = newest_first[first : first + self.page_size]
        more = {"NextToken": str(first + self.page_size)} if first + self.page_size < len(newest_first) else {}
        return {"StackEvents": page, **more}

    def get_template(self, **asked: Any) -> dict[str, Any]:
        self._called("GetTemplate")
        return {"TemplateBody": self.template}

    def get_template_summary(self, **asked: Any) -> dict[str, Any]:
        self._called("GetTemplateSummary")
        return {"Metadata": self.template_metadata}

    def create_change_set(self, **asked: Any) -> dict[str, Any]:
        self._called("CreateChangeSet")
        self.created.append(asked)
        if asked["ChangeSetType"] != "UPDATE":
            self.exists = True
            self.past.append(of_stack(self.clock.now(), "REVIEW_IN_PROGRESS", "User Initiated"))
        return {"Id": "arn:change-set", "StackId": STACK_ID}

    def describe_change_set(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeChangeSet")
        if self.change_set_looks > 0:
            self.change_set_looks -= 1
            return {"Status": "CREATE_IN_PROGRESS"}
        number = int(asked.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.change_set_pages) else {}
        return {"Status": "CREATE_COMPLETE", **self.change_set_pages[number], **more}

    def describe_events(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeEvents")
        assert asked["ChangeSetName"] == "arn:change-set"
        number = int(asked.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.validations) else {}
        return {"OperationEvents": self.validations[number : number + 1], **more}

    def execute_change_set(self, **asked: Any) -> None:
        self._called("ExecuteChangeSet")
        self.executed.append(asked)
        self.start()

    def delete_change_set(self, **asked: Any) -> None:
        self._called("DeleteChangeSet")
        self.deleted.append(asked["ChangeSetName"])

    def delete_stack(self, **asked: Any) -> None:
        self._called("DeleteStack")
        self.deleted.append(asked["StackName"])
        self.start()


@dataclass
class ScriptedService(Failing):
    """One service of ECS: what DescribeServices says from which second on, and its stopped tasks."""

    clock: VirtualClock
    services: Sequence[tuple[float, dict[str, Any]]] = ()
    stopped: Sequence[dict[str, Any]] = ()

    def __post_init__(self) -> None:
        Failing.__init__(self)

    def describe_services(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeServices")
        now = [one for at_s, one in self.services if at_s <= self.clock.now()]
        return {"services": now[-1:]}

    def list_tasks(self, **asked: Any) -> dict[str, Any]:
        self._called("ListTasks")
        return {"taskArns": [one["taskArn"] for one in self._gone()]}

    def describe_tasks(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeTasks")
        return {"tasks": [one for one in self._gone() if one["taskArn"] in asked["tasks"]]}

    def _gone(self) -> list[dict[str, Any]]:
        return [one for one in self.stopped if one["stoppedAt"] <= self.clock.utc()]


@dataclass
class ScriptedLogs(Failing):
    """The ends of tasks' logs: by the first letters of a task's id, from which second on they can be read."""

    clock: VirtualClock
    written: Mapping[str, tuple[float, Sequence[str]]] = field(default_factory=dict[str, tuple[float, Sequence[str]]])
    asked: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        Failing.__init__(self)

    def get_log_events(self, **asked: Any) -> dict[str, Any]:
        self._called("GetLogEvents")
        assert asked["startFromHead"] is False
        task = asked["logStreamName"].rpartition("/")[2]
        self.asked.append(task[:8])
        for short, (at_s, lines) in self.written.items():
            if task.startswith(short) and at_s <= self.clock.now():
                return {"events": [{"message": line} for line in lines[-asked["limit"] :]]}
        raise refused("ResourceNotFoundException", "GetLogEvents", "The specified log stream does not exist.")


@dataclass
class ScriptedQueues(Failing):
    """Queues of SQS by name, with what they hold at each look (the last number stays)."""

    messages: dict[str, list[int]] = field(default_factory=dict)
    key: str | None = None
    """The KMS key of all of them."""

    def __post_init__(self) -> None:
        Failing.__init__(self)

    def get_queue_url(self, **asked: Any) -> dict[str, Any]:
        self._called("GetQueueUrl")
        if asked["QueueName"] not in self.messages:
            raise refused(
                "AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl", "The specified queue does not exist"
            )
        return {"QueueUrl": f"https://sqs/{asked['QueueName']}"}

    def get_queue_attributes(self, **asked: Any) -> dict[str, Any]:
        self._called("GetQueueAttributes")
        if asked["AttributeNames"] == ["KmsMasterKeyId"]:
            return {"Attributes": {"KmsMasterKeyId": self.key}} if self.key else {}
        held = self.messages[asked["QueueUrl"].rsplit("/", 1)[-1]]
        return {"Attributes": {"ApproximateNumberOfMessages": str(held.pop(0) if len(held) > 1 else held[0])}}

    def delete_queue(self, **asked: Any) -> None:
        self._called("DeleteQueue")
        del self.messages[asked["QueueUrl"].rsplit("/", 1)[-1]]


@dataclass
class ScriptedKeys(Failing):
    """KMS, which notes what is to go."""

    description: str = ""
    state: str = "Enabled"
    """Of whatever key it is asked about."""
    going: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Failing.__init__(self)

    def describe_key(self, **asked: Any) -> dict[str, Any]:
        self._called("DescribeKey")
        key_id = asked["KeyId"].rsplit("/", 1)[-1]
        return {"KeyMetadata": {"KeyId": key_id, "Description": self.description, "KeyState": self.state}}

    def schedule_key_deletion(self, **asked: Any) -> None:
        self.going.append((asked["KeyId"], asked["PendingWindowInDays"]))


def deployment(
    status: str = "PRIMARY", revision: int = 1, rollout: str = "IN_PROGRESS", *, desired: int = 2, running: int = 0,
    failed: int = 0, pending: int = 0,
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": f"ecs-svc/{revision}",
        "status": status,
        "taskDefinition": f"arn:aws:ecs:eu-central-1:123456789012:task-definition/{STACK}:{revision}",
        "rolloutState": rollout,
        "desiredCount": desired,
        "runningCount": running,
        "failedTasks": failed,
        "pendingCount": pending,
    }
