"""CloudFormation's calls for one stack, and their answers as values.

Rules kept here and nowhere else:

1. Nothing is changed but by a change set that somebody could read before.
2. A stack is asked about by its id once that is known: a deleted one answers to nothing else.
3. Events are read back to the mark that was set before the operation, over as many pages as that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from forebay.deploy.change_values import Change, changes_of
from forebay.deploy.stack_values import StackEvent, StackState, event_of, state_of
from forebay.deploy.template.build import METADATA_KEY
from forebay.deploy.trouble import code_of, explained, message_of
from forebay.deploy.validation import explained_refusal
from forebay.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

BODY_MAX_BYTES = 51_200
"""CloudFormation's limit for a template in the request; longer ones need a bucket."""

NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")

LOOK_S = 1.0
"""Between two looks at a change set that is being made."""

CAPABILITIES: Sequence[Any] = ("CAPABILITY_IAM",)
"""The template makes roles, and leaves their names to CloudFormation."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change set that is ready to be carried out. No changes: it is gone already."""

    change_set_id: str
    stack_id: str
    is_first: bool
    changes: tuple[Change, ...]
    """Empty when the stack is as the template has it."""
    has_changes: bool


@dataclass(frozen=True, slots=True)
class Import:
    """A resource that is there, and belongs to no stack."""

    logical_id: str
    kind: str
    identifier: Mapping[str, str]
    """What CloudFormation finds it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the stack shall be."""

    body: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    descriptions: Mapping[str, str]
    """Logical id → description, of the old template as well as of the new one."""
    keeps: tuple[str, ...] = ()
    """Parameters that stay as they are."""
    imports: tuple[Import, ...] = ()
    """What is taken in. Nothing else may be made by the same change set."""


