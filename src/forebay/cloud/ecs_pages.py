"""Lists in pages: `maxResults` and `nextToken` of the local ECS API.

Rules kept here and nowhere else:

1. A page goes on after the last entry of the one before, wherever that stands by now; if it is gone, at its place.
2. A token is opaque; one that is not ours is InvalidParameterException.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from forebay.cloud.ecs_errors import Params, invalid_parameter, number_of, optional_text_of

MAX_RESULTS = 100


def page(entries: Sequence[str], params: Params, *, member: str, size: int = MAX_RESULTS) -> dict[str, Any]:
    """Return the part of `entries` that is asked for, as the answer's `member`, with a token if there is more."""
    size = number_of(params, "maxResults", at_least=1, at_most=MAX_RESULTS) or size
    token = optional_text_of(params, "nextToken")
    start = _start(entries, token) if token else 0
    shown = list(entries[start : start + size])
    end = start + len(shown)
    return {member: shown} | ({"nextToken": _token(end, shown[-1])} if end < len(entries) and shown else {})


def _token(end: int, last: str) -> str:
    return urlsafe_b64encode(f"{end} {last}".encode()).decode()


def _start(entries: Sequence[str], token: str) -> int:
    try:
        number, _, last = urlsafe_b64decode(token.encode()).decode().partition(" ")
        end = int(number)
    except (binascii.Error, ValueError):
        raise invalid_parameter("nextToken is none that was given here.") from None
    try:
        return entries.index(last) + 1
    except ValueError:
        return max(0, end - 1)
