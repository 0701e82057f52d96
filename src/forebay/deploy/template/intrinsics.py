"""CloudFormation's functions as plain data, and what a resource of a template is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""A template or a part of one: what `json.dumps` takes. `template.writing` writes it as YAML with short tags."""


def ref(name: str) -> Json:
    return {"Ref": name}


def get_att(resource: str, attribute: str) -> Json:
    return {"Fn::GetAtt": [resource, attribute]}


def sub(text: str, **values: Any) -> Json:
    return {"Fn::Sub": [text, values]} if values else {"Fn::Sub": text}


DESCRIPTION_KEY = "forebay:description"
"""In each resource's Metadata: what it is for, in plain words. Progress and `diff` show it."""


def resource(kind: str, description: str, properties: Mapping[str, Any], **attributes: Any) -> Json:
    """Return a resource. `attributes` are CloudFormation's own, such as `DependsOn` and `DeletionPolicy`."""
    return {
        "Type": kind,
        "Metadata": {DESCRIPTION_KEY: description},
        **attributes,
        "Properties": dict(properties),
    }


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
