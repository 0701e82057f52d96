"""What follows from the end of an attempt: one settlement for each outcome.

Rules kept here and nowhere else:

1. Only a success deletes. Only a failed outcome or a rejection buries; a release never counts against a job.
2. SQS keeps no note of ours on a message, so the only count is ApproximateReceiveCount, which counts releases too:
   a job is given up when it fails and `receive_count >= attempts_max`.
3. Delays grow exponentially with full jitter, in whole seconds, at least one (a release at once invites a hot loop)
   and never past SQS's 12 h ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, assert_never

from forebay.model import Continued, Crashed, Failed, Interrupted, Outcome, Postponed, Rejected, Succeeded, TimedOut

if TYPE_CHECKING:
    from random import Random

BACKOFF_FIRST_S = 2.0
BACKOFF_CEILING_S = 900.0
ATTEMPTS_DEFAULT = 5


@dataclass(frozen=True, slots=True)
class SettleByDelete:
    """The job is done."""


@dataclass(frozen=True, slots=True)
class SettleByRelease:
    """Give it back, visible again after `delay_s`. `is_retry`: the attempt counts as one; else it was our doing."""

    delay_s: float
    is_retry: bool


@dataclass(frozen=True, slots=True)
class SettleByBurial:
    """Hopeless: to the dead-letter queue with `reason`."""

    reason: str


Settlement = SettleByDelete | SettleByRelease | SettleByBurial

DELETE = SettleByDelete()
GIVE_BACK = SettleByRelease(0.0, is_retry=False)


def backoff_edge_s(failures: int, *, first_s: float = BACKOFF_FIRST_S, ceiling_s: float = BACKOFF_CEILING_S) -> float:
    """Return the upper edge of the delay after `failures` failures, in seconds; jitter is the caller's.

    Doubles from `first_s` at the first failure and never passes `ceiling_s`.
    """
    assert failures >= 1, failures
    assert 0 < first_s <= ceiling_s, (first_s, ceiling_s)
    return float(min(first_s * 2.0 ** min(failures - 1, 30), ceiling_s))  # 2**30: past any ceiling, short of overflow


def retry_delay_s(receive_count: int, rng: Random) -> float:
    """Draw the delay before the next attempt: whole seconds from 1 to the back-off's edge."""
    return float(max(1, ceil(rng.random() * backoff_edge_s(max(1, receive_count)))))


def attempts_allowed(*, attempts_max: int | None, receive_count_max: int | None) -> int:
    """Return how many deliveries a job gets before a failure is final.

    `attempts_max` is the job's own setting. Without one it is 5, or the queue's maxReceiveCount when that is smaller.
    """
    if attempts_max is not None:
        return attempts_max
    return min(ATTEMPTS_DEFAULT, receive_count_max or ATTEMPTS_DEFAULT)


def settlement(outcome: Outcome, *, receive_count: int, attempts: int, rng: Random) -> Settlement:
    """Return what to do with a delivery whose attempt ended in `outcome`."""
    match outcome:
        case Succeeded():
            return DELETE
        case Rejected(reason=reason):
            return SettleByBurial(reason)
        case Postponed(delay_s=delay_s):
            return SettleByRelease(delay_s if delay_s is not None else retry_delay_s(receive_count, rng), is_retry=True)
        case Interrupted() | Continued():
            return GIVE_BACK
        case Failed() | TimedOut() | Crashed():
            if receive_count >= attempts:
                return SettleByBurial(f"{describe(outcome)} on delivery {receive_count} of {attempts}")
            return SettleByRelease(retry_delay_s(receive_count, rng), is_retry=True)
        case _:
            assert_never(outcome)


def describe(outcome: Failed | TimedOut | Crashed) -> str:
    """Say in a few words, without user data, how an attempt failed."""
    match outcome:
        case Failed(error=error):
            return f"failed with {error}"
        case TimedOut(limit_s=limit_s):
            return f"exceeded its timeout of {limit_s:g} s"
        case Crashed(exit_code=exit_code):
            return f"crashed with exit code {exit_code}"
        case _:
            assert_never(outcome)
