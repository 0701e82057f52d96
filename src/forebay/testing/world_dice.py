"""Draws how the users' code in the simulated world goes: how long a call lasts, and how its attempts end."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from forebay.model import SUCCEEDED, Crashed, Failed, Interrupted, Outcome, Postponed, Rejected
from forebay.testing.world_plan import CodePlan, Plan

if TYPE_CHECKING:
    from forebay.testing.world_time import Time


class Dice:
    """What one worker's code is like."""

    def __init__(self, plan: Plan, time: Time, rng: Random) -> None:
        self._plan = plan
        self._time = time
        self._rng = rng

    def length_s(self, plan: CodePlan, limit_s: float) -> float:
        """Draw how long a call lasts."""
        rng = self._rng
        if plan.lasts_s is not None:
            return plan.lasts_s
        if rng.random() < plan.long:
            # Renewals cost the simulation time, so nothing runs for more than forty leases.
            return min(limit_s * rng.uniform(0.1, 1.5), 40.0 * self._plan.settings.visibility_s)
        return rng.choice([0.0, 0.05, 0.2, 1.0]) * rng.random()

    def outcomes(self, plan: CodePlan, job: str, count: int) -> list[Outcome]:
        """Draw how a call ends: each attempt of a batch by itself, or all of them as its exception has it."""
        if any(one.job == job and one.from_at <= self._time.now < one.until_at for one in self._plan.outages):
            return [Failed("app.Unreachable", "f00d")] * count
        if self._rng.random() < 0.5:
            return [self._draw_outcome(plan)] * count
        return [self._draw_outcome(plan) for _ in range(count)]

    def _draw_outcome(self, plan: CodePlan) -> Outcome:
        rng = self._rng
        dice = rng.random()
        if (dice := dice - plan.fail) < 0:
            return Failed("app.Broken", "f00d")
        if (dice := dice - plan.postpone) < 0:
            return Postponed(rng.choice([None, 0.0, 0.5, 7.0, 100.0, 100_000.0]))
        if (dice := dice - plan.reject) < 0:
            return Rejected("no use")
        if (dice := dice - plan.crash) < 0:
            return Crashed(-9)
        if dice - plan.cancel < 0:
            return Interrupted()
        return SUCCEEDED
