"""Joins the work to task protection: what needs it, what may start, and when it may go.

Rules kept here and nowhere else:

1. Receive, then protect, then run: an attempt that needs protection waits until the hold covers its whole limit.
2. Protection is wanted from the first such attempt until the last one's settlement has been answered.
3. While protection is refused for the moment, nothing new is received or started and what waits goes back.
4. Under `always` a hold comes before the first poll of a cycle, and goes when the cycle's work is done.
5. After a stop request no call is made: nothing can undo ECS's choice any more. A worker that retires on its own
   account keeps its protection while work runs.
"""

from __future__ import annotations

from forebay.protection.policy import HoldFor, LetGo, Look, Policy
from forebay.protection.port import ProtectionAnswer
from forebay.worker.records import Desk, Record, State
from forebay.worker.vocabulary import Hold, LookAtProtection, Unhold

SETTLE_ALLOWANCE_S = 30.0
"""How long after its limit an attempt may still be settling under protection."""


class Guarding:
    """The worker's side of task protection."""

    def __init__(self, desk: Desk, policy: Policy, *, limit_max_s: float) -> None:
        self._desk = desk
        self._policy = policy
        self._limit_max_s = limit_max_s
        self._is_always = desk.settings.protect == "always"
        self._wanted_until: float | None = None
        self._had_work = False
        self.is_cycle_over = False
        """`always`: this hold's work is done; let go before polling again."""

    @property
    def wake_at(self) -> float | None:
        wake_at, held_until = self._policy.wake_at, self._policy.held_until
        if self.is_cycle_over and wake_at is None:
            return held_until  # A hold that ends by itself ends the cycle as well.
        return wake_at

    @property
    def is_paused(self) -> bool:
        return self._policy.is_paused

    @property
    def lasting_reason(self) -> str | None:
        return self._policy.lasting_reason

    @property
    def is_refused_for_good(self) -> bool:
        return self._policy.is_unprotected_for_good

    @property
    def held_until(self) -> float | None:
        return self._policy.held_until

    def is_held(self, now: float) -> bool:
        return self._policy.is_held(now)

    def needs(self, limit_s: float) -> bool:
        return self._policy.needs(limit_s, drain_s=self._desk.settings.drain_s)

    def may_start(self, record: Record, now: float) -> bool:
        """Whether protection stands in the way of this attempt no more."""
        if not record.needs_protection:
            return True
        if not self.needs(record.attempt.limit_s):
            return True  # It was refused for good meanwhile, and `auto` runs unprotected.
        return self._policy.covers(now + record.attempt.limit_s, now=now)

    def may_poll(self, now: float) -> bool:
        """Whether a new poll may be opened as far as protection goes."""
        if self._policy.is_paused:
            return False
        return not self._is_always or (not self.is_cycle_over and self._policy.is_held(now))

    def took(self, record: Record, now: float) -> None:
        """A record that needs protection has come (or its limit was extended)."""
        self._had_work = True
        until_at = max(now + record.attempt.limit_s, record.deadline_at)
        if self._wanted_until is None or until_at > self._wanted_until:
            self._wanted_until = until_at

    def started(self, now: float) -> None:
        self._policy.job_started(now)

    def _exact_want(self, now: float) -> float | None:
        """The latest instant at which protected work may still run, from the records themselves."""
        ends = [
            record.deadline_at if record.state is State.RUNNING else now + record.attempt.limit_s
            for record in self._desk.records.values()
            if record.needs_protection and record.state is not State.SETTLING
        ]
        if ends:
            return max(ends)
        return now + SETTLE_ALLOWANCE_S if self._desk.protected else None

    def turn(self, now: float) -> None:
        """Tell the policy what is wanted, and pass on the call it wants made."""
        if self._desk.is_stopping and not self._desk.is_retiring:
            return
        if self._is_always and self._had_work and not self._desk.records:
            self._had_work = False
            self.is_cycle_over = True
        if self.is_cycle_over and self._policy.held_until is not None and not self._policy.is_held(now):
            self.is_cycle_over = False
        wake_at = self._policy.wake_at
        if self._desk.protected == 0:
            self._wanted_until = None
        elif wake_at is not None and wake_at <= now:
            self._wanted_until = self._exact_want(now)  # Rare, so it may look at every record.
        wanted_until = self._wanted_until
        if self._is_always and not self.is_cycle_over:
            floor_at = now + self._limit_max_s
            if wanted_until is None or not self._policy.is_held(now) or wanted_until < floor_at:
                wanted_until = floor_at
        self._policy.want(wanted_until, now=now)
        action = self._policy.next(now=now)
        if isinstance(action, HoldFor):
            self._desk.commands.append(Hold(action.minutes))
        elif isinstance(action, LetGo):
            assert self._desk.protected == 0, self._desk.protected
            self._desk.commands.append(Unhold())
        elif isinstance(action, Look):
            self._desk.commands.append(LookAtProtection())

    def answered(self, answer: ProtectionAnswer, now: float) -> None:
        for event, fields in self._policy.answered(answer, now=now):
            self._desk.report(event, **fields)
        if self.is_cycle_over and not self._policy.is_held(now):
            self.is_cycle_over = False

    def stop(self) -> None:
        self._policy.stop()
