"""A length of time as people write it: `90`, `"90s"`, `"5m"`, `"1h30m"`, `"250ms"` or a `timedelta`; seconds inside."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from forebay.errors import SettingsError

Duration = float | str | timedelta
"""Seconds as a number, text such as `"1h30m"`, or a `timedelta`."""

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|d|h|m|s)")
_WHOLE = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|d|h|m|s))+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_TEXT_MAX = 64


def seconds(name: str, value: Duration) -> float:
    """Return the duration in seconds, finite and not negative.

    Raises `SettingsError`, which names `name`, for everything else.
    """
    match value:
        case timedelta():
            amount = value.total_seconds()
        case str():
            amount = _parsed(name, value)
        case bool():
            raise SettingsError(f"{name}={value} is no duration: write seconds, or text such as '5m' or '1h30m'")
        case int() | float():
            amount = float(value) if abs(value) < 1e15 else math.inf
        case _:
            raise SettingsError(
                f"{name} is of type {type(value).__name__}: write seconds, text as '5m', or a timedelta"
            )
    if not math.isfinite(amount) or amount < 0:
        raise SettingsError(f"{name}={amount:g} must be a finite number of seconds, 0 or more")
    return amount


def _parsed(name: str, text: str) -> float:
    compact = text.strip().lower().replace(" ", "") if len(text) <= _TEXT_MAX else ""
    if _NUMBER.fullmatch(compact):
        return float(compact)
    if not _WHOLE.fullmatch(compact):
        raise SettingsError(
            f"{name}={text[:_TEXT_MAX]!r} is no duration: write such as '90s', '5m', '1h30m' or '250ms'"
        )
    parts = _PART.findall(compact)
    units = [unit for _, unit in parts]
    if len(set(units)) != len(units):
        raise SettingsError(f"{name}={text!r} names a unit twice: write each unit once, such as '1h30m'")
    return math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)
