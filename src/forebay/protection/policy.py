"""Which one call to make now, if any, so that ECS spares this task exactly while it must.

Rules kept here and nowhere else:

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

import math
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Literal

from forebay.protection import reports
from forebay.protection.actions import DECIDED, Action, HoldFor, LetGo, Look, Tuning
from forebay.protection.backoff import LONG_AGO, Backoff
from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld
from forebay.protection.reports import Reports

if TYPE_CHECKING:
    from random import Random

__all__ = ["Action", "HoldFor", "LetGo", "Look", "Policy", "Tuning"]

DRAIN_MARGIN_S = 5.0
"""An attempt needs no protection when it ends this long before the drain does."""

REASK_S = 300.0
"""How often a lasting refusal is asked about (and so reported) again."""

VERIFY_S = 300.0
"""How long a hold is believed without a look. Every write renews it; so only long, quiet holds are looked at."""

AGREEMENT_S = 30.0
"""Expiries that differ by less are the same: they come from two clocks with whole seconds and a slow call."""


class _Doubt(Enum):
    """Why the state has to be looked at before anything else is believed."""

    HOLD = "a hold may have been given"
    LET_GO = "a let-go may have been carried out"


class Policy:
    """The protection of one task. Feed it what is wanted and what was answered; ask it what to do."""

    def __init__(
        self,
        *,
        mode: Literal["auto", "always", "never"],
        linger_s: float,
        margin_s: float,
        rng: Random,
        is_available: bool,
        tuning: Tuning = DECIDED,
    ) -> None:
        assert linger_s >= 0, linger_s
        assert margin_s >= 0, margin_s
        self._mode = mode
        self._is_active = is_available and mode != "never"
        self._linger_s = 0.0 if mode == "always" else linger_s
        self._margin_s = margin_s
        self._tuning = tuning
        self._backoff = Backoff(first_s=tuning.retry_first_s, rng=rng)
        self._seen_at = LONG_AGO

        self._wanted_until: float | None = None
        self._idle_since = LONG_AGO
        self._held_until: float | None = None
        self._outstanding: Action | None = None
        self._goal_at = LONG_AGO
        """How far the outstanding hold has to reach to be of use."""
        self._asked_until = LONG_AGO
        """How far it will reach if it is given in full."""
        self._kept_until: float | None = None
        """The hold that an outstanding let-go gives up, in case it is refused."""

        self._look_at_start = self._is_active
        self._doubt: _Doubt | None = None
        self._doubted: Refused | None = None
        self._verified_at = LONG_AGO
        self._may_look = True
        self._has_leftover = False
        """Something may be held that nobody here wants."""
        self._foreign_until = LONG_AGO

        self._is_stopped = False
        self._is_paused = False
        self._is_on_trial = False
        """Held after a pause, and no job has started since: refusals are not forgotten yet."""
        self._minutes_refused = 0
        self._lasting: Refused | None = None
        self._reask_at = LONG_AGO

    # ── what the engine asks ────────────────────────────────────────────────────────────────────────────────

    @property
    def held_until(self) -> float | None:
        """The instant up to which the task is known to be protected, or None."""
        return self._held_until

    def is_held(self, now: float) -> bool:
        """Say whether ECS spares this task at `now`, as far as is known."""
        return self._held_until is not None and now < self._held_until

    @property
    def is_paused(self) -> bool:
        """True after a transient refusal, until a hold is given: take no new work, give back what waits."""
        return self._is_paused

    @property
    def is_stopped(self) -> bool:
        """True after a stop request: no call is made any more."""
        return self._is_stopped

    @property
    def is_unprotected_for_good(self) -> bool:
        """True while protection cannot be had until somebody changes something."""
        return self._lasting is not None

    @property
    def lasting_reason(self) -> str | None:
        """ECS's word for why protection cannot be had."""
        return None if self._lasting is None else self._lasting.reason

    def needs(self, limit_s: float, *, drain_s: float) -> bool:
        """Say whether an attempt that may run for `limit_s` has to wait for protection."""
        if not self._is_active or (self._mode == "auto" and self._lasting is not None):
            return False
        return self._mode == "always" or limit_s > drain_s - DRAIN_MARGIN_S

    def covers(self, until_at: float, *, now: float) -> bool:
        """Say whether an attempt that can run until `until_at` may start at `now`."""
        return self._held_until is not None and now < self._held_until and self._goal(until_at, now) <= self._held_until

    # ── what the engine tells ───────────────────────────────────────────────────────────────────────────────

    def want(self, until_at: float | None, *, now: float) -> None:
        """Set the latest instant at which protected work may still run; None when nothing needs it any more."""
        self._seen_at = now
        if until_at is None and self._wanted_until is not None:
            self._idle_since = now
        self._wanted_until = until_at

    def job_started(self, now: float) -> None:
        """Note that a job has started under protection: after a pause this ends acquire-first for good."""
        self._seen_at = now
        if self._is_on_trial:
            self._is_on_trial = False
            self._backoff.forget()

    def stop(self) -> None:
        """Make no further call, ever: ECS has chosen this task, and nothing undoes that."""
        self._is_stopped = True

    @property
    def wake_at(self) -> float | None:
        """The instant from which `next` has something to do if nothing else happens; None if never."""
        candidates = self._candidates()
        return max(min(at for at, _ in candidates), self._seen_at) if candidates else None

    def next(self, *, now: float) -> Action | None:
        """Return the one call to make now, if any. It counts as outstanding until `answered`."""
        self._seen_at = now
        due = [(at, kind) for at, kind in self._candidates() if at <= now]
        if not due:
            return None
        kind = min(due, key=lambda candidate: candidate[0])[1]
        if kind is HoldFor:
            self._outstanding = self._ask_to_hold(now)
        elif kind is LetGo:
            self._outstanding = LetGo()
            # From here on ECS may clear it at any moment, so nothing may start under it.
            self._kept_until, self._held_until = self._held_until, None
        else:
            self._outstanding = Look()
        return self._outstanding

    def answered(self, answer: ProtectionAnswer, *, now: float) -> Reports:
        """Take the answer to the outstanding call; return what to report."""
        assert self._outstanding is not None, "an answer to no question"
        self._seen_at = now
        asked, self._outstanding = self._outstanding, None
        match asked:
            case HoldFor(minutes=minutes):
                return self._hold_answered(answer, minutes, now)
            case LetGo():
                return self._let_go_answered(answer, now)
            case Look():
                return self._look_answered(answer, now)

    # ── deciding ────────────────────────────────────────────────────────────────────────────────────────────

    def _candidates(self) -> list[tuple[float, type[Action]]]:
        """Return every call that will be due, with the instant from which it is; the more pressing first."""
        if not self._is_active or self._is_stopped or self._outstanding is not None:
            return []
        is_wanted = self._wanted_until is not None
        if self._lasting is not None:
            # Asked again by what does no harm: a let-go when nothing is wanted, a hold when something is.
            return [] if self._mode == "always" else [(self._reask_at, HoldFor if is_wanted else LetGo)]
        if self._doubt is not None:
            return [(LONG_AGO, Look)]
        candidates: list[tuple[float, type[Action]]] = []
        if is_wanted or self._is_paused:
            candidates.append((max(self._hold_due_at(), self._backoff.hold_at), HoldFor))
        if self._look_at_start and not is_wanted:
            candidates.append((self._backoff.other_at, Look))
        elif not is_wanted:
            candidates += self._let_go_candidates()
        elif self._held_until is not None and self._may_look and self._backoff.is_quiet:
            candidates.append((self._verified_at + VERIFY_S, Look))
        return candidates

    def _let_go_candidates(self) -> list[tuple[float, type[Action]]]:
        """Return the let-go that will be due, if one will be: none for a hold that ends by itself before."""
        if self._has_leftover:
            return [(self._backoff.other_at, LetGo)]
        if self._held_until is None:
            return []
        at = max(self._idle_since + self._linger_s, self._backoff.other_at)
        return [] if at >= self._held_until or at < self._foreign_until else [(at, LetGo)]

    def _hold_due_at(self) -> float:
        """Return the instant from which the hold no longer reaches as far as it must."""
        if self._held_until is None or self._wanted_until is None or self._is_paused:
            return LONG_AGO
        if self._held_until < self._wanted_until + self._margin_s:
            return self._held_until - self._tuning.ahead_s
        return self._held_until - self._tuning.reserve_s

    def _goal(self, until_at: float, now: float) -> float:
        return min(max(until_at, now) + self._margin_s, now + self._tuning.ahead_s)

    def _ask_to_hold(self, now: float) -> HoldFor:
        """Return the hold to ask for: for what is wanted, for what was refused, and never shorter than what runs."""
        wanted_until = now if self._wanted_until is None else self._wanted_until
        minutes = self._tuning.minutes_for(wanted_until - now + self._margin_s)
        runs_until = max(self._held_until or LONG_AGO, self._foreign_until)
        if runs_until > now:
            minutes = max(minutes, math.ceil((runs_until - now) / 60))
        minutes = min(max(minutes, self._minutes_refused), self._tuning.minutes_max)
        self._goal_at, self._asked_until = self._goal(wanted_until, now), now + 60.0 * minutes
        self._look_at_start = False  # Whatever was left over is overwritten.
        return HoldFor(minutes)

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────

    def _hold_answered(self, answer: ProtectionAnswer, minutes: int, now: float) -> Reports:
        match answer:
            case Held(until_at=until_at):
                return self._held(until_at, minutes, now)
            case Unheld():
                return self._hold_refused(Refused("NotProtected", is_lasting=False), minutes, now)
            case Refused(is_unknown=True, is_lasting=False) if self._may_look and self._lasting is None:
                self._doubt, self._doubted, self._minutes_refused = _Doubt.HOLD, answer, minutes
                return []
            case Refused():
                return self._hold_refused(answer, minutes, now)

    def _held(self, until_at: float, minutes: int, now: float) -> Reports:
        is_renewal = self.is_held(now)
        self._held_until, self._verified_at = until_at, now
        self._has_leftover, self._lasting, self._minutes_refused = False, None, 0
        if self._is_paused:
            self._is_paused, self._is_on_trial = False, True
            self._backoff.hold_given()
        elif self._is_on_trial:
            self._backoff.hold_given()
        else:
            self._backoff.forget()
        if self._is_on_trial and self._wanted_until is None:
            self._idle_since = now
        if until_at < self._goal_at:
            self._backoff.wait_before_hold(now)
        held_s = round(until_at - now, 1)
        return [("protection.held", {"minutes": minutes, "held_s": held_s, "is_renewal": is_renewal})]

    def _hold_refused(self, refused: Refused, minutes: int, now: float) -> Reports:
        if refused.is_lasting:
            return self._refused_for_good(refused, now)
        self._minutes_refused = minutes
        self._has_leftover = self._has_leftover or refused.is_unknown
        self._backoff.hold_refused(now)
        if self._lasting is not None:
            return self._refused_for_good(self._lasting, now)
        self._is_paused = True
        return [reports.refusal(refused, retry_in_s=self._backoff.hold_at - now)]

    def _let_go_answered(self, answer: ProtectionAnswer, now: float) -> Reports:
        kept_until, self._kept_until = self._kept_until, None
        match answer:
            case Unheld():
                return self._released(was_held=kept_until is not None or self._has_leftover)
            case Held(until_at=until_at):
                self._held_until = until_at
                return self._other_refused(Refused("StillProtected", is_lasting=False), now)
            case Refused(is_unknown=True, is_lasting=False):
                self._has_leftover = True
                if self._may_look and self._lasting is None:
                    self._doubt, self._doubted = _Doubt.LET_GO, answer
                return self._other_refused(answer, now)
            case Refused():
                self._held_until = kept_until
                return self._other_refused(answer, now)

    def _other_refused(self, refused: Refused, now: float) -> Reports:
        if refused.is_lasting:
            return self._refused_for_good(refused, now)
        self._backoff.other_refused(now)
        if self._lasting is not None:
            return self._refused_for_good(self._lasting, now)
        return [reports.refusal(refused, retry_in_s=self._backoff.other_at - now)]

    def _released(self, *, was_held: bool) -> Reports:
        self._held_until, self._has_leftover, self._lasting = None, False, None
        if not self._is_paused:
            self._is_on_trial = False
            self._backoff.forget()
        return [("protection.released", {})] if was_held else []

    def _look_answered(self, answer: ProtectionAnswer, now: float) -> Reports:
        doubt, self._doubt = self._doubt, None
        at_start, self._look_at_start = self._look_at_start and doubt is None, False
        if isinstance(answer, Refused):
            return self._look_refused(answer, doubt, at_start, now)
        until_at = answer.until_at if isinstance(answer, Held) and answer.until_at > now else None
        self._verified_at = now
        if doubt is _Doubt.HOLD:
            return self._doubt_about_hold_ended(until_at, now)
        if doubt is _Doubt.LET_GO:
            self._held_until, self._has_leftover = until_at, False
            return [] if until_at is not None else self._released(was_held=True)
        if at_start:
            return self._seen_at_start(until_at, now)
        return self._verified(until_at, now)

    def _look_refused(self, refused: Refused, doubt: _Doubt | None, at_start: bool, now: float) -> Reports:
        told: Reports = []
        if refused.is_lasting and refused.reason.startswith("AccessDenied"):
            # Reading and writing are two permissions. A let-go asks about the other, and clears what may be left.
            self._may_look = False
            self._has_leftover = self._has_leftover or at_start
            told = [reports.refusal(refused, note=reports.READ_DENIED)]
        elif refused.is_lasting:
            told = self._refused_for_good(refused, now)
        elif at_start:
            self._look_at_start = True
            told = self._other_refused(refused, now)
        if doubt is _Doubt.HOLD and self._lasting is None:
            assert self._doubted is not None
            return [*told, *self._hold_refused(self._doubted, self._minutes_refused, now)]
        self._verified_at = now
        return told

    def _doubt_about_hold_ended(self, until_at: float | None, now: float) -> Reports:
        """A hold went unanswered, and a look says that the task is protected until `until_at`, or not at all."""
        assert self._doubted is not None
        if until_at is not None and until_at >= max(self._goal_at, self._asked_until - AGREEMENT_S):
            return self._held(until_at, self._minutes_refused, now)
        self._held_until = until_at
        return self._hold_refused(replace(self._doubted, is_unknown=False), self._minutes_refused, now)

    def _seen_at_start(self, until_at: float | None, now: float) -> Reports:
        if until_at is None:
            return []
        self._has_leftover = True
        return [reports.foreign(reports.FOREIGN_AT_START, until_at, now)]

    def _verified(self, until_at: float | None, now: float) -> Reports:
        """Compare what ECS says with what was believed: whatever differs was done by somebody else."""
        believed, self._held_until = self._held_until, until_at
        if believed is None or (until_at is not None and abs(until_at - believed) <= AGREEMENT_S):
            return []
        if until_at is not None and until_at > believed:
            # Its owner may end it at any moment: only what we asked for ourselves is built on.
            self._held_until, self._foreign_until = believed, until_at
            return [reports.foreign(reports.FOREIGN_LONGER, until_at, now)]
        return [reports.foreign(reports.FOREIGN_SHORTER, until_at, now)]

    def _refused_for_good(self, refused: Refused, now: float) -> Reports:
        self._lasting, self._reask_at = refused, now + REASK_S
        self._is_paused = self._is_on_trial = self._look_at_start = False
        self._doubt = None
        retry_in_s = None if self._mode == "always" else REASK_S
        return [reports.refusal(refused, retry_in_s=retry_in_s)]
