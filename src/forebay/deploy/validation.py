"""Why CloudFormation refuses a change set that it has validated before doing anything.

Rules kept here and nowhere else:

1. The change set says only that a validation failed. Which resource, and why, stands in the events of its operation.
2. Who may not read those still hears that it was refused, and which permission would show more.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from forebay.deploy.hints import resource_hint
from forebay.deploy.trouble import code_of

SIGN = "EarlyValidation"
"""Stands in the reason of a change set that failed a validation."""


def explained_refusal(client: Any, change_set_id: str, refusal: str) -> str:
    """Return the reason for which a change set failed, with all that its validations found, and what to do."""
    if SIGN not in refusal:
        return _with_hint(refusal)
    try:
        found = _found(client, change_set_id)
    except ClientError as error:
        return f"{refusal} (they could not be read: {code_of(error)}. cloudformation:DescribeEvents is what it takes)"
    return "; ".join(_with_hint(one) for one in found) or refusal


def _found(client: Any, change_set_id: str) -> list[str]:
    """Return what the validations found, each thing once."""
    found: dict[str, None] = {}
    more: dict[str, str] = {}
    while True:
        answer = client.describe_events(ChangeSetName=change_set_id, Filters={"FailedEvents": True}, **more)
        for event in answer.get("OperationEvents", ()):
            if reason := event.get("ValidationStatusReason") or event.get("HookStatusReason"):
                found[f"{event.get('LogicalResourceId') or 'the template'}: {reason}"] = None
        if not answer.get("NextToken"):
            return list(found)
        more = {"NextToken": answer["NextToken"]}


def _with_hint(reason: str) -> str:
    hint = resource_hint(reason)
    return f"{reason.rstrip('.')}. {hint[0].upper()}{hint[1:]}" if hint else reason
