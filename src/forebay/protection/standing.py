"""How things stand with this task's protection: what is wanted, what is believed, and what is in doubt.

Only values and plain questions about them; `schedule` decides by them, `hearing` changes them by answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from forebay.protection.actions import Action, Tuning
from forebay.protection.backoff import LONG_AGO, Backoff
from forebay.protection.port import Refused

Mode = Literal["auto", "always", "never"]


class Doubt(Enum):
    """Why the state has to be looked at before anything else is believed."""

    HOLD = "a hold may have been given"
    LET_GO = "a let-go may have been carried out"


@dataclass(slots=True, kw_only=True)
class Standing:
    """Everything that the policy knows. Instants are monotonic seconds."""

    mode: Mode
    is_active: bool
    """False outside ECS and in mode `never`: then nothing is ever called."""
    linger_s: float
    margin_s: float
    tuning: Tuning
    backoff: Backoff
    seen_at: float = LONG_AGO
    """The latest instant that anybody has named."""

    wanted_until: float | None = None
    """The latest instant at which protected work may still run."""
    idle_since: float = LONG_AGO

    outstanding: Action | None = None
    goal_at: float = LONG_AGO
    """How far the last hold asked for had to reach to be of use."""
    asked_until: float = LONG_AGO
    """How far it would reach if it was given in full."""
    minutes_refused: int = 0
    """What was asked for and not given: a paused task goes on asking for it."""

    held_until: float | None = None
    """The end of the hold that is trusted."""
    kept_until: float | None = None
    """The hold that an outstanding let-go gives up, in case it is refused."""
    has_leftover: bool = False
    """Something may be held that nobody here wants."""
    foreign_until: float = LONG_AGO
    """The end of a longer hold that somebody else has set."""

    look_at_start: bool = field(default=False)
    may_look: bool = True
    doubt: Doubt | None = None
    doubted: Refused | None = None
    verified_at: float = LONG_AGO

    is_stopped: bool = False
    is_paused: bool = False
    is_on_trial: bool = False
    """Held after a pause, and no job has started since: refusals are not forgotten yet."""
    lasting: Refused | None = None
    reask_at: float = LONG_AGO

    def is_held(self, now: float) -> bool:
        """Say whether ECS spares this task at `now`, as far as is known."""
        return self.held_until is not None and now < self.held_until

    def goal(self, until_at: float, now: float) -> float:
        """Return how far a hold must reach for work up to `until_at`: all the way, or half of the longest hold."""
        return min(max(until_at, now) + self.margin_s, now + self.tuning.ahead_s)

    def covers(self, until_at: float, now: float) -> bool:
        """Say whether work up to `until_at` may start at `now`."""
        return self.held_until is not None and now < self.held_until and self.goal(until_at, now) <= self.held_until
