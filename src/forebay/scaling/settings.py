"""What target tracking is told: the target, the bounds, and the pace of its alarms.

Rules kept here and nowhere else:

1. The defaults are those of Application Auto Scaling for ECS (facts/scaling.md section 1), and each departure from it
   has a field of its own.
2. The target follows from how long a message may wait: acceptable latency × slots ÷ processing time (facts/scaling.md
   sections 2 and 6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from forebay.errors import SettingsError

COUNT_LARGEST = 5_000
"""ECS's quota of tasks for one service (page "Amazon ECS service quotas")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTrackingSettings:
    """How one service is to be scaled."""

    target: float
    """Waiting messages a running task that are acceptable. Above 0; `backlog_target` gives it."""

    count_min: int = 0
    count_max: int = 10
    """The tasks that may be wanted, both ends included. 0 to 5,000."""

    scale_out_cooldown_s: float = 300.0
    """After a scale-out only a larger one goes through for so long. 0 or more."""

    scale_in_cooldown_s: float = 300.0
    """After a scale-in there is no other for so long. 0 or more."""

    datapoint_s: float = 60.0
    """One datapoint of the metric stands for so long: AWS evaluates every metric of a queue once a minute. Above 0."""

    high_datapoints: int = 3
    """The high alarm rings after so many datapoints above the target. 1 or more."""

    low_datapoints: int = 15
    """The low alarm rings after so many datapoints below `low_ratio` × target. 1 or more."""

    low_ratio: float = 0.9
    """The gap between both alarms, so that the count does not swing. Above 0, at most 1."""

    scale_in_ratio_max: float = 0.5
    """The largest share of the running tasks that one scale-in takes, one task at least. AWS documents "gradually" and
    no figure, so this one is chosen; 1 takes all at once. Above 0, at most 1."""

    mended: bool = True
    """False: AWS's recipe as published, which cannot leave zero (facts/scaling.md section 2, defects 1 and 7)."""

    counts_in_flight: bool = False
    """True: messages being processed count as well, as KEDA does (facts/scaling.md section 4); AWS's recipe counts only
    those that wait, and leaves it to task protection to keep busy tasks alive."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.target) and self.target > 0):
            raise SettingsError(f"target={self.target} must be above 0: it is a number of messages a task")
        if not 0 <= self.count_min <= self.count_max <= COUNT_LARGEST:
            raise SettingsError(
                f"count_min={self.count_min} and count_max={self.count_max} must be a range within 0 to {COUNT_LARGEST}"
            )
        for name, value in (("high_datapoints", self.high_datapoints), ("low_datapoints", self.low_datapoints)):
            if value < 1:
                raise SettingsError(f"{name}={value} must be 1 or more: an alarm needs a datapoint")
        for name, seconds in (
            ("scale_out_cooldown_s", self.scale_out_cooldown_s),
            ("scale_in_cooldown_s", self.scale_in_cooldown_s),
        ):
            if not (math.isfinite(seconds) and seconds >= 0):
                raise SettingsError(f"{name}={seconds} must be 0 s or more")
        if not (math.isfinite(self.datapoint_s) and self.datapoint_s > 0):
            raise SettingsError(f"datapoint_s={self.datapoint_s} must be above 0 s; AWS takes 60")
        for name, ratio in (("low_ratio", self.low_ratio), ("scale_in_ratio_max", self.scale_in_ratio_max)):
            if not 0 < ratio <= 1:
                raise SettingsError(f"{name}={ratio} must be above 0 and at most 1")


def backlog_target(latency_s: float, slots: int, job_s: float) -> int:
    """Return how many messages may wait for each task if none is to wait longer than `latency_s`.

    `slots` is how many jobs a task does at once, `job_s` how long one takes. Rounded up, as Copilot did it
    (facts/scaling.md section 3).
    """
    if not (latency_s > 0 and slots >= 1 and job_s > 0):
        raise SettingsError(
            f"latency_s={latency_s}, slots={slots} and job_s={job_s} must all be above 0: "
            "the target is latency × slots ÷ processing time"
        )
    return rounded_up(latency_s * slots / job_s)


def rounded_up(value: float) -> int:
    """Return the next whole number, taking 11.000000000000002 for the 11 that was meant."""
    return math.ceil(round(value, 9))
