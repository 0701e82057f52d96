"""Carries a scaling law's word out: every period it reads, asks and sets.

Rules kept here and nowhere else:

1. Fail static: whatever cannot be read or set leaves the service as it is, and is told as a decision of its own. Only
   the type of an error is told, since its message may hold anything; the error itself goes to `on_error`.
2. The first reading comes when a period has passed; periods do not drift, and those that were missed are not made up.
3. While paused the law is still asked, so that its alarms know what has happened, but nothing is set.
4. A reading or a setting that takes longer than `patience_s` is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import anyio

from forebay.scaling.law_clock import LawClock
from forebay.scaling.port import Decision, Law, QueueMeter, ScalableService, ServiceReading

T = TypeVar("T")

DECISIONS_MAX = 100
PERIOD_S = 60.0
PATIENCE_S = 10.0

OnDecision = Callable[[Decision, ServiceReading | None], None]
OnError = Callable[[Exception], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A decision that was made."""

    number: int
    """Rises by one."""
    at: float
    """On the law's clock."""
    at_utc: datetime
    decision: Decision
    service: ServiceReading | None
    """What it was decided from; None: it could not be read."""


class Controller:
    """Scales one service by one law. `run` works until it is cancelled, on asyncio as on trio."""

    def __init__(
        self,
        law: Law,
        meter: QueueMeter,
        service: ScalableService,
        *,
        clock: LawClock,
        period_s: float = PERIOD_S,
        patience_s: float = PATIENCE_S,
        on_decision: OnDecision | None = None,
        on_error: OnError | None = None,
    ) -> None:
        """`period_s` is on the law's clock, `patience_s` in real seconds."""
        assert period_s > 0, period_s
        assert patience_s > 0, patience_s
        self.law = law
        self.decisions: deque[Made] = deque(maxlen=DECISIONS_MAX)
        self.is_paused = False
        self._meter = meter
        self._service = service
        self._clock = clock
        self._period_s = period_s
        self._patience_s = patience_s
        self._on_decision = on_decision
        self._on_error = on_error
        self._number = 0

    def pause(self) -> None:
        """A person takes over: the count is theirs from now on."""
        self.is_paused = True

    def resume(self) -> None:
        """The law sets the count again, at the end of this period at the earliest."""
        self.is_paused = False

    async def run(self) -> None:
        """Read, ask and set once a period, until cancelled."""
        due_at = self._clock.now() + self._period_s
        while True:
            await anyio.sleep(self._clock.real_s(max(0.0, due_at - self._clock.now())))
            await self.turn()
            missed = max(0, int((self._clock.now() - due_at) // self._period_s))
            due_at += (missed + 1) * self._period_s

    async def turn(self) -> Made:
        """Do what a period asks for, now. Return what was decided."""
        trouble: list[str] = []
        service = await self._tried("the service's count could not be read", self._service.read, trouble)
        queue = await self._tried("the queue's metrics could not be read", self._meter.read, trouble)
        if service is None:
            return self._told(Decision(desired=None, reason=f"hold: {'; '.join(trouble)}"), None)
        decision = self.law.decide(queue, service, now=self._clock.now())
        if trouble:
            decision = replace(decision, reason=f"{decision.reason} ({'; '.join(trouble)})")
        return self._told(await self._carried_out(decision, service), service)

    async def _carried_out(self, decision: Decision, service: ServiceReading) -> Decision:
        """Set the count if it differs. Return the decision as it turned out."""
        count = decision.desired
        # Asked here and not before the readings: a person may have taken over while they were under way.
        if self.is_paused:
            return replace(decision, desired=None, reason=f"suspended, or else: {decision.reason}")
        if count is None or count == service.desired:
            return decision

        async def setting() -> bool:
            await self._service.set_desired(count)
            return True

        trouble: list[str] = []
        if await self._tried(f"the count could not be set to {count}", setting, trouble) is None:
            return replace(decision, desired=None, reason=f"hold: {'; '.join(trouble)}; {decision.reason}")
        return decision

    async def _tried(self, complaint: str, call: Callable[[], Awaitable[T | None]], trouble: list[str]) -> T | None:
        """Return what the call brings; None, with a word in `trouble`, if it fails or takes too long."""
        try:
            with anyio.fail_after(self._patience_s):
                return await call()
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, the service is held, and it is told
            trouble.append(f"{complaint}: {type(error).__name__}")
            if self._on_error is not None:
                self._on_error(error)
            return None

    def _told(self, decision: Decision, service: ServiceReading | None) -> Made:
        self._number += 1
        made = Made(
            number=self._number,
            at=self._clock.now(),
            at_utc=self._clock.utc(),
            decision=decision,
            service=service,
        )
        self.decisions.append(made)
        if self._on_decision is not None:
            self._on_decision(decision, service)
        return made
