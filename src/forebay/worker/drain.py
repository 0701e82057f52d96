"""How a worker stops: which phase it is in, and when the next one begins.

Rules kept here and nowhere else:

1. Phases only go forward: working, retiring, draining, interrupting, leaving, gone. One value says where we are.
2. A drain ends running attempts at its limit. Then comes a second for them to obey, and a few for the last answers.
3. A second signal skips the drain and leaves within a second.
4. A worker with code that does not end retires: what else runs gets the time that it may take, and the drain follows
   when nothing else is left, or when a stop is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

OBEY_S = 1.0
"""How long interrupted code gets to end."""
FLUSH_S = 4.0
"""From the drain's limit until the exit at the latest. ECS's 30 s less the drain of 25 s leaves five."""
HURRY_OBEY_S = 0.4
HURRY_S = 1.0
VISIBLE_AFTER_S = 2.0
"""What cannot be stopped stays hidden this long after our exit (DESIGN decision 8)."""


class Phase(IntEnum):
    WORKING = 0
    RETIRING = 1
    """No new receive; running attempts may finish, save those that do not end."""
    DRAINING = 2
    """No new receive; running attempts may finish before the drain's limit."""
    INTERRUPTING = 3
    """Running attempts have been told to end."""
    LEAVING = 4
    """What would not end has been given up; only answers are awaited."""
    GONE = 5


@dataclass(slots=True, eq=False)
class Drain:
    """The plan of one stop."""

    phase: Phase = Phase.WORKING
    reason: str = ""
    status: int = 0
    limit_at: float = 0.0
    obey_until: float = 0.0
    exit_at: float = 0.0

    def begin(self, reason: str, *, status: int, drain_s: float, now: float) -> bool:
        """Start to drain. False when that was begun already. The first reason stands, that of a retiring one too."""
        if self.phase not in (Phase.WORKING, Phase.RETIRING):
            return False
        if self.phase is Phase.WORKING:
            self.reason = reason
            self.status = status
        self.phase = Phase.DRAINING
        self.limit_at = now + drain_s
        self.obey_until = self.limit_at + OBEY_S
        self.exit_at = self.limit_at + FLUSH_S
        return True

    def retire(self, reason: str) -> bool:
        """Start to replace this worker by another. False when a stop is under way already."""
        if self.phase is not Phase.WORKING:
            return False
        self.phase = Phase.RETIRING
        self.reason = reason
        self.status = 1
        return True

    def hurry(self, reason: str, *, now: float) -> bool:
        """Leave within a second. False when that was asked for already."""
        if self.phase in (Phase.WORKING, Phase.RETIRING):
            self.phase = Phase.DRAINING
        elif self.phase is Phase.GONE or (self.status == 1 and self.exit_at <= now + HURRY_S and self.limit_at <= now):
            return False
        self.reason = reason
        self.status = 1
        self.limit_at = min(self.limit_at, now) if self.limit_at else now
        self.obey_until = min(self.obey_until or now + HURRY_OBEY_S, now + HURRY_OBEY_S)
        self.exit_at = min(self.exit_at or now + HURRY_S, now + HURRY_S)
        return True

    @property
    def wake_at(self) -> float | None:
        """When the next phase begins by itself."""
        match self.phase:
            case Phase.DRAINING:
                return self.limit_at
            case Phase.INTERRUPTING:
                return self.obey_until
            case Phase.LEAVING:
                return self.exit_at
            case _:
                return None
