"""Who may use a queue: its policy, and the permissions that AddPermission and RemovePermission write into it.

Rules kept here and nowhere else:

1. A policy is a JSON object of at most 8,192 bytes with at most 20 statements (facts/sqs.md section 2). It is kept and
   shown as written, and never enforced: here every caller may do everything, save what a test denies on purpose.
2. AddPermission writes one statement under its label; a label is used once (API reference, AddPermission). The policy's
   form, `Id` and wording of refusals are those that the real service was recorded to give.
3. RemovePermission takes that statement out; with its last statement the policy itself is gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast

from forebay.rules import queue_errors as errors

POLICY_MAX_BYTES = 8_192
STATEMENTS_MAX = 20
ACTIONS_MAX = 7

GRANTABLE = frozenset(
    (
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    )
)
"""The actions that one account may permit another; the rest are the owner's (Developer Guide, "Overview of managing
access")."""

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"[0-9]{12}")


def check_policy(text: str) -> None:
    """Raise InvalidAttributeValue for a policy that SQS does not take. What it says is not looked into."""
    if len(text.encode("utf-8", "surrogatepass")) > POLICY_MAX_BYTES:
        raise errors.invalid_attribute_value("Policy", f"A policy has at most {POLICY_MAX_BYTES} bytes.")
    if len(_statements(_parsed(text))) > STATEMENTS_MAX:
        raise errors.invalid_attribute_value("Policy", f"A policy has at most {STATEMENTS_MAX} statements.")


def with_permission(policy: str, arn: str, label: str, accounts: Sequence[str], actions: Sequence[str]) -> str:
    """Return `policy` (empty for none) with a statement that lets these accounts take these actions.

    Whether the whole is still a policy that SQS takes, `check_policy` says.
    """
    _check_permission(label, accounts, actions)
    document = _parsed(policy) if policy else {"Version": "2008-10-17", "Id": f"{arn}/SQSDefaultPolicy"}
    statements = _statements(document)
    if any(statement.get("Sid") == label for statement in statements):
        raise errors.invalid_value("Label", label, "Already exists.")
    added = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_all([f"SQS:{action}" for action in actions]),
        "Resource": arn,
    }
    return json.dumps({**document, "Statement": [*statements, added]}, separators=(",", ":"))


def without_permission(policy: str, label: str) -> str:
    """Return `policy` without the statement of this label; empty when no statement is left."""
    document = _parsed(policy) if policy else {}
    statements = _statements(document)
    kept = [statement for statement in statements if statement.get("Sid") != label]
    if len(kept) == len(statements):
        raise errors.invalid_value("Label", label, "can't find label.")
    return json.dumps({**document, "Statement": kept}, separators=(",", ":")) if kept else ""


def _check_permission(label: str, accounts: Sequence[str], actions: Sequence[str]) -> None:
    if not _LABEL.fullmatch(label):
        raise errors.invalid_value("Label", label, "It takes 1 to 80 letters, digits, hyphens and underscores.")
    if not actions:
        raise errors.missing_parameter("Actions")
    if len(actions) > ACTIONS_MAX:
        raise errors.too_many_actions(len(actions), ACTIONS_MAX)
    for action in actions:
        if action not in GRANTABLE:
            reason = "Only the queue owner is allowed to invoke this action."
            raise errors.invalid_value("ActionName", f"SQS:{action}", reason)
    if not accounts or not all(_ACCOUNT.fullmatch(account) for account in accounts):
        raise errors.invalid_value("PrincipalId", f"[{', '.join(accounts)}]", "Unable to verify.")


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _parsed(text: str) -> dict[str, Any]:
    try:
        document: object = json.loads(text)
    except ValueError:
        raise errors.invalid_attribute_value("Policy", "It is no JSON.") from None
    if not isinstance(document, dict):
        raise errors.invalid_attribute_value("Policy", "It is no JSON object.")
    return cast("dict[str, Any]", document)


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy; one alone may stand without a list."""
    found: object = document.get("Statement", [])
    statements = cast("list[object]", found) if isinstance(found, list) else [found]
    if not all(isinstance(statement, dict) for statement in statements):
        raise errors.invalid_attribute_value("Policy", "Its statements must be JSON objects.")
    return cast("list[dict[str, Any]]", statements)
