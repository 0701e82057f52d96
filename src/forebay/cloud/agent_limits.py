"""The two limiters in front of task protection: the agent's own and that of the ECS API behind it.

Figures: facts/ecs-task-protection.md section 2. Time is an argument.
"""

from __future__ import annotations

AGENT_RATE = 40.0
AGENT_BURST = 60.0
"""Per caller's address and URL path: PUT and GET of protection share one bucket, metadata has another."""

ECS_RATE = 80.0
ECS_BURST = 200.0
"""UpdateTaskProtection and GetTaskProtection together, per account and Region."""

BUCKETS_MAX = 10_000


class TokenBucket:
    """Lets `burst` calls through at once and `rate` a second in the long run."""

    def __init__(self, *, rate: float, burst: float) -> None:
        assert rate > 0, rate
        assert burst >= 1, burst
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class AgentLimiter:
    """One bucket for each caller and path."""

    def __init__(self, *, rate: float = AGENT_RATE, burst: float = AGENT_BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def take(self, caller: str, path: str, now: float) -> bool:
        """Say whether this request may pass."""
        key = (caller, path)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= BUCKETS_MAX:  # Paths are free text: forget the oldest, not the machine's memory.
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[key] = TokenBucket(rate=self._rate, burst=self._burst)
        return bucket.take(now)
