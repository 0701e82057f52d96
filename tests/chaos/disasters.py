"""What goes wrong in a chaos run, and when: a schedule drawn from a seed.

Rules kept here and nowhere else:

1. Every kind of disaster comes at least once, and protection is refused for one long stretch.
2. Freezes and holes last from too short to matter to well beyond the visibility timeout.
3. The same seed gives the same schedule. What it meets is the machine's doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """What is done."""

    KILL = "kill -9 of a task"
    FREEZE = "freeze of a task"
    HOLE = "network hole"
    THROTTLE = "throttling"
    LOST_ANSWERS = "answers lost"
    REFUSAL = "protection refused"
    DEPLOYMENT = "deployment"
    SPOT = "Spot interruption"
    STOP = "StopTask"
    SCALE_IN = "scale-in and back"


OF_ONE_TASK = frozenset({Kind.KILL, Kind.FREEZE, Kind.SPOT, Kind.STOP})
REPEATED = (Kind.KILL, Kind.KILL, Kind.KILL, Kind.FREEZE, Kind.HOLE, Kind.THROTTLE, Kind.LOST_ANSWERS, Kind.SPOT,
            Kind.STOP, Kind.SCALE_IN, Kind.DEPLOYMENT)  # fmt: skip
"""One round; refusals come apart from it. Kills are what is asked about most."""
REFUSED_MAX_S = 120.0
REFUSED_SHARE = 0.5
"""Of the run, if that is less."""


@dataclass(frozen=True, slots=True)
class Disaster:
    """One thing that is done, and for how long, in seconds since the beginning."""

    at_s: float
    kind: Kind
    lasts_s: float = 0.0


def schedule(rng: Random, *, lasts_s: float, every_s: float, visibility_s: float) -> list[Disaster]:
    """Draw a schedule: rounds of all kinds in ever new order, about one every `every_s` seconds."""
    refused_s = min(REFUSED_MAX_S, lasts_s * REFUSED_SHARE)
    drawn = [Disaster(rng.uniform(0.0, lasts_s - refused_s), Kind.REFUSAL, refused_s)]
    count = max(len(REPEATED), int(lasts_s / every_s))
    kinds: list[Kind] = []
    while len(kinds) < count:
        kinds += rng.sample(REPEATED, len(REPEATED))
    gap_s = lasts_s / count
    for index, kind in enumerate(kinds[:count]):
        at_s = (index + rng.uniform(0.1, 0.9)) * gap_s
        drawn.append(Disaster(at_s, kind, _length_s(kind, rng, visibility_s)))
    return sorted(drawn, key=lambda disaster: disaster.at_s)


def _length_s(kind: Kind, rng: Random, visibility_s: float) -> float:
    match kind:
        case Kind.FREEZE | Kind.HOLE:
            return rng.uniform(0.3, 2.0) * visibility_s
        case Kind.THROTTLE:
            return rng.uniform(0.3, 1.0) * visibility_s
        case Kind.SCALE_IN:
            return rng.uniform(1.0, 1.5) * visibility_s
        case _:
            return 0.0
