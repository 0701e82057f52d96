"""CloudFormation's functions as plain data, and what a resource of a template is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

_PARTS = re.compile(r"[^A-Za-z0-9]+")
_WORDS = re.compile(r"[A-Z][a-z0-9]*")

Json = dict[str, Any]
"""A template or a part of one: what `json.dumps` takes. `template.writing` writes it as YAML with short tags."""


def ref(name: str) -> Json:
    return {"Ref": name}


def get_att(resource: str, attribute: str) -> Json:
    return {"Fn::GetAtt": [resource, attribute]}


def sub(text: str, **values: Any) -> Json:
    return {"Fn::Sub": [text, values]} if values else {"Fn::Sub": text}


def arn(service: str, resource: str, *, region: str = "${AWS::Region}", account: str = "${AWS::AccountId}") -> Json:
    """Return the Amazon Resource Name of something in this account and Region; `resource` may hold `${…}`."""
    return sub(f"arn:${{AWS::Partition}}:{service}:{region}:{account}:{resource}")


def allow(
    actions: Iterable[str],
    resources: Any,
    *,
    sid: str | None = None,
    principal: Any = None,
    condition: Mapping[str, Any] | None = None,
) -> Json:
    """Return an IAM statement that allows; with a principal, one for the policy of a resource."""
    statement: Json = {"Sid": sid} if sid else {}
    statement["Effect"] = "Allow"
    if principal is not None:
        statement["Principal"] = principal
    statement |= {"Action": list(actions), "Resource": resources}
    return {**statement, "Condition": dict(condition)} if condition else statement


def logical_id(prefix: str, name: str, *, taken: Iterable[str] = ()) -> str:
    """Return a logical id for a name, which may hold what ids may not.

    It follows from this one name, never from others or from a place: CloudFormation takes a new id for a new resource,
    and deletes the one of the old id. An id that another name could have too gets a part of the name's hash.
    """
    found = prefix + in_camel_case(name)
    is_only_its_own = "-".join(_WORDS.findall(found.removeprefix(prefix))).lower() == name
    return found if is_only_its_own and found not in taken else f"{found}{short_hash(name)}"


def in_camel_case(name: str) -> str:
    """`paid-orders` → `PaidOrders`: what logical ids are made of."""
    return "".join(part[:1].upper() + part[1:] for part in _PARTS.split(name))


def short_hash(text: str) -> str:
    """Return what tells one text from others in a logical id."""
    return sha256(text.encode()).hexdigest()[:6]


DESCRIPTION_KEY = "forebay:description"
"""In each resource's Metadata: what it is for, in plain words. Progress and `diff` show it."""


def resource(
    kind: str, description: str, properties: Mapping[str, Any], *, despite: Mapping[str, str] | None = None, **more: Any
) -> Json:
    """Return a resource.

    `despite` are checks of checkov that would refuse it, each with the reason why it is right all the same; checkov and
    people read them in the template. `more` are CloudFormation's own attributes, such as `DependsOn`.
    """
    metadata: Json = {DESCRIPTION_KEY: description}
    if despite:
        metadata["checkov"] = {"skip": [{"id": check, "comment": why} for check, why in despite.items()]}
    return {"Type": kind, "Metadata": metadata, **more, "Properties": dict(properties)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of the template, such as the queue with all that belongs to it."""

    parameters: Mapping[str, Json] = field(default_factory=dict[str, Json])
    conditions: Mapping[str, Json] = field(default_factory=dict[str, Json])
    resources: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the container's environment gets."""
    statements: tuple[Json, ...] = ()
    """What the task role gets."""
    queue_statements: tuple[Json, ...] = ()
    """What the queue's policy gets: who else may send, such as a topic."""
    dead_letter_statements: tuple[Json, ...] = ()
    """What the dead-letter queue's policy gets: who else puts there what cannot be delivered."""
    key_statements: tuple[Json, ...] = ()
    """What the policy of the queue's key gets, when the stack has a key: services that send need it."""
    rollback_alarms: tuple[str, ...] = ()
    """Logical ids of the alarms that end a deployment and take it back."""
    first: tuple[str, ...] = ()
    """Logical ids of what must be there before a task starts, and that the service does not refer to."""


def joined(pieces: Iterable[Piece]) -> Piece:
    """Return what all the pieces say together. No two may say the same thing."""
    whole: dict[str, Any] = {}
    for piece in pieces:
        for part in fields(Piece):
            said = getattr(piece, part.name)
            if isinstance(said, tuple):
                whole[part.name] = (*whole.get(part.name, ()), *said)
                continue
            before = whole.setdefault(part.name, {})
            assert not before.keys() & said.keys(), (part.name, before.keys() & said.keys())
            before.update(said)
    return Piece(**whole)
