"""How many tasks keep the backlog per task at its target, decided as Application Auto Scaling does for ECS.

Rules kept here and nowhere else (facts/scaling.md sections 1 and 2):

1. The metric is visible ÷ running. Out: above the target for 3 minutes, to running × metric ÷ target, rounded up. In:
   below 0.9 × target for 15 minutes, never so far that the metric would pass the target, and at most half at once.
2. The running count is what is computed from, not the desired one.
3. Without a datapoint nothing is changed. While a deployment is in progress nothing is taken away.
4. Mended: at zero tasks the metric is what waits, one waiting message wakes the service after one datapoint, and the
   last task goes only after nothing has waited for the low alarm's 15 minutes.
5. Protection is no business of the law: ECS keeps protected tasks beyond the desired count until they let go.
"""

from __future__ import annotations

import math

from forebay.scaling.alarms import SPARE, Alarm, Minutes
from forebay.scaling.cooldown import Change, Cooldown, Kind
from forebay.scaling.port import Decision, QueueReading, ServiceReading
from forebay.scaling.settings import TargetTrackingSettings, rounded_up
from forebay.scaling.wording import Wording, be, figure, tasks


class TargetTracking:
    """A scaling law (`port.Law`) with the memory that its two alarms and its cooldowns need."""

    def __init__(self, settings: TargetTrackingSettings) -> None:
        self.settings = settings
        self._say = Wording(settings)
        self._minutes = Minutes(settings.datapoint_s)
        self._high = Alarm(settings.high_datapoints)
        self._low = Alarm(settings.low_datapoints)
        self._quiet = Alarm(settings.low_datapoints)
        self._cooldown = Cooldown(out_s=settings.scale_out_cooldown_s, in_s=settings.scale_in_cooldown_s)

    @property
    def name(self) -> str:
        return "target tracking" if self.settings.mended else "target tracking as published"

    @property
    def target(self) -> float:
        return self.settings.target

    def decide(self, queue: QueueReading | None, service: ServiceReading, *, now: float) -> Decision:
        """Take in one period's readings and say what the count should be."""
        self._cooldown.see(service.desired)
        if queue is None:
            return _hold("hold: there is no reading of the queue, and without data nothing is scaled")
        metric = self.metric(queue, service)
        if not self._take_in(queue, metric):
            return _hold("hold: this minute has its datapoint already", metric)
        mended = self._within_bounds(service, metric, now=now) or self._woken(queue, service, metric, now=now)
        if mended is not None:
            return mended
        if metric is None:
            return _hold(
                "hold: backlog per task has no value (visible ÷ running, and no task runs): no data, no scaling"
            )
        if self._high.state == "ALARM":
            return self._scale_out(service, metric, now=now)
        if self._low.state == "ALARM":
            return self._scale_in(service, metric, now=now)
        return _hold(self._say.between(metric, high=self._high, low=self._low), metric)

    def metric(self, queue: QueueReading, service: ServiceReading) -> float | None:
        """Return `IF(running > 0, visible / running, visible)`; as published the IF is missing."""
        count = self._counted(queue)
        if service.running > 0:
            return count / service.running
        return float(count) if self.settings.mended else None

    def _counted(self, queue: QueueReading) -> int:
        return queue.visible + (queue.in_flight if self.settings.counts_in_flight else 0)

    def _take_in(self, queue: QueueReading, metric: float | None) -> bool:
        """Give the minute's datapoint to the alarms. False if this minute had one."""
        passed = self._minutes.passed(queue.at)
        if passed == 0:
            return False
        low_bound = self.settings.low_ratio * self.settings.target
        for alarm, breaches in (
            (self._high, None if metric is None else metric > self.settings.target),
            (self._low, None if metric is None else metric < low_bound),
            (self._quiet, self._counted(queue) == 0),
        ):
            for _ in range(min(passed - 1, alarm.count + SPARE)):
                alarm.add(None)
            alarm.add(breaches)
        return True

    def _within_bounds(self, service: ServiceReading, metric: float | None, *, now: float) -> Decision | None:
        """Bring a count that somebody set outside of the bounds back to them, as an invoked policy does."""
        least, most = self.settings.count_min, self.settings.count_max
        if service.desired < least:
            reason = f"scale out {service.desired} → {least}: {tasks(least)} {be(least)} the least allowed"
            return self._change("mend", least, reason, metric, now=now)
        if service.desired > most and not service.is_deploying:
            reason = f"scale in {service.desired} → {most}: {tasks(most)} {be(most)} the most allowed"
            return self._change("mend", most, reason, metric, now=now)
        return None

    def _woken(
        self, queue: QueueReading, service: ServiceReading, metric: float | None, *, now: float
    ) -> Decision | None:
        """Leave zero for one task. The desired count decides: what still runs only finishes its protected work."""
        if not self.settings.mended or service.desired > 0 or queue.visible == 0:
            return None
        waiting = self._say.waiting(queue.visible)
        if self.settings.count_max == 0:
            return _hold(f"AlreadyAtMaxCapacity: {waiting}, and no task is allowed", metric)
        return self._change("mend", 1, f"scale out 0 → 1: {waiting} and no task is wanted", metric, now=now)

    def _scale_out(self, service: ServiceReading, metric: float, *, now: float) -> Decision:
        asked = rounded_up(service.running * metric / self.settings.target)
        wanted = min(asked, self.settings.count_max)
        why = self._say.above(metric)
        if wanted <= service.desired:
            return _hold(self._say.cannot_add(service, asked, why), metric)
        step = wanted - service.running
        left_s = self._cooldown.scale_out_left_s(step, now=now)
        if left_s > 0:
            return _hold(self._say.out_waits(step, self._cooldown.last_step, left_s, why), metric)
        limit = f", which asks for {asked}, but {wanted} {be(wanted)} the most allowed" if asked > wanted else ""
        reason = f"scale out {service.desired} → {wanted}: {why}{limit}"
        return self._change("out", wanted, reason, metric, now=now, step=step)

    def _scale_in(self, service: ServiceReading, metric: float, *, now: float) -> Decision:
        settings = self.settings
        needed = rounded_up(service.running * metric / settings.target)
        if needed == 0 and settings.mended and self._quiet.state != "ALARM":
            needed = 1
        at_once = max(1, math.floor(service.running * settings.scale_in_ratio_max))
        wanted = max(needed, service.running - at_once, settings.count_min)
        why = self._say.below(metric)
        if wanted >= service.desired:
            return _hold(self._say.cannot_remove(service, metric, needed, self._quiet), metric)
        if service.is_deploying:
            return _hold(f"scale-in waits: a deployment is in progress; {why}", metric)
        left_s = self._cooldown.scale_in_left_s(now=now)
        if left_s > 0:
            return _hold(f"scale-in waits: cooldown has {figure(left_s)} s left; {why}", metric)
        reason = f"scale in {service.desired} → {wanted}: {why}{self._say.staying(service, wanted)}"
        return self._change("in", wanted, reason, metric, now=now)

    def _change(
        self, kind: Kind, count: int, reason: str, metric: float | None, *, now: float, step: int = 0
    ) -> Decision:
        self._cooldown.order(Change(kind=kind, at=now, count=count, step=step))
        return Decision(desired=count, reason=reason, metric=metric)


def _hold(reason: str, metric: float | None = None) -> Decision:
    return Decision(desired=None, reason=reason, metric=metric)
