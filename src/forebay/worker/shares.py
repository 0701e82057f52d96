"""How many messages each of several sources may ask for. Pure arithmetic.

Rules kept here and nowhere else:

1. Slots are shared equally among the sources that have work, as the last answer of each tells.
2. What an open poll has asked for is lost to the others until it ends, and one on an idle source lasts for 20 s. So
   idle sources ask for little: all together for a quarter of the slots, but each for one message at least.
3. A source that is alone may ask for everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from forebay.queue.port import BATCH_MAX

IDLE_PART = 4
"""All idle sources together ask for no more than this part of the slots: a quarter."""


def idle_share(slots: int, sources: int) -> int:
    """Return how many messages a source without work may ask for."""
    return BATCH_MAX if sources == 1 else max(1, min(BATCH_MAX, slots // (IDLE_PART * sources)))


def shares(free: int, slots: int, has_work: Sequence[bool], *, sources: int) -> list[int]:
    """Return how many messages each source that would ask now may ask for, in their turn; 0 where nothing is left."""
    idle = idle_share(slots, sources)
    counts: list[int] = []
    for index, is_busy in enumerate(has_work):
        count = idle
        if is_busy:
            busy_from_here = sum(has_work[index:])
            idle_after = len(has_work) - index - busy_from_here
            count = (free - idle * idle_after) // busy_from_here
        counts.append(min(free, BATCH_MAX, max(1, count)))
        free -= counts[-1]
    return counts


def enough(slots: int, *, busy: int, sources: int) -> int:
    """Return how many messages make a receive worth its request while there is a backlog."""
    kept_for_idle = idle_share(slots, sources) * (sources - busy) if sources > 1 else 0
    return max(1, min(BATCH_MAX, (slots - kept_for_idle) // max(1, busy)))


def is_crowded(slots: int, sources: int) -> bool:
    """Whether long polls on idle sources would take half of the slots or more from those with work."""
    return sources > 1 and slots < 2 * sources
