"""What follows from the end of an attempt: one settlement for each outcome.

Rules kept here and nowhere else:

1. Only a success deletes. Only a failed outcome or a rejection buries; a release never counts against a job.
2. SQS keeps no note of ours on a message, so by default the only count is ApproximateReceiveCount, which counts
   releases too. With `retry="resend"` the count travels with the copy that takes the place of a failed message, and is
   exact. Either way a job is given up when it fails and has reached its limit.
3. Delays grow exponentially with full jitter, in whole seconds, at least one (a release at once invites a hot loop)
   and never past SQS's 12 h ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class SettleByResend:
    """Send it again, to be seen after `delay_s`, then delete this delivery. `is_retry`: after a failed attempt."""

    delay_s: float
    is_retry: bool
    attempts: int
    """Attempts that are counted by now."""
    state: str | None = field(repr=False)
    """What the job goes on from (JSON)."""


Settlement = SettleByDelete | SettleByRelease | SettleByBurial | SettleByResend

DELETE = SettleByDelete()
GIVE_BACK = SettleByRelease(0.0, is_retry=False)


def backoff_edge_s(failures: int, *, first_s: float = BACKOFF_FIRST_S, ceiling_s: float = BACKOFF_CEILING_S) -> float:
    """Return the upper edge of the delay after `failures` failures, in seconds; jitter is the caller's.

    Doubles from `first_s` at the first failure and never passes `ceiling_s`.
    """
    assert failures >= 1, failures
    assert 0 < first_s <= ceiling_s, (first_s, ceiling_s)
    return float(min(first_s * 2.0 ** min(failures - 1, 30), ceiling_s))  # 2**30: past any ceiling, short of overflow


def retry_delay_s(
    count: int, rng: Random, *, first_s: float = BACKOFF_FIRST_S, ceiling_s: float = BACKOFF_CEILING_S
) -> float:
    """Draw the delay before the next attempt: whole seconds from 1 to the back-off's edge."""
    return float(max(1, ceil(rng.random() * backoff_edge_s(max(1, count), first_s=first_s, ceiling_s=ceiling_s))))


def attempts_allowed(*, attempts_max: int | None, receive_count_max: int | None) -> int:
    """Return how many deliveries (or attempts, where they are counted exactly) a job gets before a failure is final.

    `attempts_max` is the setting of the job, else of the worker. Without one it is 5, or the queue's maxReceiveCount
    when that is smaller.
    """
    if attempts_max is not None:
        return attempts_max
    return min(ATTEMPTS_DEFAULT, receive_count_max or ATTEMPTS_DEFAULT)


def settlement(
    outcome: Outcome,
    *,
    count: int,
    attempts: int,
    rng: Random,
    backoff_s: tuple[float, float] = (BACKOFF_FIRST_S, BACKOFF_CEILING_S),
    unit: str = "delivery",
) -> SettleByDelete | SettleByRelease | SettleByBurial:
    """Return what to do with a delivery whose attempt, the job's `count`-th, ended in `outcome`."""
    first_s, ceiling_s = backoff_s
    match outcome:
        case Succeeded():
            return DELETE
        case Rejected(reason=reason):
            return SettleByBurial(reason)
        case Postponed(delay_s=delay_s):
            if delay_s is None:
                delay_s = retry_delay_s(count, rng, first_s=first_s, ceiling_s=ceiling_s)
            return SettleByRelease(delay_s, is_retry=True)
        case Interrupted() | Continued():
            return GIVE_BACK
        case Failed() | TimedOut() | Crashed():
            if count >= attempts:
                return SettleByBurial(f"{describe(outcome)} on {unit} {count} of {attempts}")
            return SettleByRelease(retry_delay_s(count, rng, first_s=first_s, ceiling_s=ceiling_s), is_retry=True)
        case _:
            assert_never(outcome)


def describe(outcome: Failed | TimedOut | Crashed) -> str:
    """Say in a few words, without user data, how an attempt failed."""
    match outcome:
        case Failed(error=error):
            return f"failed with {error}"
        case TimedOut(limit_s=limit_s):
            return f"exceeded its timeout of {limit_s:g} s"
        case Crashed(exit_code=exit_code, signal=signal):
            return f"crashed with {signal or f'exit code {exit_code}'}"
        case _:
            assert_never(outcome)
