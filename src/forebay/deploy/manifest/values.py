"""How one value of a manifest is read: durations, sizes, names. Pure.

Each reader raises `ValueError` whose text says what would do; the place is the reader's caller's to tell.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from forebay.api import durations
from forebay.errors import SettingsError


def _duration(value: Any) -> float:
    try:
        return durations.seconds("", value)
    except SettingsError as error:
        raise ValueError(
            str(error).partition(": ")[2] or "write a length of time such as '90s', '5m' or '4d'"
        ) from None


Seconds = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "description": "seconds, or text such as '90s', '5m', '1h30m', '4d'",
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^[0-9.]+(ms|s|m|h|d)?"}],
        }
    ),
]
"""A length of time: seconds as a number, or text such as `5m`."""

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]
"""Fits into every name made of it: ECR repositories are lower case, queue names have 80 characters."""

EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]

Text = Annotated[str, StringConstraints(min_length=1)]
