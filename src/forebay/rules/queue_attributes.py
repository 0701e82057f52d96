"""The attributes of a queue: which exist, what they default to, and which values are legal.

Rules kept here and nowhere else:

1. Attributes travel as strings (API reference, SetQueueAttributes); bounds and defaults are those of
   facts/sqs.md section 2.
2. An unknown name, or one that only SQS may write, is InvalidAttributeName; a bad value InvalidAttributeValue.

Those of FIFO queues are in `queue_fifo_attributes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from forebay.rules import queue_errors as errors
from forebay.rules.queue_access import check_policy
from forebay.rules.queue_encryption import settle_encryption, shown_encryption
from forebay.rules.queue_fifo_attributes import FIFO_DEFAULTS, is_fifo_after

_WHOLE_NUMBERS = {
    "VisibilityTimeout": (0, 43_200),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_DEFAULTS = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
}
_TEXTS = ("Policy", "KmsMasterKeyId", "SqsManagedSseEnabled")
READ_ONLY = (
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
)
_KNOWN = frozenset((*_WHOLE_NUMBERS, *_TEXTS, *FIFO_DEFAULTS, *READ_ONLY, "RedrivePolicy", "RedriveAllowPolicy"))


class Redrive(NamedTuple):
    """A RedrivePolicy: where a message goes at the receive that would exceed `receive_count_max`."""

    dead_letter_arn: str
    receive_count_max: int


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """The writable attributes of one queue, parsed once."""

    given: Mapping[str, str] = field(default_factory=dict[str, str])
    """As the caller wrote them, without the defaults: what a second CreateQueue is compared with."""
    visibility_s: int = 30
    size_max_bytes: int = 1_048_576
    retention_s: int = 345_600
    delay_s: int = 0
    wait_s: int = 0
    redrive: Redrive | None = None
    is_fifo: bool = False
    is_content_based: bool = False
    """Bodies give deduplication ids where the sender gives none."""
    is_deduplicated_by_group: bool = False

    @property
    def dead_letter_arn(self) -> str | None:
        """Where dead letters go; None when they go nowhere."""
        return None if self.redrive is None else self.redrive.dead_letter_arn

    @property
    def shown(self) -> dict[str, str]:
        """What GetQueueAttributes tells of them, defaults included."""
        fifo = FIFO_DEFAULTS if self.is_fifo else {}
        return {**_DEFAULTS, **fifo, **shown_encryption(self.given), **self.given}


def parse_attributes(changes: Mapping[str, str], before: Mapping[str, str] | None = None) -> QueueAttributes:
    """Return the attributes after `changes` to `before`. Raises `ServiceFailure` for what SQS refuses."""
    given = dict(before or {})
    for name, value in changes.items():
        _check_name(name, value)
        if name in ("RedrivePolicy", "RedriveAllowPolicy", "Policy") and value == "":
            given.pop(name, None)  # An empty string takes a policy away.
        else:
            given[name] = value
    is_fifo = is_fifo_after(changes, before)
    settle_encryption(given, changes)
    if changes.get("Policy"):
        check_policy(changes["Policy"])
    numbers = {name: _whole_number(name, given.get(name, _DEFAULTS.get(name, "300"))) for name in _WHOLE_NUMBERS}
    redrive_allow(given)
    return QueueAttributes(
        given=given,
        visibility_s=numbers["VisibilityTimeout"],
        size_max_bytes=numbers["MaximumMessageSize"],
        retention_s=numbers["MessageRetentionPeriod"],
        delay_s=numbers["DelaySeconds"],
        wait_s=numbers["ReceiveMessageWaitTimeSeconds"],
        redrive=_redrive(given["RedrivePolicy"]) if "RedrivePolicy" in given else None,
        is_fifo=is_fifo,
        is_content_based=given.get("ContentBasedDeduplication") == "true",
        is_deduplicated_by_group=given.get("DeduplicationScope") == "messageGroup",
    )


def check_known(names: frozenset[str]) -> None:
    """Raise for a name that GetQueueAttributes does not know."""
    for name in sorted(names - _KNOWN - {"All"}):
        raise errors.unknown_attribute(name)


def redrive_allow(given: Mapping[str, str]) -> tuple[str, frozenset[str]]:
    """Return the RedriveAllowPolicy as its permission and the source ARNs that it names."""
    if "RedriveAllowPolicy" not in given:
        return "allowAll", frozenset()
    policy = _json_object("RedriveAllowPolicy", given["RedriveAllowPolicy"])
    permission = policy.get("redrivePermission", "allowAll")
    sources = policy.get("sourceQueueArns", [])
    if permission not in ("allowAll", "denyAll", "byQueue") or not isinstance(sources, list):
        reason = "redrivePermission is allowAll, denyAll or byQueue, and sourceQueueArns a list."
        raise errors.invalid_attribute_value("RedriveAllowPolicy", reason)
    arns = frozenset(str(arn) for arn in cast("list[object]", sources))
    if (permission == "byQueue") != bool(arns) or len(arns) > 10:
        raise errors.invalid_attribute_value(
            "RedriveAllowPolicy", "byQueue takes one to ten sourceQueueArns, the other permissions take none."
        )
    return permission, arns


def _check_name(name: str, value: object) -> None:
    if name not in _KNOWN or name in READ_ONLY:
        raise errors.unknown_attribute(name)
    if not isinstance(value, str):
        raise errors.invalid_attribute_value(name)


def _whole_number(name: str, value: str) -> int:
    low, high = _WHOLE_NUMBERS[name]
    # isdigit alone would let through digits that int() refuses, such as superscripts; the length, numbers without end.
    if not (value.isascii() and value.isdigit() and len(value) < 20) or not low <= int(value) <= high:
        reason = f"'{value[:40]}' is not a whole number from {low} to {high}."
        raise errors.invalid_attribute_value(name, reason)
    return int(value)


def _redrive(text: str) -> Redrive:
    policy = _json_object("RedrivePolicy", text)
    arn = policy.get("deadLetterTargetArn")
    count = policy.get("maxReceiveCount")
    if arn is None:
        raise _bad_redrive(text, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    if count is None:
        raise _bad_redrive(text, "Redrive policy does not contain mandatory attribute: maxReceiveCount.")
    if not isinstance(arn, str) or not arn.startswith("arn:"):
        raise _bad_redrive(text, "Invalid value for deadLetterTargetArn.")
    # Number or string, says facts/sqs.md section 3.
    if isinstance(count, bool) or not str(count).isdigit() or not 1 <= int(count) <= 1_000:
        reason = f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
        raise _bad_redrive(text, reason)
    return Redrive(arn, int(count))


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        value: object = json.loads(text)
    except ValueError:
        raise errors.invalid_value(name, text, "Amazon SQS can't parse the JSON.") from None
    if not isinstance(value, dict):
        raise errors.invalid_value(name, text, "It must be a JSON object.")
    return cast("dict[str, Any]", value)


def _bad_redrive(text: str, reason: str) -> errors.ServiceFailure:
    return errors.invalid_value("RedrivePolicy", text, reason)
