"""What goes wrong on purpose in the local cloud, when, and how often.

Rules kept here and nowhere else:

1. A rule names operations (none: all), how often it strikes, and with what probability; the dice are seeded.
2. Every request is judged once, on arrival. Delays add up; of the other effects the first rule that strikes wins.
3. Nothing here knows a protocol: a server asks `strike()` and renders the verdict in its own words.

Over HTTP: `GET|PUT|POST|DELETE /_forebay/chaos` on the service's own port (`PUT` replaces all rules with
`{"rules": [...]}`, `POST` adds one, `DELETE` clears).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from random import Random
from typing import Any, cast

CHAOS_PATH = "/_forebay/chaos"


class Effect(StrEnum):
    """What happens to a request."""

    DELAY = "delay"
    """Handled at once, answered `delay_s` (± `jitter_s`) later."""
    DELAY_BEFORE = "delay_before"
    """Handled, and answered, only after `delay_s` (± `jitter_s`)."""
    DROP_BEFORE = "drop_before"
    """The connection is cut; the request has no effect."""
    DROP_AFTER = "drop_after"
    """Carried out; then the connection is cut in place of an answer."""
    BLACK_HOLE = "black_hole"
    """Never answered and without effect, the connection stays open."""
    SERVER_ERROR = "server_error"
    """500."""
    UNAVAILABLE = "unavailable"
    """503."""
    THROTTLE = "throttle"
    """Too many requests, in the service's own words."""
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - an error's name
    """The credentials have expired."""
    DENY = "deny"
    """A permission is missing."""
    MISSING = "missing"
    """The thing asked for does not exist."""
    MALFORMED = "malformed"
    """Carried out; answered 200 with `detail` for a body (default: the beginning of a JSON object)."""
    CUT_SHORT = "cut_short"
    """Carried out; the connection ends in the middle of the answer's body."""
    FAIL_ENTRIES = "fail_entries"
    """`entries` of a batch's entries fail (the service's fault); the others are carried out."""
    LOSE_ENTRIES = "lose_entries"
    """`entries` of a batch's entries are answered as success and not carried out."""
    DUPLICATE = "duplicate"
    """`entries` of the messages that this receive returns are delivered once more, at once."""
    REFUSE = "refuse"
    """The service understands and says no (ECS: a task protection that is not granted)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosRule:
    """One thing that goes wrong."""

    effect: Effect
    operations: tuple[str, ...] = ()
    """Names of the operations it strikes; empty for all of them."""
    times: int | None = None
    """Strikes left; None for no end."""
    skip: int = 0
    """So many matching requests pass unharmed first."""
    probability: float = 1.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    entries: int = 1
    detail: str = ""
    """For the server to interpret, such as an error's name; see each server's own documentation."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability={self.probability} is outside 0 to 1")
        if not 0.0 <= self.jitter_s <= self.delay_s <= 86_400.0:
            raise ValueError(f"delay_s={self.delay_s}, jitter_s={self.jitter_s}: 0 ≤ jitter ≤ delay ≤ 86,400 s")
        if self.entries < 1 or self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"entries={self.entries} and times={self.times} start at 1, skip={self.skip} at 0")


@dataclass(slots=True)
class Strike:
    """What happens to one request."""

    effect: Effect | None = None
    delay_s: float = 0.0
    """The answer is held back for so long."""
    delay_before_s: float = 0.0
    """The handling is held back for so long."""
    entries: int = 0
    detail: str = ""

    def struck(self, indexes: Sequence[int], rng: Random) -> frozenset[int]:
        """Choose which of a batch's entries are hit."""
        return frozenset(rng.sample(indexes, min(self.entries, len(indexes))))


UNHARMED = Strike()


@dataclass(slots=True)
class _Standing:
    """A rule in force, and how often it may still strike."""

    rule: ChaosRule
    times_left: int | None
    skips_left: int
    struck_count: int = field(default=0)


class Chaos:
    """The rules in force for one service."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._standing: list[_Standing] = []

    def add(self, rule: ChaosRule) -> None:
        self._standing.append(_Standing(rule, rule.times, rule.skip))

    def replace(self, rules: Sequence[ChaosRule]) -> None:
        self._standing = [_Standing(rule, rule.times, rule.skip) for rule in rules]

    def remove(self, rule: ChaosRule) -> None:
        """End this very rule; one that is not in force is no error."""
        self._standing = [standing for standing in self._standing if standing.rule is not rule]

    def clear(self) -> None:
        self._standing = []

    def shown(self) -> list[dict[str, Any]]:
        """The rules as JSON takes them, with how often each has struck."""
        return [{**asdict(standing.rule), "struck": standing.struck_count} for standing in self._standing]

    def strike(self, operation: str) -> Strike:
        """Judge one request. Counts are used up by asking, so ask once."""
        if not self._standing:
            return UNHARMED
        strike = Strike()
        for standing in self._standing:
            rule = standing.rule
            is_delay = rule.effect in (Effect.DELAY, Effect.DELAY_BEFORE)
            if (strike.effect is not None and not is_delay) or not self._hits(standing, operation):
                continue
            if is_delay:
                delay_s = rule.delay_s + self.rng.uniform(-rule.jitter_s, rule.jitter_s)
                if rule.effect is Effect.DELAY:
                    strike.delay_s += delay_s
                else:
                    strike.delay_before_s += delay_s
            else:
                strike.effect, strike.entries, strike.detail = rule.effect, rule.entries, rule.detail
        return strike

    def _hits(self, standing: _Standing, operation: str) -> bool:
        rule = standing.rule
        if standing.times_left == 0 or (rule.operations and operation not in rule.operations):
            return False
        if standing.skips_left > 0:
            standing.skips_left -= 1
            return False
        if rule.probability < 1.0 and self.rng.random() >= rule.probability:
            return False
        if standing.times_left is not None:
            standing.times_left -= 1
        standing.struck_count += 1
        return True


def rule_from(mapping: Mapping[str, Any]) -> ChaosRule:
    """Return the rule that a JSON object describes. Raises ValueError naming what is wrong."""
    known = {field.name for field in fields(ChaosRule)}
    unknown = sorted(set(mapping) - known - {"struck"})
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such field of a chaos rule; there are {', '.join(sorted(known))}")
    values = {name: value for name, value in mapping.items() if name in known}
    try:
        values["effect"] = Effect(values["effect"])
    except (KeyError, ValueError):
        raise ValueError(f"effect must be one of {', '.join(effect.value for effect in Effect)}") from None
    if isinstance(values.get("operations", []), str):
        raise ValueError("operations must be a list of names")
    values["operations"] = tuple(values.get("operations", ()))
    try:
        return ChaosRule(**values)
    except TypeError as error:
        raise ValueError(str(error)) from error


def control(chaos: Chaos, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Carry out a request to `CHAOS_PATH`; return the status and the JSON of the answer."""
    try:
        match method:
            case "GET":
                pass
            case "PUT":
                rules = _object(body).get("rules", [])
                if not isinstance(rules, list):
                    raise ValueError("rules must be a list")
                chaos.replace([rule_from(_mapping(rule)) for rule in cast("list[object]", rules)])
            case "POST":
                chaos.add(rule_from(_object(body)))
            case "DELETE":
                chaos.clear()
            case _:
                return 405, {"error": f"{method} is none of GET, PUT, POST, DELETE"}
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {"rules": chaos.shown()}


def _object(body: bytes) -> Mapping[str, Any]:
    return _mapping(json.loads(body or b"{}"))


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    return cast("dict[str, Any]", value)
