"""The ECS agent of one simulated task: it protects, refuses, or does one and leaves the other open.

Rules kept here and nowhere else:

1. `protected_until` is the truth, which ECS acts on; an answer may be lost, wrong by a clock, or refused.
2. Answers mean what `protection.port` says, and every call gets exactly one within the adapter's time-out.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld
from forebay.testing.world_plan import AgentPlan

if TYPE_CHECKING:
    from forebay.testing.world_time import Time

CALL_MAX_S = 6.0
"""The adapter's time-out (DESIGN decision 7)."""

READING_ERROR_S = 1.0
"""Expiry and Date have whole seconds each, so the time left may be wrong by one."""

LEFTOVER_S = 1_800.0


class Agent:
    """Task protection of one task."""

    def __init__(self, plan: AgentPlan, time: Time, rng: Random) -> None:
        self._plan = plan
        self._time = time
        self._rng = rng
        self._is_calm = False
        self.protected_until = LEFTOVER_S + time.now if plan.is_held_at_start else float("-inf")
        self.last_trouble_at = float("-inf")
        self.is_lasting = False
        """Whether the last answer to a change was a lasting refusal."""
        self.calls = 0

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self._is_calm = True

    @property
    def is_protecting(self) -> bool:
        return self._time.now < self.protected_until

    def hold(self, minutes: int, answered: Callable[[ProtectionAnswer], None]) -> None:
        def carry_out() -> None:
            self.protected_until = self._time.now + 60.0 * minutes

        self._call(carry_out, answered, is_change=True, bound_s=60.0 * minutes)

    def unhold(self, answered: Callable[[ProtectionAnswer], None]) -> None:
        def carry_out() -> None:
            self.protected_until = float("-inf")

        self._call(carry_out, answered, is_change=True)

    def look(self, answered: Callable[[ProtectionAnswer], None]) -> None:
        self._call(lambda: None, answered, is_change=False)

    def _call(
        self,
        carry_out: Callable[[], None],
        answered: Callable[[ProtectionAnswer], None],
        *,
        is_change: bool,
        bound_s: float = float("inf"),
    ) -> None:
        rng, plan, time = self._rng, self._plan, self._time
        self.calls += 1
        refusal = None if self._is_calm else self._refusal(is_change=is_change)
        if refusal is not None:
            self.last_trouble_at = time.now
            if is_change or refusal.reason == "TASK_NOT_VALID":
                self.is_lasting = refusal.is_lasting
            time.after(0.05 * rng.random(), lambda: answered(refusal))
            return
        if not self._is_calm and rng.random() < plan.unknown:
            self.last_trouble_at = time.now
            if rng.random() < 0.5:
                time.after(CALL_MAX_S * rng.random(), carry_out)
            unknown = Refused("NoAnswer", is_lasting=False, is_unknown=True)
            time.after(CALL_MAX_S, lambda: answered(unknown))
            return

        def arrive() -> None:
            carry_out()
            if is_change:
                self.is_lasting = False
            answer = self._state(bound_s)
            time.after(0.05 * rng.random(), lambda: answered(answer))

        time.after(0.05 * rng.random(), arrive)

    def _state(self, bound_s: float) -> ProtectionAnswer:
        if not self.is_protecting:
            return Unheld()
        left_s = self.protected_until - self._time.now + self._rng.uniform(-READING_ERROR_S, READING_ERROR_S)
        return Held(self._time.now + min(left_s, bound_s))

    def _refusal(self, *, is_change: bool) -> Refused | None:
        plan, rng, now = self._plan, self._rng, self._time.now
        if plan.lasting is not None and now >= plan.lasting_from:
            return Refused(plan.lasting, is_lasting=True)
        if not is_change and not plan.may_look:
            return Refused("AccessDeniedException", is_lasting=True)
        if is_change and any(from_at <= now < until_at for from_at, until_at in plan.blocked):
            return Refused("DEPLOYMENT_BLOCKED", is_lasting=False)
        if plan.refuse and rng.random() < plan.refuse:
            return Refused(rng.choice(["ThrottlingException", "ServerException"]), is_lasting=False)
        return None
