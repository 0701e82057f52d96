"""Copilot's addons: which permissions can be taken over, and what becomes of everything else. Pure.

Rules kept here and nowhere else:

1. A statement is taken over only when every word of it is plain text; what CloudFormation would have computed is told.
2. Task protection needs no statement: the worker's role has it, for the tasks of its own cluster alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forebay.deploy.copilot.draft import Json
from forebay.deploy.copilot.kinds import is_list, is_section
from forebay.deploy.copilot.notes import Notes

BUILT_IN = {"ecs:updatetaskprotection", "ecs:gettaskprotection"}
_POLICIES = {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}


def permissions(template: Mapping[str, Any], place: str, notes: Notes) -> list[Json]:
    """Return the permissions of an addon's template that can be `permissions:`; everything else becomes a note."""
    found: list[Json] = []
    for name, resource in _section(template, "Resources").items():
        kind = resource.get("Type") if is_section(resource) else None
        if kind in _POLICIES:
            found += list(_statements(_section(resource, "Properties"), f"{place}: {name}", notes))
        else:
            notes.left_out(
                f"{place}: {name}",
                f"{kind or 'a resource without a type'}: Copilot's nested stack goes with its service. Deploy it as "
                "a stack of its own, and give the worker what it needs of it in `variables:` and `permissions:`.",
            )
    outputs = [name for name, output in _section(template, "Outputs").items() if not _is_policy(template, output)]
    for name in outputs:
        notes.left_out(f"{place}: {name}", "Copilot made a variable, secret or security group of this output: name it.")
    return found


def _section(values: Any, key: str) -> Mapping[str, Any]:
    found = values.get(key) if is_section(values) else None
    return found if is_section(found) else {}


def _is_policy(template: Mapping[str, Any], output: Any) -> bool:
    """Whether an output names a policy of the template, which Copilot attached to the task's role."""
    value = output.get("Value") if is_section(output) else None
    referred = value.get("Ref") if is_section(value) else None
    return _section(_section(template, "Resources"), str(referred)).get("Type") in _POLICIES


def _statements(policy: Mapping[str, Any], place: str, notes: Notes) -> Iterator[Json]:
    for statement in _several(_section(policy, "PolicyDocument").get("Statement")):
        if not is_section(statement):
            notes.left_out(place, "a statement that is no section: look at it yourself.")
            continue
        actions, resources = _several(statement.get("Action")), _several(statement.get("Resource"))
        ours = [action for action in actions if str(action).lower() in BUILT_IN]
        if ours:
            notes.differs(
                place,
                "task protection is built in, for the tasks of the service's own cluster (Copilot's sample allows it "
                "on every task of the account).",
            )
        actions = [action for action in actions if action not in ours]
        if not actions and ours:
            continue
        conditions: Any = statement.get("Condition") or {}
        if (
            statement.get("Effect") != "Allow"
            or not actions
            or not resources
            or not _is_plain([actions, resources, conditions])
        ):
            notes.left_out(
                place, "its statement is computed by CloudFormation, or denies: write it under `permissions:`."
            )
            continue
        yield {"actions": actions, "resources": resources, **({"conditions": conditions} if conditions else {})}


def _several(value: Any) -> list[Any]:
    return value if is_list(value) else [] if value is None else [value]


def _is_plain(value: Any) -> bool:
    if is_section(value):
        return not any(key == "Ref" or key.startswith("Fn::") for key in value) and all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if is_list(value) else True
