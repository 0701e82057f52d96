"""How much isolated work a child is given ahead, so that short jobs cost neither it nor the control loop a wait. Pure.

Rules kept here and nowhere else:

1. Work is given ahead only while jobs are short: none may wait long behind another in its child, since its time limit
   runs already. A single long one ends it at once.
2. Nor is it where the worker has to look at the child between two jobs (memory limits, recycling), where one call is
   company enough (batches), or where a time limit is short itself.
3. What has waited for `OVERDUE_S` all the same is handed back: the job before it has turned out to be long.
4. While each child still has work, ends are told together: a turn of the control loop costs more than such a job.
"""

from __future__ import annotations

from collections.abc import Sized

from forebay.handlers.registry import Registry

AHEAD_MAX = 9
"""Jobs that wait in a child behind the one that runs."""
SHORT_S = 0.005
LONG_S = 0.02
"""Jobs are short when they take less than the one, about, until one has taken longer than the other."""
LIMIT_LEAST_S = 10.0
OVERDUE_S = 1.0
GATHER_S = 0.01
"""How long an end may wait for others."""
GATHERED_MAX = 50

_NEWEST = 0.1
"""The weight of the newest job in how long jobs take."""


class Ahead:
    """What the children of one executor may be given ahead."""

    def __init__(self, registry: Registry, *, is_isolated: bool) -> None:
        isolated = [handler for handler in registry if handler.runs == "process"]
        self.is_allowed = is_isolated and all(
            handler.memory_bytes is None
            and handler.recycle_after is None
            and handler.batch is None
            and handler.limit_s >= LIMIT_LEAST_S
            for handler in isolated
        )
        self._last_s = LONG_S
        """How long a job takes, about. Long until some have been short."""
        self._is_short = False

    @property
    def for_each_child(self) -> int:
        """How many jobs may wait in each child."""
        return AHEAD_MAX if self._is_short and self.is_allowed else 0

    def lasted(self, lasted_s: float) -> None:
        """A job has ended."""
        if lasted_s > LONG_S:
            self.was_long()
            return
        self._last_s += (lasted_s - self._last_s) * _NEWEST
        self._is_short = self._is_short or self._last_s < SHORT_S

    def was_long(self) -> None:
        """A job takes long, whether it has ended or not."""
        self._last_s, self._is_short = LONG_S, False


class Gathering:
    """Ends that are to be told together."""

    def __init__(self) -> None:
        self.ends_at: float | None = None
        """When they are told at the latest. None while there are none."""

    def goes_on(self, ended: Sized, now: float) -> bool:
        """Whether these ends may wait for others."""
        if self.ends_at is None:
            self.ends_at = now + GATHER_S
        return 0 < len(ended) < GATHERED_MAX and now < self.ends_at
