"""Application Auto Scaling carrying out what a template says, as a law that the closed loop of tests/scaling can turn.

Rules kept here and nowhere else:

1. Everything that the template decides is read from it: formulas, targets, thresholds, periods, adjustments, bounds,
   cooldowns. What AWS decides is here: 3 minutes above, 15 below 90 %, from the running count (facts/scaling.md).
2. When several policies want something at once, the largest count wins.
3. How much one scale-in takes is AWS's secret. `in_ratio_max` bounds it; 1 is the boldest that it could be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.deploy.metric_math import Figure, MetricMath

from forebay.deploy.template.intrinsics import Json
from forebay.scaling.alarms import Alarm
from forebay.scaling.cooldown import Change, Cooldown
from forebay.scaling.port import Decision, QueueReading, ServiceReading
from forebay.scaling.settings import rounded_up


def figures_of(queue: QueueReading, service: ServiceReading) -> dict[str, Figure]:
    return {
        "ApproximateNumberOfMessagesVisible": queue.visible,
        "ApproximateNumberOfMessagesNotVisible": queue.in_flight,
        "ApproximateNumberOfMessagesDelayed": queue.delayed,
        "NumberOfMessagesReceived": queue.received,
        "RunningTaskCount": service.running,
        "DesiredTaskCount": service.desired,
    }


@dataclass
class StepAlarm:
    """An alarm of the template, and the step policy that it sets off."""

    alarm: Json
    policy: Json

    @cached_property
    def math(self) -> MetricMath:
        return MetricMath(self.alarm["Metrics"])

    @cached_property
    def minutes(self) -> Alarm:
        assert self.alarm["EvaluationPeriods"] == self.alarm["DatapointsToAlarm"]
        return Alarm(self.alarm["EvaluationPeriods"])

    def rings(self, figures: dict[str, Figure]) -> bool:
        value = self.math.minute(figures)
        assert self.alarm["TreatMissingData"] == "notBreaching"
        self.minutes.add(value is not None and value >= self.alarm["Threshold"])
        return self.minutes.state == "ALARM"

    def wanted(self, running: int) -> int:
        (step,) = self.policy["StepAdjustments"]
        adjustment: int = step["ScalingAdjustment"]
        return adjustment if self.policy["AdjustmentType"] == "ExactCapacity" else running + adjustment


@dataclass
class ManagedScaling:
    """A law (`forebay.scaling.port.Law`)."""

    resources: Json
    in_ratio_max: float = 0.5
    name: str = "the template's"
    _high: Alarm = field(default_factory=lambda: Alarm(3))
    _low: Alarm = field(default_factory=lambda: Alarm(15))
    _cooldowns: dict[str, Cooldown] = field(default_factory=dict[str, Cooldown])

    def properties(self, name: str) -> Json:
        found: Json = self.resources[name]["Properties"]
        return found

    @cached_property
    def tracking(self) -> Json:
        found: Json = self.properties("LoadPolicy")["TargetTrackingScalingPolicyConfiguration"]
        return found

    @cached_property
    def math(self) -> MetricMath:
        return MetricMath(self.tracking["CustomizedMetricSpecification"]["Metrics"])

    @cached_property
    def steps(self) -> list[StepAlarm]:
        pairs = [("WakeAlarm", "WakePolicy"), ("SleepAlarm", "SleepPolicy")]
        return [
            StepAlarm(self.properties(alarm), self.properties(policy)["StepScalingPolicyConfiguration"])
            for alarm, policy in pairs
            if alarm in self.resources
        ]

    @property
    def target(self) -> float:
        value: float = self.tracking["TargetValue"]
        return value

    def decide(self, queue: QueueReading | None, service: ServiceReading, *, now: float) -> Decision:
        assert queue is not None, "the closed loop has a reading each minute"
        figures = figures_of(queue, service)
        load = self.math.minute(figures)
        self._high.add(None if load is None else load > self.target)
        self._low.add(None if load is None else load < 0.9 * self.target)
        wishes = [step.wanted(service.running) for step in self.steps if step.rings(figures)]
        if load is not None:
            wishes += self._tracked(load, service, now=now)
        bounds = self.properties("ScalableTarget")
        wanted = max(bounds["MinCapacity"], min(bounds["MaxCapacity"], max(wishes, default=service.desired)))
        if wanted == service.desired or (wanted < service.desired and service.is_deploying):
            return Decision(desired=None, reason="hold", metric=load)
        self._cooldown.order(self._change(wanted, service, now=now))
        return Decision(desired=wanted, reason=f"{service.desired} → {wanted}", metric=load)

    @cached_property
    def _cooldown(self) -> Cooldown:
        return Cooldown(out_s=self.tracking["ScaleOutCooldown"], in_s=self.tracking["ScaleInCooldown"])

    def _change(self, wanted: int, service: ServiceReading, *, now: float) -> Change:
        kind: Any = "out" if wanted > service.desired else "in"
        return Change(kind=kind, at=now, count=wanted, step=wanted - service.running)

    def _tracked(self, load: float, service: ServiceReading, *, now: float) -> list[int]:
        self._cooldown.see(service.desired)
        needed = rounded_up(service.running * load / self.target)
        if self._high.state == "ALARM" and needed > service.desired:
            step = needed - service.running
            return [needed] if self._cooldown.scale_out_left_s(step, now=now) == 0 else []
        if self._low.state == "ALARM" and needed < service.desired:
            least = service.running - max(1, math.floor(service.running * self.in_ratio_max))
            return [max(needed, least)] if self._cooldown.scale_in_left_s(now=now) == 0 else []
        return []
