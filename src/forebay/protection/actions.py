"""What can be asked of the protection service, and how long a hold to ask for.

Rules kept here and nowhere else:

1. A hold is what is needed, rounded up to minutes and then by a further quarter, so that steady work writes once in
   a few minutes; never under 5 minutes, never over 170.
2. 170 minutes cap one hold, not the job: longer work renews when half of it is gone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoldFor:
    """Protect the task for `minutes` from now."""

    minutes: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """Clear the protection."""


@dataclass(frozen=True, slots=True)
class Look:
    """Ask for the present state."""


Action = HoldFor | LetGo | Look

RESERVE_S = 120.0
"""While anything is wanted this much of a hold is left, so that a handler that overruns its limit leaves time for
two more tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The figures of decision 7; only the article's settings (`protection.article`) change them."""

    minutes_min: int = 5
    """The shortest hold. Steady short work then writes once in a few minutes."""
    minutes_max: int = 170
    """The longest hold, not the longest job: CloudFormation gives a service update up after 180 min."""
    renew_ratio: float = 0.5
    """A hold at its longest is renewed when this share of it is gone."""
    retry_first_s: float = 15.0
    """The first wait after a transient refusal."""

    @property
    def ahead_s(self) -> float:
        """How far ahead a hold must reach for work that is longer than any hold."""
        return 60.0 * self.minutes_max * (1 - self.renew_ratio)

    @property
    def reserve_s(self) -> float:
        """How much of a hold must be left while anything is wanted."""
        return min(RESERVE_S, self.ahead_s)

    def minutes_for(self, needed_s: float) -> int:
        """Return how long a hold to ask for: whole minutes, a quarter more (at least two), within the bounds."""
        whole = math.ceil(max(needed_s, 0.0) / 60)
        return min(max(whole + max(2, math.ceil(whole / 4)), self.minutes_min), self.minutes_max)


DECIDED = Tuning()
