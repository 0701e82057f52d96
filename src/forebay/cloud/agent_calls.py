"""The local ECS agent's record of the protection calls it was asked for, for tests that count."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from forebay.clock import Clock
from forebay.cloud.agent_answers import rfc3339
from forebay.cloud.agent_endpoint import Reply

CALLS_MAX = 100_000
"""Calls remembered; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the protection endpoint, as it was answered."""

    at: float
    """Monotonic seconds on the agent's clock."""
    at_utc: str
    task: str
    """The endpoint id in the address, known or not."""
    method: str
    enabled: bool | None
    minutes: int | None
    status: int | None
    """None: no answer was sent."""
    outcome: str
    """`held`, `unheld`, a failure's reason, an error's code, `limited`, `lost` or `silence`."""


class CallLog:
    """Every call, and how many ended in which way."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)
        self.counts: Counter[str] = Counter()

    def note(self, task: str, method: str, reply: Reply, *, clock: Clock) -> None:
        """Write down one call and what became of it."""
        request, answer = reply.request, reply.answer
        self.counts[reply.outcome] += 1
        self.calls.append(
            Call(
                at=clock.now(),
                at_utc=rfc3339(clock.utc()),
                task=task,
                method=method,
                enabled=None if request is None else request.enabled,
                minutes=None if request is None else request.minutes,
                status=None if answer is None else answer.status,
                outcome=reply.outcome,
            )
        )

    def clear(self) -> None:
        """Forget everything."""
        self.calls.clear()
        self.counts.clear()
