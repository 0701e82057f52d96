"""What the last change of the count still forbids.

Rules kept here and nowhere else:

1. During the cooldown of a scale-out a larger one goes through. Larger means more tasks above the running count than
   the one before asked for: what that one added counts as there already (API_TargetTrackingScalingPolicyConfiguration,
   and the example of the step-scaling page: a step of 2, then one of 3, adds 1).
2. During the cooldown of a scale-in there is no other; a scale-out ends it.
3. A change that the service never took began no cooldown. AWS counts from the activity's success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["out", "in", "mend"]
"""`mend`: waking from zero, and coming back within the bounds; neither has a cooldown of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A count that was ordered."""

    kind: Kind
    at: float
    count: int
    step: int = 0
    """Tasks above the running count."""


class Cooldown:
    """Remembers the last change that was carried out."""

    __slots__ = ("_done", "_in_s", "_ordered", "_out_s")

    def __init__(self, *, out_s: float, in_s: float) -> None:
        self._out_s = out_s
        self._in_s = in_s
        self._ordered: Change | None = None
        self._done: Change | None = None

    def order(self, change: Change) -> None:
        """A change has been decided; whether it happens is seen at the next reading."""
        self._ordered = change

    def see(self, desired: int) -> None:
        """The service wants so many tasks: was the last order carried out?"""
        if self._ordered is not None and self._ordered.count == desired:
            self._done = self._ordered
        self._ordered = None

    def scale_out_left_s(self, step: int, *, now: float) -> float:
        """Return for how long a scale-out to `step` tasks above the running count must wait; 0 if it need not."""
        done = self._done
        if done is None or done.kind != "out" or step > done.step:
            return 0.0
        return max(0.0, done.at + self._out_s - now)

    def scale_in_left_s(self, *, now: float) -> float:
        """Return for how long a scale-in must wait; 0 if it need not."""
        done = self._done
        if done is None or done.kind != "in":
            return 0.0
        return max(0.0, done.at + self._in_s - now)

    @property
    def last_step(self) -> int:
        """Of the scale-out whose cooldown runs."""
        return self._done.step if self._done is not None else 0
