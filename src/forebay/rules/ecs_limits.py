"""The numbers that bind the ECS service scheduler: how few tasks, how many, how many failures, how soon again.

Rules kept here and nowhere else:

1. The minimum is rounded up, the maximum down (ECS guide, Deploy Amazon ECS services by replacing tasks).
2. The circuit breaker trips at half of the desired count, rounded up, but at 3 at the least and 200 at the most
   (ECS guide, How the deployment circuit breaker detects failures; facts/ecs-task-protection.md section 3).
3. Launches that fail are tried again after growing intervals, 27 minutes at the most (ECS guide, Service throttle
   logic). The curve is not documented: here it doubles from one second.
"""

from __future__ import annotations

FAILURES_MIN, FAILURES_MAX = 3, 200
THROTTLE_FIRST_S = 1.0
THROTTLE_MAX_S = 27 * 60.0
THROTTLE_TOLD_AT = 3
"""Failed rounds after which the service says so. ECS says "after consecutive attempts"; how many is unknown."""


def minimum_healthy(desired: int, percent: int) -> int:
    """Return how many healthy tasks a deployment must leave."""
    return -(-desired * percent // 100)


def maximum_tasks(desired: int, percent: int) -> int:
    """Return how many tasks may be pending or running before no more are started."""
    return desired * percent // 100


def failure_threshold(desired: int) -> int:
    """Return how many failed tasks make a deployment FAILED."""
    return min(max(-(-desired // 2), FAILURES_MIN), FAILURES_MAX)


def throttle_s(rounds: int) -> float:
    """Return how long to wait after so many failed rounds of launches, in seconds."""
    assert rounds >= 1, rounds

    return min(THROTTLE_FIRST_S * 2.0 ** min(rounds - 1, 30), THROTTLE_MAX_S)
