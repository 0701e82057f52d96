"""What a value of a file is: a section or a list of anything. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard


def is_section(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it has keys."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether it is a list."""
    return isinstance(value, list)
