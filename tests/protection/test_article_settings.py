"""The settings of the article's ProtectionManager, one by one."""

from __future__ import annotations

from random import Random

import pytest

from forebay.errors import SettingsError
from forebay.protection import ArticleSettings
from forebay.protection.policy import HoldFor, LetGo, Policy
from forebay.protection.port import Held, Refused


def policy_by(settings: ArticleSettings) -> Policy:
    return Policy(
        mode="auto",
        linger_s=settings.linger_s,
        margin_s=5.0,
        rng=Random(1),
        is_available=True,
        tuning=settings.tuning,
    )


def test_the_sample_workers_settings_are_the_defaults() -> None:
    settings = ArticleSettings()

    assert settings.desired_protection_duration_in_mins == 1
    assert settings.linger_s == 6.0
    assert settings.tuning.renew_ratio == 0.8
    assert settings.tuning.retry_first_s == 10.0


@pytest.mark.parametrize("limit_s", [1.0, 3_600.0, 80_000.0])
def test_every_hold_has_the_desired_duration_whatever_the_work_needs(limit_s: float) -> None:
    policy = policy_by(ArticleSettings(desired_protection_duration_in_mins=60))
    policy.want(limit_s, now=0.0)

    assert policy.next(now=0.0) == HoldFor(60)


def test_a_hold_is_renewed_when_the_refresh_percentage_is_gone() -> None:
    policy = policy_by(ArticleSettings(desired_protection_duration_in_mins=1, refresh_protection_percentage=80))
    policy.want(40_000.0, now=0.0)
    policy.next(now=0.0)
    policy.answered(Held(60.0), now=0.0)

    assert policy.next(now=47.9) is None
    assert policy.next(now=48.0) == HoldFor(1)


def test_a_hold_outlasts_the_work_by_the_maintain_percentage() -> None:
    policy = policy_by(ArticleSettings(desired_protection_duration_in_mins=10, maintain_protection_percentage=10))
    policy.want(100.0, now=0.0)
    policy.next(now=0.0)
    policy.answered(Held(600.0), now=0.0)

    policy.want(None, now=30.0)

    assert policy.next(now=89.0) is None
    assert policy.next(now=90.0) == LetGo()


def test_a_refusal_is_tried_again_after_the_adjust_interval() -> None:
    policy = policy_by(ArticleSettings(protection_adjust_interval_in_ms=20_000))
    policy.want(100.0, now=0.0)
    policy.next(now=0.0)
    policy.answered(Refused("ThrottlingException", is_lasting=False), now=0.0)

    assert policy.wake_at is not None
    assert 20.0 <= policy.wake_at <= 25.0


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"desired_protection_duration_in_mins": 0}, "desiredProtectionDurationInMins"),
        ({"desired_protection_duration_in_mins": 2_881}, "desiredProtectionDurationInMins"),
        ({"desired_protection_duration_in_mins": 1.5}, "desiredProtectionDurationInMins"),
        ({"maintain_protection_percentage": 101}, "maintainProtectionPercentage"),
        ({"refresh_protection_percentage": 0}, "refreshProtectionPercentage"),
        ({"refresh_protection_percentage": 100}, "refreshProtectionPercentage"),
        ({"protection_adjust_interval_in_ms": 10}, "protectionAdjustIntervalInMs"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_under_its_name_in_the_article(
    settings: dict[str, float], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        ArticleSettings(**settings)  # type: ignore[arg-type]