class Stacks:
    """The stacks of one account and Region."""

    def __init__(self, client: CloudFormationClient, *, pause: Callable[[float], None]) -> None:
        # Answers are read as plain data: boto3's stubs promise keys that AWS leaves out.
        self._client = cast("Any", client)
        self._pause = pause

    def state(self, name: str) -> StackState | None:
        """Return the stack of this name or id; None when there is none."""
        try:
            with_unknown = self._client.describe_stacks(StackName=name)
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in message_of(error):
                return None
            raise
        return state_of(with_unknown["Stacks"][0])

    def events(self, stack_id: str, *, since: str | None) -> list[StackEvent]:
        """Return what happened after the event `since`, the oldest first; everything when None."""
        found: list[StackEvent] = []
        more: dict[str, str] = {}
        while True:
            answer = self._client.describe_stack_events(StackName=stack_id, **more)
            for told in answer["StackEvents"]:
                if told["EventId"] == since:
                    return found[::-1]
                found.append(event_of(told))
            if not answer.get("NextToken"):
                return found[::-1]
            more = {"NextToken": answer["NextToken"]}

    def has_our_metadata(self, name: str) -> bool:
        """Return whether the deployed template says that it is ours: an ejected one does, and has no tags of ours."""
        metadata = self._client.get_template_summary(StackName=name).get("Metadata") or ""
        return f'"{METADATA_KEY}"' in metadata

    def latest_event(self, stack_id: str) -> str | None:
        """Return the id of the newest event: the mark before an operation."""
        told = self._client.describe_stack_events(StackName=stack_id)["StackEvents"]
        return str(told[0]["EventId"]) if told else None

    def template(self, name: str) -> str | dict[str, Any]:
        """Return the template as it was sent: its text, or data when it was JSON."""
        body = self._client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
        return body if isinstance(body, str) else dict(body)

    def physical_ids(self, name: str) -> dict[str, str]:
        """Return logical id → physical id of each resource that is there."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return {
            one["LogicalResourceId"]: one.get("PhysicalResourceId") or ""
            for page in pages
            for one in page["StackResourceSummaries"]
            if one["ResourceStatus"] != "DELETE_COMPLETE"
        }

    def propose(self, name: str, wish: Wish, *, change_set: str, is_first: bool) -> Proposal:
        """Have CloudFormation work out what would change. Raises `DeployError` when it refuses the template."""
        with explained(f"proposing the changes of stack {name}"):
            try:
                answer = self._created(name, wish, change_set, is_first=is_first)
            except ClientError as error:
                if code_of(error) != "ValidationError" or not _is_nothing(message_of(error)):
                    _refuse_when_overtaken(error)
                    raise
                return Proposal("", name, is_first, (), has_changes=False)
            stack_id, change_set_id = str(answer["StackId"]), str(answer["Id"])
            proposed = Proposal(change_set_id, stack_id, is_first, (), has_changes=False)
            try:
                pages, refusal = self._worked_out(name, change_set_id)
                if refusal is not None and not _is_nothing(refusal):
                    refusal = explained_refusal(self._client, change_set_id, refusal)
            except BaseException:
                self.abandon(proposed)
                raise
            if refusal is not None:
                self.abandon(proposed)
        if refusal is not None and not _is_nothing(refusal):
            raise DeployError(f"CloudFormation refuses the template of stack {name}: {refusal}")
        changes = changes_of(pages, wish.descriptions) if refusal is None else ()
        return Proposal(change_set_id, stack_id, is_first, changes, has_changes=refusal is None)

    def _created(self, name: str, wish: Wish, change_set: str, *, is_first: bool) -> Mapping[str, Any]:
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in wish.parameters.items()]
        kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in wish.keeps]
        taken = [
            {"LogicalResourceId": one.logical_id, "ResourceType": one.kind, "ResourceIdentifier": dict(one.identifier)}
            for one in wish.imports
        ]
        more = {"ResourcesToImport": taken} if taken else {}
        answer: Mapping[str, Any] = self._client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="IMPORT" if taken else "CREATE" if is_first else "UPDATE",
            TemplateBody=wish.body,
            Parameters=[*given, *kept],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(wish.tags.items())],
            Capabilities=list(CAPABILITIES),
            Description="forebay deploy",
            ClientToken=change_set,  # botocore asks again when an answer is lost: that must be the same request.
            **more,
        )
        return answer

    def _worked_out(self, name: str, change_set_id: str) -> tuple[list[dict[str, Any]], str | None]:
        """Wait for the change set; return its pages, and why it failed."""
        while True:
            answer = self._client.describe_change_set(ChangeSetName=change_set_id, StackName=name)
            if answer["Status"] == "FAILED":
                return [], str(answer.get("StatusReason", "no reason is given"))
            if answer["Status"] == "CREATE_COMPLETE":
                break
            self._pause(LOOK_S)
        pages = [answer]
        while answer.get("NextToken"):
            answer = self._client.describe_change_set(
                ChangeSetName=change_set_id, StackName=name, NextToken=answer["NextToken"]
            )
            pages.append(answer)
        return pages, None

    def carry_out(self, proposal: Proposal) -> None:
        """Start the changes. They go on without us."""
        with explained("starting the changes"):
            try:
                self._client.execute_change_set(
                    ChangeSetName=proposal.change_set_id,
                    StackName=proposal.stack_id,
                    ClientRequestToken=proposal.change_set_id.rpartition("/")[2],
                )
            except ClientError as error:
                self.abandon(proposal)
                _refuse_when_overtaken(error)
                raise

    def discard(self, proposal: Proposal) -> None:
        """Leave no trace of a proposal: neither the change set nor the empty stack that a first one makes."""
        with explained("discarding the proposed changes"):
            self._client.delete_change_set(ChangeSetName=proposal.change_set_id, StackName=proposal.stack_id)
            if proposal.is_first and (state := self.state(proposal.stack_id)) is not None and state.is_empty:
                self._client.delete_stack(StackName=proposal.stack_id)

    def abandon(self, proposal: Proposal) -> None:
        """Discard after a failure, which is what must be told: what cannot be discarded then is in nobody's way."""
        with suppress(DeployError):
            self.discard(proposal)

    def delete(self, stack_id: str) -> None:
        """Start to delete a stack."""
        with explained("deleting the stack"):
            self._client.delete_stack(StackName=stack_id)


def _refuse_when_overtaken(error: ClientError) -> None:
    """Raise `DeployError` when the refusal means that somebody else was faster."""
    if code_of(error) == "InvalidChangeSetStatus" or "_IN_PROGRESS" in message_of(error):
        raise DeployError(
            "somebody else has begun to work on this stack meanwhile: `forebay deploy` waits for it"
        ) from error


def _is_nothing(words: str) -> bool:
    return any(one in words for one in NOTHING_TO_DO)
