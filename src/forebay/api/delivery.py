"""How one message is to travel: wishes as a producer writes them, checked before anything is sent.

Rules kept here and nowhere else:

1. What SQS would refuse is refused where it is written, with the value and the remedy.
2. `at` is a moment, so what is left until it is counted when a message is made, not when the wish is written. It is
   rounded up: a job is never early.
3. Attributes of the sender's own never take a name that means something to a worker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypedDict, Unpack, cast

from forebay.api.durations import Duration, seconds
from forebay.api.texts import is_filled_text
from forebay.errors import SettingsError
from forebay.model import JOB_ATTRIBUTE, MessageAttribute
from forebay.queue.contents import ATTRIBUTES_MAX, problem
from forebay.queue.port import Outgoing

DELAY_MAX_S = 900
"""15 minutes: the longest delay that SQS gives a message (facts/sqs.md section 2)."""

OWN_PREFIX = "forebay."
"""Attributes of ours begin with it."""

AttributeValue = str | int | float | Decimal | bytes | MessageAttribute
"""What an attribute may be: text is a String, numbers are a Number, bytes are Binary."""


class Wishes(TypedDict, total=False):
    """What `options(…)` takes."""

    delay: Duration | None
    """Hide the message so long first: up to 15 minutes, in a standard queue."""
    at: datetime | None
    """Hide it until then: an aware time, at most 15 minutes from now. One that has passed means at once."""
    group: str | None
    """The message group: order in a FIFO queue, fairness in a standard one."""
    dedupe: str | None
    """The deduplication id of a FIFO queue: a second message with it within 5 minutes is dropped."""
    attributes: Mapping[str, AttributeValue] | None
    """Message attributes of your own; a handler finds them in `ctx.message.attributes`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one message is to be delivered."""

    delay_s: int = 0
    at_utc: datetime | None = None
    group: str | None = None
    dedupe: str | None = None
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict[str, MessageAttribute], repr=False)

    @classmethod
    def of(cls, **wishes: Unpack[Wishes]) -> Delivery:
        """Return the checked wishes. Raises `SettingsError` for what SQS cannot do."""
        unheard = sorted(wishes.keys() - Wishes.__annotations__.keys())
        if unheard:
            raise TypeError(f"options() has no {unheard[0]!r}; there are {', '.join(Wishes.__annotations__)}")
        delay, at = wishes.get("delay"), wishes.get("at")
        if delay is not None and at is not None:
            raise SettingsError("delay=… and at=… both say when: give one of them")
        delay_s = 0 if delay is None else math.ceil(seconds("delay", delay))
        if delay_s > DELAY_MAX_S:
            raise SettingsError(f"delay={delay_s} s is over 15 minutes, the longest that SQS delays a message")
        if at is not None:
            delay_until(at, now_utc=datetime.now(UTC))
        attributes = _attributes(wishes.get("attributes"))
        group, dedupe = _token("group", wishes.get("group")), _token("dedupe", wishes.get("dedupe"))
        delivery = cls(delay_s, at, group, dedupe, attributes)
        fault = problem(Outgoing("{}", attributes, 0, delivery.group, delivery.dedupe))
        if fault is not None or len(attributes) >= ATTRIBUTES_MAX:
            raise SettingsError(
                f"options(): {fault or f'SQS takes {ATTRIBUTES_MAX} attributes, and one names the job'}"
            )
        return delivery

    def wait_s(self) -> int:
        """Return how long a message made now is to be hidden. Raises `SettingsError` for an `at` too far away."""
        return self.delay_s if self.at_utc is None else delay_until(self.at_utc, now_utc=datetime.now(UTC))


def delay_until(at: datetime, *, now_utc: datetime) -> int:
    """Return the whole seconds from `now_utc` until `at`, 0 if it has passed. Raises `SettingsError`."""
    if not _is_moment(at):
        raise SettingsError(
            f"at is of type {type(at).__name__}: write a datetime with a time zone, such as "
            "datetime.now(UTC) + timedelta(minutes=5)"
        )
    if at.utcoffset() is None:
        raise SettingsError(
            f"at={at.isoformat()} has no time zone, so it names no moment: write datetime.now(UTC) + timedelta(…), "
            "or at.astimezone() for local time"
        )
    wait_s = math.ceil((at - now_utc).total_seconds())
    if wait_s > DELAY_MAX_S:
        raise SettingsError(
            f"at={at.isoformat()} is {wait_s:,} s away, and SQS delays a message by 15 minutes at most. Keep it until "
            "then where schedules are kept (EventBridge Scheduler can send to a queue)"
        )
    return max(0, wait_s)


def _is_moment(at: object) -> bool:
    return isinstance(at, datetime)


def _token(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{name} is of type {type(value).__name__}: write text, such as {name}=str(…)")
    return value


def _attributes(given: object) -> dict[str, MessageAttribute]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SettingsError(f"attributes is of type {type(given).__name__}: write a dict of names and values")
    attributes = cast("Mapping[str, AttributeValue]", given)
    return {name: _attribute(name, value) for name, value in attributes.items()}


def _attribute(name: str, value: AttributeValue) -> MessageAttribute:
    if not is_filled_text(name):
        raise SettingsError(f"the attribute {name!r} has no name that SQS takes: names are text")
    if name == JOB_ATTRIBUTE or name.lower().startswith(OWN_PREFIX):
        raise SettingsError(f"the attribute {name!r} is Forebay's own: choose another name")
    match value:
        case MessageAttribute():
            return value
        case str():
            return MessageAttribute("String", value)
        case bytes():
            return MessageAttribute("Binary", value)
        case bool():
            raise SettingsError(f"the attribute {name!r} is a bool, which SQS does not have: write 'true' or 1")
        case int() | Decimal() | float() if math.isfinite(value):
            return MessageAttribute("Number", str(value))
        case _:
            kind = type(cast("object", value)).__name__
            raise SettingsError(f"the attribute {name!r} ({kind}) is no text, no finite number and no bytes")
