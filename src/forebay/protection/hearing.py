"""What an answer changes in how things stand, and what is told of it.

Rules kept here and nowhere else:

1. A write that may have been carried out is believed only after a look; one that the look cannot settle is cleared up
   before the task idles.
2. A refused extension takes nothing from the hold that still runs.
3. Refusals are forgotten when a job has started under a hold, or a hold was let go in peace: a service that grants and
   refuses by turns is asked ever more rarely.
4. Reading and writing are two permissions: a denied look says nothing about holds.
5. What a look finds other than believed was done by somebody else: shorter is believed, longer is not built upon.
"""

from __future__ import annotations

from dataclasses import replace

from forebay.protection import reports
from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld
from forebay.protection.reports import Reports
from forebay.protection.standing import Doubt, Standing

REASK_S = 300.0
"""How often a lasting refusal is asked about (and so reported) again."""

AGREEMENT_S = 30.0
"""Expiries that differ by less are the same: they come from two clocks with whole seconds and a slow call."""


def hold_answered(standing: Standing, answer: ProtectionAnswer, minutes: int, now: float) -> Reports:
    match answer:
        case Held(until_at=until_at):
            return _held(standing, until_at, minutes, now)
        case Unheld():
            return _hold_refused(standing, Refused("NotProtected", is_lasting=False), minutes, now)
        case Refused(is_unknown=True, is_lasting=False) if standing.may_look and standing.lasting is None:
            standing.doubt, standing.doubted, standing.minutes_refused = Doubt.HOLD, answer, minutes
            return []
        case Refused():
            return _hold_refused(standing, answer, minutes, now)


def _held(standing: Standing, until_at: float, minutes: int, now: float) -> Reports:
    is_renewal = standing.is_held(now)
    standing.held_until, standing.verified_at = until_at, now
    standing.has_leftover, standing.lasting, standing.minutes_refused = False, None, 0
    if standing.is_paused:
        standing.is_paused, standing.is_on_trial = False, True
        standing.backoff.hold_given()
    elif standing.is_on_trial:
        standing.backoff.hold_given()
    else:
        standing.backoff.forget()
    if standing.is_on_trial and standing.wanted_until is None:
        standing.idle_since = now
    if until_at < standing.goal_at:
        standing.backoff.wait_before_hold(now)
    held_s = round(until_at - now, 1)
    return [("protection.held", {"minutes": minutes, "held_s": held_s, "is_renewal": is_renewal})]


def _hold_refused(standing: Standing, refused: Refused, minutes: int, now: float) -> Reports:
    if refused.is_lasting:
        return _refused_for_good(standing, refused, now)
    standing.minutes_refused = minutes
    standing.has_leftover = standing.has_leftover or refused.is_unknown
    standing.backoff.hold_refused(now)
    if standing.lasting is not None:
        return _refused_for_good(standing, standing.lasting, now)
    standing.is_paused = True
    return [reports.refusal(refused, retry_in_s=standing.backoff.hold_at - now)]


def let_go_answered(standing: Standing, answer: ProtectionAnswer, now: float) -> Reports:
    kept_until, standing.kept_until = standing.kept_until, None
    match answer:
        case Unheld():
            return _released(standing, was_held=kept_until is not None or standing.has_leftover)
        case Held(until_at=until_at):
            standing.held_until = until_at
            return _other_refused(standing, Refused("StillProtected", is_lasting=False), now)
        case Refused(is_unknown=True, is_lasting=False):
            standing.has_leftover = True
            if standing.may_look and standing.lasting is None:
                standing.doubt, standing.doubted = Doubt.LET_GO, answer
            return _other_refused(standing, answer, now)
        case Refused():
            standing.held_until = kept_until
            return _other_refused(standing, answer, now)


def _other_refused(standing: Standing, refused: Refused, now: float) -> Reports:
    if refused.is_lasting:
        return _refused_for_good(standing, refused, now)
    standing.backoff.other_refused(now)
    if standing.lasting is not None:
        return _refused_for_good(standing, standing.lasting, now)
    return [reports.refusal(refused, retry_in_s=standing.backoff.other_at - now)]


