"""What a person lets go wrong for a while: the network, SQS's patience, ECS's consent to protection.

Rules kept here and nowhere else:

1. A fault ends by itself. Asking for one that is there sets its end anew.
2. Faults are made where they would be made on AWS: in the service, not in the worker.
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.cloud.chaos import Chaos, ChaosRule, Effect
from forebay.local.port import ControlError, FaultFigures

SECONDS_MAX = 3_600.0
THROTTLED_SHARE = 0.5

RULES = {
    "hole": ChaosRule(effect=Effect.BLACK_HOLE),
    "throttle": ChaosRule(effect=Effect.THROTTLE, probability=THROTTLED_SHARE),
    "refusal": ChaosRule(effect=Effect.REFUSE, operations=("UpdateTaskProtection",), detail="DEPLOYMENT_BLOCKED"),
}
"""What each fault is to the service that makes it."""


class _Made(NamedTuple):
    chaos: Chaos
    ends_at: float


class Faults:
    """The faults that are being made."""

    def __init__(self, *, sqs: Chaos, agent: Chaos) -> None:
        self._where = {"hole": sqs, "throttle": sqs, "refusal": agent}
        self._made: dict[str, _Made] = {}

    def make(self, name: str, seconds: float, now: float) -> None:
        """Let this go wrong until `seconds` from now. Raises ControlError."""
        if not 0 < seconds <= SECONDS_MAX:
            raise ControlError(f"{seconds:g} s is outside 0 to {SECONDS_MAX:,.0f} s")
        chaos = self._where[name]
        if name not in self._made:
            chaos.add(RULES[name])
        self._made[name] = _Made(chaos, now + seconds)

    def turn(self, now: float) -> None:
        """End what is over."""
        for name in [name for name, made in self._made.items() if made.ends_at <= now]:
            self._end(name)

    def clear(self) -> None:
        """End all of them."""
        for name in list(self._made):
            self._end(name)

    def figures(self, now: float) -> list[FaultFigures]:
        return [{"name": name, "left_s": round(made.ends_at - now, 1)} for name, made in self._made.items()]

    def _end(self, name: str) -> None:
        self._made.pop(name).chaos.remove(RULES[name])
