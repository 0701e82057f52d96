"""Which one call to make now, if any, so that ECS spares this task exactly while it must.

Rules kept here, in `schedule` and in `hearing`, and nowhere else:

1. One writer: at most one call is outstanding, and after a stop request none is made (facts section 3: no call
   undoes a stop).
2. A hold is trusted only until the instant that ECS named, never while a let-go is under way, and after an answer
   that may or may not have taken effect only when a look has confirmed it.
3. A refused extension takes nothing from the hold that still runs; a hold never shortens the one before it.
4. A transient refusal pauses the task: no new work until a hold is given (acquire-first). Whatever then is held
   with nothing to do is let go after the linger, and polling goes on receive-first: the answer has shown that the
   way is free again, and an idle task that stays protected is the very one that ECS should have been able to stop.
5. A lasting refusal ends protection, not work: it is asked again every five minutes, because a role can be mended.
6. Time and dice are arguments. Nothing here reads a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.protection import hearing, schedule
from forebay.protection.actions import DECIDED, Action, HoldFor, LetGo, Look, Tuning
from forebay.protection.backoff import Backoff
from forebay.protection.port import ProtectionAnswer
from forebay.protection.reports import Reports
from forebay.protection.standing import Mode, Standing

if TYPE_CHECKING:
    from random import Random

__all__ = ["Action", "HoldFor", "LetGo", "Look", "Policy", "Tuning"]

DRAIN_MARGIN_S = 5.0
"""An attempt needs no protection when it ends this long before the drain does."""


class Policy:
    """The protection of one task. Feed it what is wanted and what was answered; ask it what to do."""

    def __init__(
        self,
        *,
        mode: Mode,
        linger_s: float,
        margin_s: float,
        rng: Random,
        is_available: bool,
        tuning: Tuning = DECIDED,
    ) -> None:
        assert linger_s >= 0, linger_s
        assert margin_s >= 0, margin_s
        is_active = is_available and mode != "never"
        self._standing = Standing(
            mode=mode,
            is_active=is_active,
            linger_s=0.0 if mode == "always" else linger_s,
            margin_s=margin_s,
            tuning=tuning,
            backoff=Backoff(first_s=tuning.retry_first_s, rng=rng),
            look_at_start=is_active,
        )

    # ── what the engine asks ────────────────────────────────────────────────────────────────────────────────

    @property
    def held_until(self) -> float | None:
        """The instant up to which the task is known to be protected, or None."""
        return self._standing.held_until

    def is_held(self, now: float) -> bool:
        """Say whether ECS spares this task at `now`, as far as is known."""
        return self._standing.is_held(now)

    @property
    def is_paused(self) -> bool:
        """True after a transient refusal, until a hold is given: take no new work, give back what waits."""
        return self._standing.is_paused

    @property
    def is_stopped(self) -> bool:
        """True after a stop request: no call is made any more."""
        return self._standing.is_stopped

    @property
    def is_unprotected_for_good(self) -> bool:
        """True while protection cannot be had until somebody changes something."""
        return self._standing.lasting is not None

    @property
    def lasting_reason(self) -> str | None:
        """ECS's word for why protection cannot be had."""
        return None if self._standing.lasting is None else self._standing.lasting.reason

    def needs(self, limit_s: float, *, drain_s: float) -> bool:
        """Say whether an attempt that may run for `limit_s` has to wait for protection."""
        if not self._standing.is_active or (self._standing.mode == "auto" and self._standing.lasting is not None):
            return False
        return self._standing.mode == "always" or limit_s > drain_s - DRAIN_MARGIN_S

    def covers(self, until_at: float, *, now: float) -> bool:
        """Say whether an attempt that can run until `until_at` may start at `now`."""
        return self._standing.covers(until_at, now)

    # ── what the engine tells ───────────────────────────────────────────────────────────────────────────────

    def want(self, until_at: float | None, *, now: float) -> None:
        """Set the latest instant at which protected work may still run; None when nothing needs it any more."""
        self._standing.seen_at = now
        if until_at is None and self._standing.wanted_until is not None:
            self._standing.idle_since = now
        self._standing.wanted_until = until_at

    def job_started(self, now: float) -> None:
        """Note that a job has started under protection: after a pause this ends acquire-first for good."""
        self._standing.seen_at = now
        if self._standing.is_on_trial:
            self._standing.is_on_trial = False
            self._standing.backoff.forget()

    def stop(self) -> None:
        """Make no further call, ever: ECS has chosen this task, and nothing undoes that."""
        self._standing.is_stopped = True

    @property
    def wake_at(self) -> float | None:
        """The instant from which `next` has something to do if nothing else happens; None if never.

        Minus infinity, before anybody has named an instant: at once.
        """
        due = schedule.candidates(self._standing)
        return max(min(at for at, _ in due), self._standing.seen_at) if due else None

    def next(self, *, now: float) -> Action | None:
        """Return the one call to make now, if any. It counts as outstanding until `answered`."""
        standing = self._standing
        standing.seen_at = now
        due = [(at, kind) for at, kind in schedule.candidates(standing) if at <= now]
        if not due:
            return None
        kind = min(due, key=lambda candidate: candidate[0])[1]
        if kind is HoldFor:
            self._ask_to_hold(now)
        elif kind is LetGo:
            standing.outstanding = LetGo()
            # From here on ECS may clear it at any moment, so nothing may start under it.
            standing.kept_until, standing.held_until = standing.held_until, None
        else:
            standing.outstanding = Look()
        return standing.outstanding

    def answered(self, answer: ProtectionAnswer, *, now: float) -> Reports:
        """Take the answer to the outstanding call; return what to report."""
        standing = self._standing
        assert standing.outstanding is not None, "an answer to no question"
        standing.seen_at = now
        asked, standing.outstanding = standing.outstanding, None
        match asked:
            case HoldFor(minutes=minutes):
                return hearing.hold_answered(standing, answer, minutes, now)
            case LetGo():
                return hearing.let_go_answered(standing, answer, now)
            case Look():
                return hearing.look_answered(standing, answer, now)

    def _ask_to_hold(self, now: float) -> None:
        standing = self._standing
        hold = schedule.hold_to_ask(standing, now)
        standing.outstanding = hold
        standing.goal_at = standing.goal(now if standing.wanted_until is None else standing.wanted_until, now)
        standing.asked_until = now + 60.0 * hold.minutes
        standing.look_at_start = False  # Whatever was left over is overwritten.