def _released(standing: Standing, *, was_held: bool) -> Reports:
    standing.held_until, standing.has_leftover, standing.lasting = None, False, None
    if not standing.is_paused:
        standing.is_on_trial = False
        standing.backoff.forget()
    return [("protection.released", {})] if was_held else []


def look_answered(standing: Standing, answer: ProtectionAnswer, now: float) -> Reports:
    doubt, standing.doubt = standing.doubt, None
    at_start, standing.look_at_start = standing.look_at_start and doubt is None, False
    if isinstance(answer, Refused):
        return _look_refused(standing, answer, doubt, at_start, now)
    until_at = answer.until_at if isinstance(answer, Held) and answer.until_at > now else None
    standing.verified_at = now
    if doubt is Doubt.HOLD:
        return _doubt_about_hold_ended(standing, until_at, now)
    if doubt is Doubt.LET_GO:
        standing.held_until, standing.has_leftover = until_at, False
        return [] if until_at is not None else _released(standing, was_held=True)
    if at_start:
        return _seen_at_start(standing, until_at, now)
    return _verified(standing, until_at, now)


def _look_refused(standing: Standing, refused: Refused, doubt: Doubt | None, at_start: bool, now: float) -> Reports:
    told: Reports = []
    if refused.is_lasting and refused.reason.startswith("AccessDenied"):
        # Reading and writing are two permissions. A let-go asks about the other, and clears what may be left.
        standing.may_look = False
        standing.has_leftover = standing.has_leftover or at_start
        told = [reports.refusal(refused, note=reports.READ_DENIED)]
    elif refused.is_lasting:
        told = _refused_for_good(standing, refused, now)
    elif at_start:
        standing.look_at_start = True
        told = _other_refused(standing, refused, now)
    if doubt is Doubt.HOLD and standing.lasting is None:
        assert standing.doubted is not None
        return [*told, *_hold_refused(standing, standing.doubted, standing.minutes_refused, now)]
    standing.verified_at = now
    return told


def _doubt_about_hold_ended(standing: Standing, until_at: float | None, now: float) -> Reports:
    """A hold went unanswered, and a look says that the task is protected until `until_at`, or not at all."""
    assert standing.doubted is not None
    if until_at is not None and until_at >= max(standing.goal_at, standing.asked_until - AGREEMENT_S):
        return _held(standing, until_at, standing.minutes_refused, now)
    standing.held_until = until_at
    return _hold_refused(standing, replace(standing.doubted, is_unknown=False), standing.minutes_refused, now)


def _seen_at_start(standing: Standing, until_at: float | None, now: float) -> Reports:
    if until_at is None:
        return []
    standing.has_leftover = True
    return [reports.foreign(reports.FOREIGN_AT_START, until_at, now)]


def _verified(standing: Standing, until_at: float | None, now: float) -> Reports:
    """Compare what ECS says with what was believed: whatever differs was done by somebody else."""
    believed, standing.held_until = standing.held_until, until_at
    if believed is None or (until_at is not None and abs(until_at - believed) <= AGREEMENT_S):
        return []
    if until_at is not None and until_at > believed:
        # Its owner may end it at any moment: only what we asked for ourselves is built on.
        standing.held_until, standing.foreign_until = believed, until_at
        return [reports.foreign(reports.FOREIGN_LONGER, until_at, now)]
    return [reports.foreign(reports.FOREIGN_SHORTER, until_at, now)]


def _refused_for_good(standing: Standing, refused: Refused, now: float) -> Reports:
    standing.lasting, standing.reask_at = refused, now + REASK_S
    standing.is_paused = standing.is_on_trial = standing.look_at_start = False
    standing.doubt = None
    retry_in_s = None if standing.mode == "always" else REASK_S
    return [reports.refusal(refused, retry_in_s=retry_in_s)]
