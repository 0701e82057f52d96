"""Which call is due, and from when, as things stand.

Rules kept here and nowhere else:

1. Doubt is cleared up before anything else; work that waits goes before the look at the start.
2. A hold is renewed when it no longer reaches far enough, or has less than the reserve left; never made shorter.
3. Nothing is let go that ends by itself before, or that somebody else holds for longer.
"""

from __future__ import annotations

import math

from forebay.protection.actions import Action, HoldFor, LetGo, Look
from forebay.protection.backoff import LONG_AGO
from forebay.protection.standing import Standing

VERIFY_S = 300.0
"""How long a hold is believed without a look. Every write renews it; so only long, quiet holds are looked at."""

Due = tuple[float, type[Action]]


def candidates(standing: Standing) -> list[Due]:
    """Return every call that will be due, with the instant from which it is; the more pressing first."""
    if not standing.is_active or standing.is_stopped or standing.outstanding is not None:
        return []
    is_wanted = standing.wanted_until is not None
    if standing.lasting is not None:
        # Asked again by what does no harm: a let-go when nothing is wanted, a hold when something is.
        return [] if standing.mode == "always" else [(standing.reask_at, HoldFor if is_wanted else LetGo)]
    if standing.doubt is not None:
        return [(LONG_AGO, Look)]
    due: list[Due] = []
    if is_wanted or standing.is_paused:
        due.append((max(_hold_due_at(standing), standing.backoff.hold_at), HoldFor))
    if standing.look_at_start and not is_wanted:
        due.append((standing.backoff.other_at, Look))
    elif not is_wanted:
        due += _let_go(standing)
    elif standing.held_until is not None and standing.may_look and standing.backoff.is_quiet:
        due.append((standing.verified_at + VERIFY_S, Look))
    return due


def hold_to_ask(standing: Standing, now: float) -> HoldFor:
    """Return the hold to ask for: for what is wanted, for what was refused, and never shorter than what runs."""
    wanted_until = now if standing.wanted_until is None else standing.wanted_until
    minutes = standing.tuning.minutes_for(wanted_until - now + standing.margin_s)
    runs_until = max(standing.held_until or LONG_AGO, standing.foreign_until)
    if runs_until > now:
        minutes = max(minutes, math.ceil((runs_until - now) / 60))
    return HoldFor(min(max(minutes, standing.minutes_refused), standing.tuning.minutes_max))


def _hold_due_at(standing: Standing) -> float:
    """Return the instant from which the hold no longer reaches as far as it must."""
    if standing.held_until is None or standing.wanted_until is None or standing.is_paused:
        return LONG_AGO
    if standing.held_until < standing.wanted_until + standing.margin_s:
        return standing.held_until - standing.tuning.ahead_s
    return standing.held_until - standing.tuning.reserve_s


def _let_go(standing: Standing) -> list[Due]:
    """Return the let-go that will be due, if one will be."""
    if standing.has_leftover:
        return [(standing.backoff.other_at, LetGo)]
    if standing.held_until is None:
        return []
    at = max(standing.idle_since + standing.linger_s, standing.backoff.other_at)
    return [] if at >= standing.held_until or at < standing.foreign_until else [(at, LetGo)]
