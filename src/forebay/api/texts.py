"""What counts as text where a setting needs some: not every program is seen by a type checker."""

from __future__ import annotations

from typing import TypeGuard


def is_filled_text(value: object) -> TypeGuard[str]:
    """Say whether `value` is text, and not blank."""
    return isinstance(value, str) and bool(value.strip())
