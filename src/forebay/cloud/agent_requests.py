"""What the ECS agent makes of the body of a PUT: Go's JSON decoding into a struct, rule for rule.

Rules kept here and nowhere else (facts/ecs-task-protection.md section 1, "Decoding rules that follow from Go"):

1. Names match in any case, unknown names are refused, of two of one name the later wins, null means absent.
2. An integer is an integer's literal: no fraction, no exponent, no string; it fits into 64 bits and is then cut to 32.
3. Only the first JSON value counts; what follows it is not looked at. An empty body is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NoReturn, cast

WHITESPACE = " \t\r\n"
INT64_MAX = 2**63 - 1


class Undecodable(Exception):
    """The body is not what the agent can decode: 400 before anything else is looked at."""


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """A decoded body. None: the field was absent or null."""

    enabled: bool | None = None
    minutes: int | None = None


class _NotAnInteger:
    """A JSON number with a fraction or an exponent."""


class _Pairs(list[tuple[str, object]]):
    """A JSON object with its names in order, duplicates included."""


def _fraction(_literal: str) -> _NotAnInteger:
    return _NotAnInteger()


def _constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is Python's, not JSON's")


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=_fraction, parse_constant=_constant)


def decode_update(body: bytes) -> UpdateRequest:
    """Return what the agent reads out of `body`. Raises `Undecodable`."""
    text = body.decode("utf-8", errors="replace").lstrip(WHITESPACE)
    try:
        value, _ = cast("tuple[object, int]", _DECODER.raw_decode(text))
    except (ValueError, RecursionError) as error:
        raise Undecodable("not JSON") from error
    if value is None:
        return UpdateRequest()  # Go leaves the struct as it was.
    if not isinstance(value, _Pairs):
        raise Undecodable("not an object")
    enabled: bool | None = None
    minutes: int | None = None
    for name, content in value:
        match name.casefold():
            case "protectionenabled":
                enabled = _boolean(content)
            case "expiresinminutes":
                minutes = _int64(content)
            case _:
                raise Undecodable("an unknown field")
    return UpdateRequest(enabled, None if minutes is None else _narrowed(minutes))


def _boolean(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise Undecodable("not a boolean")
    return value


def _int64(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise Undecodable("not a 64-bit integer")
    return value


def _narrowed(value: int) -> int:
    """Return `value` as an int32, wrapped around without a word (the agent's utils.Int64PtrToInt32Ptr)."""
    return (value + 2**31) % 2**32 - 2**31
