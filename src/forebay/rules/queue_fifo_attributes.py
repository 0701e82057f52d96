"""The attributes that make a queue a FIFO one, and those that only a FIFO queue has.

Rules kept here and nowhere else (API reference, CreateQueue; facts/sqs.md section 2):

1. `FifoQueue` is true, and only at a queue's creation: a standard queue does not know the attribute, nor the others.
2. A FIFO queue's name ends in `.fifo`, which counts towards its 80 characters; no other name does.
3. `FifoThroughputLimit=perMessageGroupId` needs `DeduplicationScope=messageGroup`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from forebay.rules import queue_errors as errors

FIFO_SUFFIX = ".fifo"
FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}

_VALUES = {
    "FifoQueue": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")


def check_name(name: str, *, is_fifo: bool) -> None:
    """Raise for what cannot be the name of such a queue."""
    if is_fifo and not _FIFO_NAME.fullmatch(name):
        raise errors.invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length"
        )
    if not is_fifo and not _NAME.fullmatch(name):
        raise errors.invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def is_fifo_after(changes: Mapping[str, str], before: Mapping[str, str] | None) -> bool:
    """Return whether the queue is a FIFO one; `before` is None for a new queue.

    Raises `ServiceFailure` for FIFO attributes that it cannot have.
    """
    is_fifo = (changes if before is None else before).get("FifoQueue") == "true"
    for name in FIFO_DEFAULTS:
        if name in changes:
            _check(name, changes[name], is_fifo=is_fifo)
    after = {**(before or {}), **changes}
    if after.get("FifoThroughputLimit") == "perMessageGroupId" and after.get("DeduplicationScope") != "messageGroup":
        reason = "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup."
        raise errors.invalid_attribute_value("FifoThroughputLimit", reason)
    return is_fifo


def _check(name: str, value: str, *, is_fifo: bool) -> None:
    if not is_fifo:
        raise errors.unknown_attribute(name)
    if value not in _VALUES[name]:
        raise errors.invalid_attribute_value(name, f"'{value[:40]}' is none of {', '.join(_VALUES[name])}.")
    if name == "FifoQueue" and value == "false":
        raise errors.invalid_attribute_value(name, "Modifying queue type is not supported.")
