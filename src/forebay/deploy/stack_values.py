"""A CloudFormation stack as values: its state, its events, and what its statuses mean. Pure.

Rules kept here and nowhere else:

1. A stack is ours when it carries our tag. Another's stack of the same name is never touched.
2. REVIEW_IN_PROGRESS is no work in progress: a change set was made and never carried out, and nothing else is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SERVICE_TAG = "forebay:service"
ENVIRONMENT_TAG = "forebay:environment"

STACK_KIND = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True)
class StackState:
    """What DescribeStacks says of one stack."""

    name: str
    stack_id: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    changed_utc: datetime | None = None

    @property
    def is_ours(self) -> bool:
        return SERVICE_TAG in self.tags

    @property
    def is_empty(self) -> bool:
        """Nothing was ever made: only a change set stands in its name."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def is_busy(self) -> bool:
        return is_busy(self.status)

    @property
    def is_deleted(self) -> bool:
        return self.status == "DELETE_COMPLETE"


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One line of what CloudFormation did."""

    event_id: str
    logical_id: str
    physical_id: str
    kind: str
    status: str
    reason: str
    at_utc: datetime

    @property
    def is_of_stack(self) -> bool:
        """It tells of the stack itself, whose physical id CloudFormation makes of its ARN."""
        return self.kind == STACK_KIND and ":stack/" in self.physical_id and f"/{self.logical_id}/" in self.physical_id


def state_of(told: Mapping[str, Any]) -> StackState:
    """Return what one stack of DescribeStacks is."""
    return StackState(
        name=told["StackName"],
        stack_id=told["StackId"],
        status=told["StackStatus"],
        reason=told.get("StackStatusReason") or "",
        outputs={one["OutputKey"]: one.get("OutputValue", "") for one in told.get("Outputs", ())},
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in told.get("Parameters", ())},
        tags={one["Key"]: one["Value"] for one in told.get("Tags", ())},
        changed_utc=told.get("LastUpdatedTime") or told.get("CreationTime"),
    )


def event_of(told: Mapping[str, Any]) -> StackEvent:
    """Return what one event of DescribeStackEvents is."""
    return StackEvent(
        event_id=told["EventId"],
        logical_id=told["LogicalResourceId"],
        physical_id=told.get("PhysicalResourceId") or "",
        kind=told.get("ResourceType", ""),
        status=told.get("ResourceStatus", ""),
        reason=told.get("ResourceStatusReason") or "",
        at_utc=told["Timestamp"],
    )


def place_of(stack_id: str) -> str:
    """Return the account and Region of a stack by its ARN: whoever has the wrong profile sees it there."""
    parts = stack_id.split(":")
    return f"account {parts[4]}, {parts[3]}" if len(parts) > 5 else "this account"


def is_busy(status: str) -> bool:
    """True while CloudFormation works on the stack."""
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def succeeded(status: str) -> bool:
    """True for an end that was wished for."""
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE")


def in_words(status: str) -> str:
    """CREATE_IN_PROGRESS → `create in progress`, as the article's screens have it."""
    return status.lower().replace("_", " ")


def obstacle(state: StackState, *, service: str, environment: str) -> str | None:
    """Return why nothing can be deployed to a stack in this state, and the remedy; None when something can.

    A first deployment that was rolled back (ROLLBACK_COMPLETE) is no obstacle: it is cleaned up on request.
    """
    name, status = state.name, state.status
    if (clash := clashes(state, service=service, environment=environment)) is not None:
        return clash
    reason = state.reason or "no reason given"
    match status:
        case "UPDATE_ROLLBACK_FAILED":
            return (
                f"stack {name} is stuck: an update failed, and so did going back ({reason}). "
                f"Mend what it names, run `aws cloudformation continue-update-rollback --stack-name {name}`, "
                "wait for it, and deploy again"
            )
        case "DELETE_FAILED" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "IMPORT_ROLLBACK_FAILED":
            return (
                f"stack {name} is half gone ({status}: {reason}): "
                f"mend what it names, run `forebay delete --env {environment}`, and deploy again"
            )
        case _:
            return None


def clashes(state: StackState, *, service: str, environment: str) -> str | None:
    """Return why the stack is not this service's; None when it is."""
    if not state.is_ours and not state.is_empty:
        return (
            f"there is a stack {state.name} already, and it is not Forebay's (no tag {SERVICE_TAG}): "
            "give the service another `name:`, or the environment another name"
        )
    owner = (state.tags.get(SERVICE_TAG, service), state.tags.get(ENVIRONMENT_TAG, environment))
    if owner != (service, environment):
        return (
            f"stack {state.name} belongs to service {owner[0]} in environment {owner[1]}: "
            "give this service or environment another name"
        )
    return None
