"""How one value of a manifest is read: durations, sizes, names, ARNs. Pure.

Rules kept here and nowhere else:

1. Each reader raises `ValueError` whose text says what would do; the place is the reader's caller's to tell.
2. What AWS takes as whole seconds or MiB is whole here, however it is written.
3. Digits where text belongs are taken as they stand: an account id is text that looks like a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from forebay.api import durations
from forebay.errors import SettingsError

Json = dict[str, Any]
T = TypeVar("T")


class Contradiction(ValueError):
    """What a section's keys say of each other cannot be. `key` is the one to look at first."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


def _duration(value: Any) -> float:
    try:
        return durations.seconds("", value)
    except SettingsError:
        raise ValueError("write a length of time such as 90, '90s', '5m', '1h30m' or '4d'") from None


def _whole_duration(value: Any) -> int:
    seconds = _duration(value)
    if seconds != int(seconds):
        raise ValueError("write whole seconds: AWS takes no fractions here")
    return int(seconds)


_DURATION_SCHEMA: Json = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|MS|S|M|H|D)?\s*)+$"},
    ],
    "examples": ["90s", "5m", "1h30m", "4d"],
}

Seconds = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""A length of time: seconds as a number, or text such as `5m`."""

WholeSeconds = Annotated[int, BeforeValidator(_whole_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""The same where AWS takes whole seconds only."""

_SIZE = re.compile(r"([0-9]+) ?(MiB|GiB|MB|GB)?")


def _size_in(unit: str) -> Callable[[Any], Any]:
    """Return the reader of a number of MiB or GiB, which may be written with its unit."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"write a whole number of {unit}, or such as '2GiB'")
        if match[2] in ("MB", "GB"):
            raise ValueError(f"write MiB or GiB, of 1,024: {match[1]}{match[2][0]}iB")
        mebibytes = int(match[1]) * (1024 if (match[2] or unit) == "GiB" else 1)
        if unit == "GiB" and mebibytes % 1024:
            raise ValueError("write whole GiB")
        return mebibytes // 1024 if unit == "GiB" else mebibytes

    return read


_SIZE_SCHEMA: Json = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*[0-9]+ ?(MiB|GiB)?\s*$"}]
}

Mebibytes = Annotated[int, BeforeValidator(_size_in("MiB")), WithJsonSchema({**_SIZE_SCHEMA, "examples": ["2GiB"]})]
"""MiB as a number, or text such as `2GiB`."""

Gibibytes = Annotated[int, BeforeValidator(_size_in("GiB")), WithJsonSchema({**_SIZE_SCHEMA, "examples": ["30GiB"]})]
"""GiB as a number, or text such as `30GiB`."""


def _as_text(value: Any) -> Any:
    """Return a whole number as its digits, which are exact: `reading` keeps numbers that begin with 0 as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_TEXT_SCHEMA: Json = {"type": ["string", "integer"], "minLength": 1}

Text = Annotated[str, BeforeValidator(_as_text), StringConstraints(min_length=1), WithJsonSchema(_TEXT_SCHEMA)]
"""Text that is not empty."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Marks text that `pattern` matches whole; `remedy` says what to write otherwise."""

    pattern: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        takes_digits = re.fullmatch(self.pattern, "123456789012") is not None
        kinds = ["string", "integer"] if takes_digits else "string"
        return {"type": kinds, "pattern": f"^(?:{self.pattern})$"}

    def _checked(self, value: Any) -> Any:
        text = _as_text(value)
        if isinstance(text, str) and re.fullmatch(self.pattern, text) is None:
            raise ValueError(self.remedy)
        return text


def _scalar_text(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return value


Scalar = Annotated[
    str,
    BeforeValidator(_scalar_text),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
"""Any single value, as the text that a program gets. `reading` keeps it as it is written in the file."""

ListOf = Annotated[tuple[T, ...], Strict(False)]
"""A list, kept as a tuple."""

ServiceName = Annotated[
    str,
    Matching(
        r"(?!.*--)[a-z][a-z0-9-]{0,38}[a-z0-9]",
        "write 2 to 40 lower-case letters, digits and single hyphens, such as queue-consumer: "
        "the names of the queue, the image repository and the stack are made of it",
    ),
]
EnvironmentName = Annotated[
    str,
    Matching(
        r"(?!.*--)[a-z][a-z0-9-]{0,18}[a-z0-9]",
        "write 2 to 20 lower-case letters, digits and single hyphens, such as test",
    ),
]
VariableName = Annotated[
    str, Matching(r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name is made of letters, digits and _, such as LOG_LEVEL")
]


def arn_of(service: str, example: str) -> Matching:
    """Mark the ARN of something of `service`."""
    return Matching(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:[0-9]{{12}}:.+", f"write an ARN such as {example}")
