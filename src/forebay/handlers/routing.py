"""What a body says of the job that it is for, when no attribute names one. Pure and bounded: the control loop asks it.

Rules kept here and nowhere else:

1. Only the members of the outermost JSON object count, those whose value is text, in the first 64 Ki characters.
2. It stops at the last member that it was asked for. SNS writes `Subject` before `Message`, and EventBridge
   `detail-type` before `detail`, so that what they carry is hardly ever read here.
3. A body that is no JSON object says nothing. Whether it is valid is for the job to find out.
4. What a body says is never told: it may be anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

EXAMINED_MAX = 65_536
"""Characters of a body that are looked at: at worst 1.5 ms of the control loop's time, and 10 µs as a rule."""

SNS_TYPE = "Type"
SNS_NOTIFICATION = "Notification"
SNS_SUBJECT = "Subject"
EVENT_DETAIL_TYPE = "detail-type"

Envelope = Literal["sns", "event"]

_OPENING = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*")
_MEMBER = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"[ \t\n\r]*:[ \t\n\r]*')
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


def texts_of(body: str, names: Collection[str]) -> dict[str, str]:
    """Return the named members of a JSON object, those that are text."""
    found: dict[str, str] = {}
    missing = set(names)
    try:
        for name, value in _members(body[:EXAMINED_MAX]):
            if name in missing:
                missing.discard(name)
                if isinstance(value, str):
                    found[name] = value
                if not missing:
                    break
    except (ValueError, RecursionError):
        # Not JSON, cut off by our bound or nested too deeply: what stood before it holds.
        pass
    return found


def envelope_of(texts: Mapping[str, str], *, subject: str | None, detail_type: str | None) -> Envelope | None:
    """Return the envelope that leads to a job with this subject and this detail-type, if it is one of the two."""
    if subject is not None and texts.get(SNS_SUBJECT) == subject and texts.get(SNS_TYPE) == SNS_NOTIFICATION:
        return "sns"
    if detail_type is not None and texts.get(EVENT_DETAIL_TYPE) == detail_type:
        return "event"
    return None


def _members(text: str) -> Iterator[tuple[str, object]]:
    """Yield the members of the object in `text`, one after the other. Raises `ValueError` where it is not JSON."""
    opening = _OPENING.match(text)
    member = _MEMBER.match(text, opening.end()) if opening is not None else None
    while member is not None:
        name = member[1]
        value, end = _decode(text, member.end())
        yield (json.loads(f'"{name}"') if "\\" in name else name), value
        comma = _COMMA.match(text, end)
        member = _MEMBER.match(text, comma.end()) if comma is not None else None
