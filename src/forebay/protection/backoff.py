"""How long to leave the protection service alone after it has refused.

Rules kept here and nowhere else:

1. The first retry comes after `first_s`, then the wait doubles up to sixteen times that (15 s to 5 min), with jitter.
2. Jitter only adds: a fleet that was refused together must not come back early together.
3. A third call in a row of refusals waits until a minute has passed since the first of the last two, so that a
   throttle storm meets at most two calls a minute from each task (PEERS.md C16; the bucket behind them all is
   80 calls/s for an account and Region, facts/ecs-task-protection.md section 2).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

LONG_AGO = float("-inf")

WINDOW_S = 60.0
"""In this time at most two refused calls are made."""

DOUBLINGS_MAX = 4
JITTER_RATIO = 0.25
"""15 × 2⁴ × 1.25 = 300 s: the longest wait."""


class Backoff:
    """Remembers refusals of one task and says when each kind of call may be made again."""

    def __init__(self, *, first_s: float, rng: Random) -> None:
        assert first_s > 0, first_s
        self._first_s = first_s
        self._rng = rng
        self._recent: deque[float] = deque(maxlen=2)
        self._hold_count = 0
        self._other_count = 0
        self._hold_at = LONG_AGO
        self._other_at = LONG_AGO

    @property
    def is_quiet(self) -> bool:
        """True when nothing has been refused since the last success."""
        return not self._recent

    @property
    def hold_at(self) -> float:
        """The instant from which a hold may be asked for."""
        return max(self._hold_at, self._window_at)

    @property
    def other_at(self) -> float:
        """The instant from which a let-go or a look may be asked for."""
        return max(self._other_at, self._window_at)

    def hold_refused(self, now: float) -> None:
        """Note a hold that was not given."""
        self._recent.append(now)
        self._hold_at = now + self._delay_s(self._hold_count)
        self._hold_count += 1

    def other_refused(self, now: float) -> None:
        """Note a let-go or a look that was refused."""
        self._recent.append(now)
        self._other_at = now + self._delay_s(self._other_count)
        self._other_count += 1

    def wait_before_hold(self, now: float) -> None:
        """Ask for no hold in the next half window: the last one was given, but too short to help."""
        self._hold_at = now + WINDOW_S / 2

    def hold_given(self) -> None:
        """Let the next hold be asked for at once, but remember how often it had been refused."""
        self._hold_at = LONG_AGO

    def forget(self) -> None:
        """Start afresh: the service does what it is asked."""
        self._recent.clear()
        self._hold_count = self._other_count = 0
        self._hold_at = self._other_at = LONG_AGO

    @property
    def _window_at(self) -> float:
        return self._recent[0] + WINDOW_S if len(self._recent) == 2 else LONG_AGO

    def _delay_s(self, count: int) -> float:
        delay_s: float = self._first_s * 2 ** min(count, DOUBLINGS_MAX)
        return delay_s * (1 + JITTER_RATIO * self._rng.random())
