"""Cron expressions as EventBridge Scheduler takes them."""

from __future__ import annotations

import re

import pytest

from forebay.deploy.manifest import cron


@pytest.mark.parametrize(
    "text",
    [
        "0 6 * * ? *",
        "0/15 8-18 ? * MON-FRI *",
        "0 0 L * ? *",
        "0 0 15W * ? *",
        "0 0 ? * 6L *",
        "0 0 ? * tue#2 *",
        "0,30 */2 1,15 JAN-MAR,12 ? 2027-2030",
        "*/5 * ? * 2,4,6 *",
    ],
)
def test_what_scheduler_takes_stays_as_it_is(text: str) -> None:
    assert cron.checked(text) == text
    assert cron.checked(f" cron({text}) ") == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("60 6 * * ? *", "minute cannot be '60': it is 0 to 59"),
        ("0 24 * * ? *", "hour cannot be '24'"),
        ("0 6 0 * ? *", "day-of-month cannot be '0'"),
        ("0 6 * 13 ? *", "month cannot be '13': it is 1 to 12 or JAN to DEC"),
        ("0 6 ? * 0 *", "day-of-week cannot be '0': it is 1 to 7 or SUN to SAT"),
        ("0 6 ? * MON#6 *", "day-of-week cannot be 'MON#6'"),
        ("0 6 * * ? 26", "year cannot be '26'"),
        ("? 6 * * ? *", "minute cannot be '?'"),
        ("0/0 6 * * ? *", "minute cannot be '0/0'"),
        ("0 6- * * ? *", "hour cannot be '6-'"),
        ("٣ 6 * * ? *", "minute cannot be"),
        ("0 6 * * * *", "one of day-of-month and day-of-week is `?`"),
        ("0 6 ? * ? *", "one of day-of-month and day-of-week is `?`"),
        ("0 6 * * *", "here are 5 (as crontab has them; here `0 6 * * ? *`)"),
        ("0 6 * * 1-5", "here are 5 (as crontab has them; here `0 6 ? * MON-FRI *`)"),
        ("0 6 * * 0,7", "here are 5 (as crontab has them; here `0 6 ? * SUN,SUN *`)"),
        ("0 6 1 * 1", "here are 5: minute hour"),
        ("", "here are 0: minute hour"),
    ],
)
def test_what_it_does_not_take_is_told_with_its_field_and_what_would_do(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        cron.checked(text)
