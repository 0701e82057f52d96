"""The sentences that target tracking gives as reasons, each with the figures that it rests on.

Rules kept here and nowhere else:

1. Where AWS has a word for not scaling, it begins the sentence (DescribeScalingActivities, facts/scaling.md section 1).
2. Figures are written so that a person can check the decision against a picture of the queue and the service.
"""

from __future__ import annotations

from forebay.scaling.alarms import Alarm
from forebay.scaling.port import ServiceReading
from forebay.scaling.settings import TargetTrackingSettings


def figure(value: float) -> str:
    """Write a number as short as can be checked: 12,000, 113.3, 1.04 (beside a target of 1 decimals matter)."""
    text = f"{value:,.1f}" if value >= 10 else f"{value:.3f}"
    return text.rstrip("0").removesuffix(".")


def tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{figure(count)} tasks"


def be(count: int) -> str:
    return "is" if count == 1 else "are"


class Wording:
    """Says what the law thinks, in the words of its settings."""

    def __init__(self, settings: TargetTrackingSettings) -> None:
        self._settings = settings
        self._metric = "messages per task" if settings.counts_in_flight else "backlog per task"
        self._unit = "minutes" if settings.datapoint_s == 60 else "datapoints"
        self._low_bound = figure(settings.low_ratio * settings.target)

    def waiting(self, visible: int) -> str:
        return "1 message waits" if visible == 1 else f"{figure(visible)} messages wait"

    def above(self, metric: float) -> str:
        target = figure(self._settings.target)
        return f"{self._measure(metric)} > target {target} {self._for(self._settings.high_datapoints)}"

    def below(self, metric: float) -> str:
        return f"{self._measure(metric)} < {self._low_bound} {self._for(self._settings.low_datapoints)}"

    def between(self, metric: float, *, high: Alarm, low: Alarm) -> str:
        """Say why neither alarm rings."""
        target = figure(self._settings.target)
        if metric > self._settings.target:
            return f"hold: {self._measure(metric)} > target {target} for {high.breaching} of {high.count} {self._unit}"
        if metric < self._settings.low_ratio * self._settings.target:
            return f"hold: {self._measure(metric)} < {self._low_bound} for {low.breaching} of {low.count} {self._unit}"
        return f"hold: {self._measure(metric)} within {self._low_bound}..{target}"

    def cannot_add(self, service: ServiceReading, asked: int, why: str) -> str:
        """Say why the high alarm adds nothing."""
        if asked > self._settings.count_max:
            most = tasks(service.desired)
            return f"AlreadyAtMaxCapacity: {most} wanted, the most allowed; {why}, which asks for {asked}"
        return f"AlreadyAtDesiredCapacity: {tasks(service.desired)} wanted, {service.running} running; {why}"

    def out_waits(self, step: int, last_step: int, left_s: float, why: str) -> str:
        return (
            f"scale-out waits: cooldown has {figure(left_s)} s left, and {step} above the running count "
            f"are not more than the {last_step} that began it; {why}"
        )

    def cannot_remove(self, service: ServiceReading, metric: float, needed: int, quiet: Alarm) -> str:
        """Say why the low alarm takes nothing away."""
        if service.desired <= self._settings.count_min:
            return f"AlreadyAtMinCapacity: {tasks(service.desired)} wanted, the least allowed; {self.below(metric)}"
        if needed >= service.desired and metric > 0:
            return f"hold: {self._one_fewer(service.desired - 1, round(metric * max(1, service.running)))}"
        if needed >= service.desired:
            return (
                f"hold: the last task stays until nothing has waited for {quiet.count} {self._unit}, "
                f"{quiet.breaching} so far"
            )
        return f"AlreadyAtDesiredCapacity: {tasks(service.desired)} wanted, {service.running} still running"

    def staying(self, service: ServiceReading, wanted: int) -> str:
        """Say what protection will do to a scale-in."""
        if service.protected <= wanted:
            return ""
        return f"; of {service.protected} protected, {service.protected - wanted} stay until they let go"

    def _measure(self, metric: float) -> str:
        return f"{self._metric} {figure(metric)}"

    def _one_fewer(self, fewer: int, count: int) -> str:
        """Say what taking one task away would do to so many messages."""
        if fewer == 0:
            what = "wait or are in flight" if self._settings.counts_in_flight else "wait"
            return f"the last task stays while there is work: {figure(count)} {what}"
        target = figure(self._settings.target)
        return f"with {tasks(fewer)} it would be {self._measure(count / fewer)}, above target {target}"

    def _for(self, datapoints: int) -> str:
        return f"for {datapoints} {self._unit}"
