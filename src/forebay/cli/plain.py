"""Values as plain JSON: what `--json` prints. Pure.

Rules kept here and nowhere else:

1. Keys are the names of the fields; instants are UTC with milliseconds and a `Z`.
2. What could not be read is `{"unread": "why"}` in the place of the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, cast

from forebay.deploy.live.values import Unread
from forebay.observability.lines import timestamp


def plain(value: object) -> Any:
    """Return the value as `json.dumps` takes it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Unread(reason=reason):
            return {"unread": reason}
        case datetime():
            return timestamp(value)
        case tuple() | list():
            return [plain(one) for one in cast("list[object]", value)]
        case Mapping():
            return {str(key): plain(one) for key, one in cast("Mapping[object, object]", value).items()}
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            raise AssertionError(f"{type(value).__name__} has no form in JSON")
