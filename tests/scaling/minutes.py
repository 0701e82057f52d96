"""A law told minute by minute, and a service that does at once what the law says."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.scaling.port import Decision, Law, QueueReading, ServiceReading
from forebay.scaling.settings import TargetTrackingSettings
from forebay.scaling.target_tracking import TargetTracking


def queue(visible: int, *, at: float, in_flight: int = 0) -> QueueReading:
    return QueueReading(at=at, period_s=60.0, visible=visible, in_flight=in_flight, delayed=0)


def service(running: int, *, desired: int | None = None, protected: int = 0, deploys: bool = False) -> ServiceReading:
    wanted = running if desired is None else desired
    pending = max(0, wanted - running)
    return ServiceReading(desired=wanted, running=running, pending=pending, protected=protected, is_deploying=deploys)


def tracking(target: float = 100, **settings: object) -> TargetTracking:
    return TargetTracking(TargetTrackingSettings(target=target, **settings))  # type: ignore[arg-type]


@dataclass
class Minutes:
    """The minutes of a service under a law; each call of `minute` is the next one."""

    law: Law
    running: int = 1
    desired: int | None = None
    """None: as many as run."""
    protected: int = 0
    deploys: bool = False
    obeys: bool = True
    """Whether what is decided happens: the count is set, and tasks run by the next minute."""
    number: int = 0
    decisions: list[Decision] = field(default_factory=list)

    def minute(self, visible: int | None, *, in_flight: int = 0) -> Decision:
        """Let a minute pass; None: its reading could not be had."""
        self.number += 1
        at = self.number * 60.0
        read = None if visible is None else queue(visible, at=at, in_flight=in_flight)
        wanted = self.running if self.desired is None else self.desired
        state = service(self.running, desired=wanted, protected=self.protected, deploys=self.deploys)
        decision = self.law.decide(read, state, now=at)
        if decision.desired is not None and self.obeys:
            self.running, self.desired = max(decision.desired, min(self.protected, self.running)), decision.desired
        self.decisions.append(decision)
        return decision

    def minutes(self, count: int, visible: int | None, *, in_flight: int = 0) -> list[Decision]:
        return [self.minute(visible, in_flight=in_flight) for _ in range(count)]


def counts(decisions: list[Decision]) -> list[int | None]:
    return [decision.desired for decision in decisions]
