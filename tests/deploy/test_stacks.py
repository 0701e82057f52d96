"""Proposing, starting and discarding changes, and what the states of a stack allow."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.deploy.scenes import DEPLOYED_BEFORE
from tests.deploy.scripted_aws import OUR_TAGS, STACK, STACK_ID, ScriptedStack, of_stack, refused

from forebay.clock import VirtualClock
from forebay.deploy.change_values import Change, changes_of
from forebay.deploy.stack_values import StackState, is_busy, obstacle, succeeded
from forebay.deploy.stacks import Proposal, Stacks, Wish
from forebay.errors import DeployError

WISH = Wish(
    body="Resources: {}",
    parameters={"Image": "repo@sha256:0"},
    tags={"team": "shop"},
    descriptions={"Queue": "The queue that your jobs wait in"},
    keeps=("VpcId",),
)


def page(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"Changes": [{"Type": "Resource", "ResourceChange": change} for change in changes]}


def told(logical_id: str, action: str = "Modify", kind: str = "AWS::SQS::Queue", **more: Any) -> dict[str, Any]:
    return {"LogicalResourceId": logical_id, "ResourceType": kind, "Action": action, **more}


def cloud(*pages: dict[str, Any], exists: bool = True, looks: int = 0) -> tuple[ScriptedStack, Stacks]:
    stack = ScriptedStack(
        VirtualClock(),
        past=list(DEPLOYED_BEFORE) if exists else [],
        change_set_pages=list(pages),
        change_set_looks=looks,
        exists=exists,
    )
    return stack, Stacks(cast("Any", stack), pause=stack.pause)


def proposed(stacks: Stacks, *, is_first: bool = False) -> Proposal:
    return stacks.propose(STACK, WISH, change_set="forebay-1", is_first=is_first)


def test_a_change_set_is_waited_for_and_read_over_all_its_pages() -> None:
    stack, stacks = cloud(page(told("Queue")), page(told("Service", kind="AWS::ECS::Service")), looks=3)

    proposal = proposed(stacks)

    assert [change.logical_id for change in proposal.changes] == ["Queue", "Service"]
    assert stack.clock.now() == 3.0
    assert stack.created[0]["Parameters"] == [
        {"ParameterKey": "Image", "ParameterValue": "repo@sha256:0"},
        {"ParameterKey": "VpcId", "UsePreviousValue": True},
    ]


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_no_changes_are_no_failure_and_leave_no_change_set(reason: str) -> None:
    stack, stacks = cloud({"Status": "FAILED", "StatusReason": reason})

    proposal = proposed(stacks)

    assert (proposal.has_changes, proposal.changes) == (False, ())
    assert stack.deleted == ["arn:change-set"]


def test_no_changes_may_also_be_told_by_a_refusal_of_the_call() -> None:
    stack, stacks = cloud()
    stack.planned["CreateChangeSet"] = [
        refused("ValidationError", "CreateChangeSet", "No updates are to be performed.")
    ]

    assert not proposed(stacks).has_changes


def test_who_is_overtaken_while_an_image_is_built_is_told_so() -> None:
    stack, stacks = cloud(page(told("Queue")))
    message = f"Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated."
    stack.planned["CreateChangeSet"] = [refused("ValidationError", "CreateChangeSet", message)]

    with pytest.raises(DeployError, match="somebody else has begun to work on this stack meanwhile"):
        proposed(stacks)


def test_a_template_that_is_refused_leaves_neither_change_set_nor_empty_stack() -> None:
    reason = "Transform AWS::LanguageExtensions failed"
    stack, stacks = cloud({"Status": "FAILED", "StatusReason": reason}, exists=False)

    with pytest.raises(DeployError, match=f"CloudFormation refuses the template of stack {STACK}: {reason}"):
        proposed(stacks, is_first=True)

    assert stack.deleted == ["arn:change-set", STACK_ID]


VALIDATED = {
    "Status": "FAILED",
    "StatusReason": "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To "
    "troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information.",
}


def test_what_a_validation_found_is_told_resource_by_resource_with_what_to_do() -> None:
    taken = "Resource of type 'AWS::SQS::Queue' with identifier 'https://sqs/shop' already exists."
    stack, stacks = cloud(VALIDATED)
    stack.validations = [
        {"EventType": "VALIDATION_ERROR", "LogicalResourceId": "Queue", "ValidationStatusReason": taken},
        {"EventType": "STACK_EVENT"},
        {"EventType": "VALIDATION_ERROR", "LogicalResourceId": "Queue", "ValidationStatusReason": taken},
    ]

    with pytest.raises(DeployError) as refused_:
        proposed(stacks)

    told_ = str(refused_.value)
    assert told_.count("Queue: Resource of type 'AWS::SQS::Queue' with identifier") == 1
    assert "already exists. Something of that name is there and not in this stack" in told_
    assert stack.deleted == ["arn:change-set"]


def test_who_may_not_read_what_a_validation_found_hears_which_permission_would_show_it() -> None:
    stack, stacks = cloud(VALIDATED)
    stack.planned["DescribeEvents"] = [refused("AccessDenied", "DescribeEvents", "not authorized", 403)]

    with pytest.raises(DeployError, match=r"ResourceExistenceCheck.*cloudformation:DescribeEvents is what it takes"):
        proposed(stacks)

    assert stack.deleted == ["arn:change-set"]


def test_discarding_an_update_leaves_the_stack_alone() -> None:
    stack, stacks = cloud(page(told("Queue")))

    stacks.discard(proposed(stacks))

    assert stack.deleted == ["arn:change-set"]


def test_a_first_deployment_is_asked_for_as_a_creation() -> None:
    stack, stacks = cloud(page(told("Queue", "Add")), exists=False)

    proposal = proposed(stacks, is_first=True)

    assert stack.created[0]["ChangeSetType"] == "CREATE"
    assert proposal.changes == (Change("add", "Queue", "AWS::SQS::Queue", "The queue that your jobs wait in"),)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidChangeSetStatus", "ChangeSet [arn:change-set] cannot be executed in its current status of [OBSOLETE]"),
        ("ValidationError", "Stack:arn:stack is in UPDATE_IN_PROGRESS state and can not be updated."),
    ],
)
def test_who_comes_second_is_told_to_follow_the_first(code: str, message: str) -> None:
    stack, stacks = cloud(page(told("Queue")))
    stack.planned["ExecuteChangeSet"] = [refused(code, "ExecuteChangeSet", message)]

    with pytest.raises(DeployError, match="somebody else has begun to work on this stack meanwhile"):
        stacks.carry_out(proposed(stacks))


def test_a_stack_that_is_not_there_has_no_state() -> None:
    _, stacks = cloud(exists=False)

    assert stacks.state(STACK) is None


# ── what changes cost ──────────────────────────────────────────────────────────────────────────────────────────


def change_of(told: dict[str, Any]) -> Change:
    (change,) = changes_of([page(told)], {})
    return change


def test_a_queue_that_is_replaced_costs_its_messages_and_says_because_of_what() -> None:
    details = [
        {"Target": {"Attribute": "Properties", "Name": "QueueName", "RequiresRecreation": "Always"}},
        {"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}},
    ]

    change = change_of(told("Queue", Replacement="True", Details=details))

    assert (change.act, change.properties, change.replacing) == ("replace", ("QueueName", "Tags"), ("QueueName",))
    assert change.line == "REPLACED: Queue (AWS::SQS::Queue) [QueueName, Tags]"
    assert change.cost is not None


def test_a_task_definition_is_replaced_by_every_deployment_and_costs_nothing() -> None:
    change = change_of(told("TaskDefinition", kind="AWS::ECS::TaskDefinition", Replacement="True"))

    assert (change.act, change.cost) == ("replace", None)


@pytest.mark.parametrize(
    ("answer", "act", "is_costly"),
    [
        (told("Queue", "Add"), "add", False),
        (told("Queue", Replacement="False"), "change", False),
        (told("Queue", Replacement="Conditional"), "may replace", True),
        (told("Queue", "Remove"), "remove", True),
        (told("Queue", "Remove", PolicyAction="Retain"), "leave", False),
        (told("Queue", "Import"), "take in", False),
        (told("Alarm", "Remove", kind="AWS::CloudWatch::Alarm"), "remove", False),
    ],
)
def test_an_act_is_read_from_what_cloudformation_says(answer: dict[str, Any], act: str, is_costly: bool) -> None:
    change = change_of(answer)

    assert (change.act, change.cost is not None) == (act, is_costly)


# ── what a state allows ────────────────────────────────────────────────────────────────────────────────────────


def state(status: str, tags: dict[str, str] | None = None, reason: str = "") -> StackState:
    return StackState(STACK, STACK_ID, status, reason, tags=OUR_TAGS if tags is None else tags)


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"]
)
def test_a_stack_of_ours_at_rest_is_no_obstacle(status: str) -> None:
    assert obstacle(state(status), service="thumbnails", environment="test") is None


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (state("UPDATE_ROLLBACK_FAILED", reason="role gone"), "going back (role gone). Mend what it names"),
        (state("UPDATE_ROLLBACK_FAILED"), "aws cloudformation continue-update-rollback --stack-name thumbnails-test"),
        (state("DELETE_FAILED", reason="bucket is not empty"), "half gone (DELETE_FAILED: bucket is not empty)"),
        (state("DELETE_FAILED"), "run `forebay delete --env test`, and deploy again"),
        (state("CREATE_COMPLETE", {}), "it is not Forebay's (no tag forebay:service)"),
        (
            state("CREATE_COMPLETE", {"forebay:service": "thumb", "forebay:environment": "nails-test"}),
            "stack thumbnails-test belongs to service thumb in environment nails-test",
        ),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_remedy(found: StackState, sentence: str) -> None:
    words = obstacle(found, service="thumbnails", environment="test")

    assert words is not None
    assert sentence in words


def test_an_empty_stack_of_a_change_set_that_was_never_carried_out_is_no_clash() -> None:
    assert obstacle(state("REVIEW_IN_PROGRESS", {}), service="thumbnails", environment="test") is None


def test_a_review_is_no_work_in_progress_and_a_rollback_is_no_success() -> None:
    assert not is_busy("REVIEW_IN_PROGRESS")
    assert is_busy("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    assert not succeeded("UPDATE_ROLLBACK_COMPLETE")


def test_the_state_is_read_with_tags_outputs_and_reason() -> None:
    stack = ScriptedStack(
        VirtualClock(), past=[of_stack(-1.0, "UPDATE_ROLLBACK_FAILED", "role gone")], outputs={"QueueUrl": "https://q"}
    )

    found = Stacks(cast("Any", stack), pause=stack.pause).state(STACK)

    assert found is not None
    assert (found.reason, found.outputs, found.is_ours) == ("role gone", {"QueueUrl": "https://q"}, True)
