"""Lengths of time as people write them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay import SettingsError
from forebay.api.durations import Duration, seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        ("90", 90.0),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5_400.0),
        ("1h 30m", 5_400.0),
        ("1.5h", 5_400.0),
        ("250ms", 0.25),
        ("1m30s500ms", 90.5),
        ("1D", 86_400.0),
        (timedelta(minutes=5), 300.0),
    ],
)
def test_durations_mean_what_they_say(written: Duration, expected: float) -> None:
    assert seconds("timeout", written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "", "m", "5x", "-5m", "5m5m", "1h-30m", "five minutes", "1e3s", "٥m", "5m" * 1_000,
        -1, math.nan, math.inf, 10**400, True, timedelta(seconds=-1), None, [5],
    ],
    ids=lambda written: repr(written)[:20],
)  # fmt: skip
def test_what_is_no_duration_is_refused_by_name(written: object) -> None:
    with pytest.raises(SettingsError, match="timeout"):
        seconds("timeout", cast("Duration", written))


@given(st.one_of(st.text(), st.floats(), st.integers(), st.timedeltas()))
def test_anything_is_a_finite_length_or_refused(written: Duration) -> None:
    try:
        length_s = seconds("timeout", written)
    except SettingsError:
        return

    assert math.isfinite(length_s)
    assert length_s >= 0
