"""What IAM policies allow: a small evaluator of identity and resource policies. Pure.

Rules kept here and nowhere else:

1. An explicit Deny goes before every Allow; what nothing allows is not granted.
2. Actions are compared without regard to case, resources with it; `*` and `?` are wildcards in both.
3. A condition that needs a key which the caller does not know makes the answer `CONDITIONAL`, never a yes or a no.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, cast


class Decision(StrEnum):
    """What the policies say to one call."""

    ALLOWED = "allowed"
    CONDITIONAL = "conditional"
    """Allowed under a condition of which nothing is known here."""
    NOT_GRANTED = "not granted"
    DENIED = "denied"
    """By a statement that says so; no other can allow it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy document, with single values made lists."""

    effect: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    """`kind:value`, such as `AWS:*` and `Service:sns.amazonaws.com`."""
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(
        default_factory=dict[str, Mapping[str, tuple[str, ...]]]
    )
    """Operator → key (in lower case, as IAM compares them) → the values of which one must match."""

    @property
    def is_allow(self) -> bool:
        return self.effect == "Allow"

    def names(self, action: str) -> bool:
        """Return whether the statement is about this action."""
        if self.not_actions:
            return not any(_matches(pattern.lower(), action.lower()) for pattern in self.not_actions)
        return any(_matches(pattern.lower(), action.lower()) for pattern in self.actions)

    def covers(self, resource: str) -> bool:
        """Return whether the statement is about this resource. One without any (a trust policy) is about all."""
        if self.not_resources:
            return not any(_matches(pattern, resource) for pattern in self.not_resources)
        return not self.resources or any(_matches(pattern, resource) for pattern in self.resources)

    def condition_keys(self) -> frozenset[str]:
        """Return the keys that the conditions look at, in lower case."""
        return frozenset(key for tests in self.conditions.values() for key in tests)


def statements(document: object) -> tuple[Statement, ...]:
    """Return the statements of a policy document. What is no statement in it is passed over."""
    written = _mapping(document).get("Statement", ())
    items = cast("list[object]", written) if isinstance(written, list) else [written]
    return tuple(_statement(_mapping(item)) for item in items if _mapping(item).get("Effect") in ("Allow", "Deny"))


def decide(
    policies: Iterable[Statement], action: str, resource: str, context: Mapping[str, str] | None = None
) -> Decision:
    """Return what these statements together say to `action` on `resource`.

    `context` has the condition keys that are known of the call; their names are compared without regard to case.
    """
    known = {key.lower(): value for key, value in (context or {}).items()}
    found = Decision.NOT_GRANTED
    for statement in policies:
        if not (statement.names(action) and statement.covers(resource)):
            continue
        holds = _conditions_hold(statement, known)
        if not statement.is_allow and holds is True:
            return Decision.DENIED
        if statement.is_allow and holds is True:
            found = Decision.ALLOWED
        elif statement.is_allow and holds is None and found is Decision.NOT_GRANTED:
            found = Decision.CONDITIONAL
    return found


def _conditions_hold(statement: Statement, known: Mapping[str, str]) -> bool | None:
    """Return whether all conditions hold; None when that depends on what is not known."""
    unknown = False
    for operator, tests in statement.conditions.items():
        for key, values in tests.items():
            holds = _holds(operator, known.get(key), values)
            if holds is False:
                return False
            unknown = unknown or holds is None
    return None if unknown else True


def _holds(operator: str, value: str | None, wanted: tuple[str, ...]) -> bool | None:
    name = operator.rpartition(":")[2].lower()  # `ForAllValues:StringLike`: our values are single ones.
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if value is None:
        return True if optional else None
    if name == "null":
        return wanted[:1] == ("false",)
    negative = "not" in name
    plain = name.replace("not", "")
    if plain in ("stringlike", "arnlike", "arnequals"):  # IAM treats both of ARN's operators alike.
        found = any(_matches(pattern, value) for pattern in wanted)
    elif plain in ("stringequals", "numericequals", "bool"):
        found = value in wanted
    elif plain == "stringequalsignorecase":
        found = value.lower() in {one.lower() for one in wanted}
    else:
        return None
    return found is not negative


def _statement(written: Mapping[str, object]) -> Statement:
    conditions = {
        operator: {key.lower(): _texts(values) for key, values in _mapping(tests).items()}
        for operator, tests in _mapping(written.get("Condition")).items()
    }
    return Statement(
        effect=str(written["Effect"]),
        actions=_texts(written.get("Action")),
        not_actions=_texts(written.get("NotAction")),
        resources=_texts(written.get("Resource")),
        not_resources=_texts(written.get("NotResource")),
        principals=_principals(written.get("Principal")),
        conditions=conditions,
    )


def _principals(written: object) -> tuple[str, ...]:
    if isinstance(written, str):
        return (f"AWS:{written}",)
    return tuple(f"{kind}:{value}" for kind, values in _mapping(written).items() for value in _texts(values))


def _texts(written: object) -> tuple[str, ...]:
    if written is None:
        return ()
    items = cast("list[object]", written) if isinstance(written, list | tuple) else [written]
    return tuple("true" if item is True else "false" if item is False else str(item) for item in items)


def _mapping(written: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", written) if isinstance(written, Mapping) else {}


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    escaped = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern)
    )
    return re.compile("".join(escaped), re.DOTALL)
