"""What a change set would do, as values. Pure.

Rules kept here and nowhere else:

1. What loses messages, keys or logs when it is removed or replaced is `costly`, and says so in a sentence.
2. A task definition is replaced by every deployment: that is how ECS works, and no loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Act = Literal["add", "change", "replace", "may replace", "remove", "leave", "take in"]

COSTS = {
    "AWS::SQS::Queue": "messages in it do not move to the new one, and producers that know its URL lose it",
    "AWS::KMS::Key": "what it encrypted cannot be read again",
    "AWS::S3::Bucket": "the payloads in it are lost to the jobs that need them",
    "AWS::Logs::LogGroup": "its logs go",
    "AWS::ECS::Service": "its tasks stop, also protected ones",
    "AWS::ECS::Cluster": "everything that runs in it stops",
    "AWS::SNS::Topic": "its subscriptions must be confirmed again",
    "AWS::EC2::VPC": "everything in it is made anew",
    "AWS::EC2::NatGateway": "tasks lose their way out meanwhile",
}

LOCKED_AWAY = (
    "what waits in it stays encrypted with the old key, which the tasks may no longer use: drain it first, or let "
    "`permissions:` have kms:Decrypt on that key until then"
)

SIGNS: Mapping[Act, str] = {
    "add": "+",
    "change": "~",
    "replace": "-/+",
    "may replace": "~/+",
    "remove": "-",
    "leave": "o",
    "take in": ">",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    act: Act
    logical_id: str
    kind: str
    description: str
    properties: tuple[str, ...] = ()
    """What of it changes, as far as CloudFormation tells."""
    replacing: tuple[str, ...] = ()
    """Those properties that only a new resource can have."""
    locks_away: bool = False
    """A queue gets another key, or none."""

    @property
    def cost(self) -> str | None:
        """What is lost by it; None when nothing is."""
        if self.locks_away:
            return LOCKED_AWAY
        return COSTS.get(self.kind) if self.act in ("replace", "may replace", "remove") else None

    @property
    def line(self) -> str:
        """The change in one line, without its sign."""
        because = f" [{', '.join(self.properties)}]" if self.properties else ""
        words = {"replace": "REPLACED: ", "may replace": "may be REPLACED: ", "leave": "stays, outside of the stack: "}
        return f"{words.get(self.act, '')}{self.description}{because}"

    def as_json(self) -> dict[str, Any]:
        return {
            "act": self.act,
            "logical_id": self.logical_id,
            "type": self.kind,
            "description": self.description,
            "properties": list(self.properties),
            "replacing": list(self.replacing),
            "cost": self.cost,
        }


def changes_of(answers: Sequence[Mapping[str, Any]], descriptions: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the changes that DescribeChangeSet tells, page by page."""
    told = [item.get("ResourceChange") for answer in answers for item in answer.get("Changes", ())]
    return tuple(_change(one, descriptions) for one in told if one is not None)


def with_keys(changes: Sequence[Change], old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes of one template to another, those of queues marked whose messages keep a key that goes."""

    def key(template: Mapping[str, Any], name: str) -> Any:
        return template.get("Resources", {}).get(name, {}).get("Properties", {}).get("KmsMasterKeyId")

    def marked(change: Change) -> Change:
        before = key(old, change.logical_id)
        goes = change.act == "change" and before is not None and before != key(new, change.logical_id)
        return replace(change, locks_away=goes) if change.kind == "AWS::SQS::Queue" else change

    return tuple(map(marked, changes))


def _change(told: Mapping[str, Any], descriptions: Mapping[str, str]) -> Change:
    logical_id, kind = str(told["LogicalResourceId"]), str(told.get("ResourceType", ""))
    details: list[Mapping[str, Any]] = list(told.get("Details", ()))
    return Change(
        _act(told),
        logical_id,
        kind,
        descriptions.get(logical_id) or f"{logical_id} ({kind})",
        _unique(_property(detail) for detail in details),
        _unique(_property(one) for one in details if one.get("Target", {}).get("RequiresRecreation") == "Always"),
    )


def _act(told: Mapping[str, Any]) -> Act:
    match told.get("Action"), told.get("Replacement"):
        case "Add", _:
            return "add"
        case "Import", _:
            return "take in"
        case "Remove", _:
            return "leave" if told.get("PolicyAction") == "Retain" else "remove"
        case _, "True":
            return "replace"
        case _, "Conditional":
            return "may replace"
        case _:
            return "change"


def _property(detail: Mapping[str, Any]) -> str:
    target: Mapping[str, Any] = detail.get("Target", {})
    return str(target.get("Name") or target.get("Attribute") or "")


def _unique(names: Any) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))


def descriptions_in(template: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return logical id → description of each resource of a template that has one."""
    resources: Mapping[str, Mapping[str, Any]] = template.get("Resources", {})
    found = {name: one.get("Metadata", {}).get(key) for name, one in resources.items()}
    return {name: str(text) for name, text in found.items() if text}
