"""The settings of the article's ProtectionManager, in our terms.

Rules kept here and nowhere else:

1. Every setting maps to exactly one figure of ours; `docs/protection.md` tables them with what differs and why.
2. With these settings every hold is as long as the article's: a fixed duration, renewed at the share that is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from forebay.errors import SettingsError
from forebay.protection.actions import Tuning

EXPIRY_MIN, EXPIRY_MAX = 1, 2_880
"""ExpiresInMinutes as ECS takes it (facts/ecs-task-protection.md section 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleSettings:
    """What `new ProtectionManager({…})` takes; the defaults are the sample worker's."""

    desired_protection_duration_in_mins: int = 1
    """desiredProtectionDurationInMins: the length of every hold. 1 to 2,880; above 170 CloudFormation may give up."""

    maintain_protection_percentage: float = 10.0
    """maintainProtectionPercentage: how long a hold outlasts the work, as a share of that length. 0 to 100."""

    refresh_protection_percentage: float = 80.0
    """refreshProtectionPercentage: a hold is renewed when this share of it is gone. Above 0, under 100."""

    protection_adjust_interval_in_ms: float = 10_000.0
    """protectionAdjustIntervalInMs: the first wait after a refusal; it doubles from there. 1,000 to 3,600,000."""

    def __post_init__(self) -> None:
        minutes = self.desired_protection_duration_in_mins
        if minutes != int(minutes):
            raise SettingsError(f"desiredProtectionDurationInMins={minutes} must be whole minutes: ECS takes no others")
        _check("desiredProtectionDurationInMins", minutes, EXPIRY_MIN, EXPIRY_MAX)
        _check("maintainProtectionPercentage", self.maintain_protection_percentage, 0, 100)
        _check("protectionAdjustIntervalInMs", self.protection_adjust_interval_in_ms, 1_000, 3_600_000)
        if not 0 < self.refresh_protection_percentage < 100:
            raise SettingsError(
                f"refreshProtectionPercentage={self.refresh_protection_percentage:g} must be above 0 and under 100: "
                "at 100 the hold would end before it is renewed"
            )

    @property
    def tuning(self) -> Tuning:
        """The figures of the policy."""
        return Tuning(
            minutes_min=self.desired_protection_duration_in_mins,
            minutes_max=self.desired_protection_duration_in_mins,
            renew_ratio=self.refresh_protection_percentage / 100,
            retry_first_s=self.protection_adjust_interval_in_ms / 1_000,
        )

    @property
    def linger_s(self) -> float:
        """How long a hold outlasts the work."""
        return 60.0 * self.desired_protection_duration_in_mins * self.maintain_protection_percentage / 100


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name}={value:g} is outside {low:,g} to {high:,g}")
