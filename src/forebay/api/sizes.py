"""A number of bytes as people write it: `1048576`, `"512MiB"`, `"1.5 GB"`; whole bytes inside."""

from __future__ import annotations

import re

from forebay.errors import SettingsError

Size = int | str
"""Bytes as a number, or text with a unit."""

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_TEXT = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z]*)")
_TEXT_MAX = 32


def size_bytes(name: str, value: Size) -> int:
    """Return the size in bytes, 1 or more. Raises `SettingsError`, which names `name`, for everything else."""
    if isinstance(value, str):
        found = _TEXT.fullmatch(value[:_TEXT_MAX].strip().lower().replace(" ", ""))
        if found is None or found[2] not in _UNITS:
            raise SettingsError(f"{name}={value[:_TEXT_MAX]!r} is no size: write bytes, or such as '512MiB' or '1GB'")
        amount = int(float(found[1]) * _UNITS[found[2]])
    elif type(value) is int:
        amount = value
    else:
        raise SettingsError(f"{name} is of type {type(value).__name__}: write bytes, or such as '512MiB' or '1GB'")
    if amount < 1:
        raise SettingsError(f"{name}={value} must be at least one byte")
    return amount
