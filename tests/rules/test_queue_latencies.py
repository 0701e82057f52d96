"""Percentiles of the last minute: how exact they are, and what they forget."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.rules.queue_latencies import Latencies, Percentiles

DURATIONS = st.lists(st.floats(0.0, 1_209_600.0), min_size=1, max_size=300)


@given(DURATIONS)
def test_a_percentile_is_right_to_two_per_cent_or_a_millisecond(durations: list[float]) -> None:
    latencies = Latencies()
    for duration in durations:
        latencies.add(duration, 100.0)

    told = latencies.percentiles(100.0)

    assert told.count == len(durations)
    for share, value in ((50, told.p50_s), (90, told.p90_s), (99, told.p99_s)):
        exact = sorted(durations)[ceil(share * len(durations) / 100) - 1]
        assert value == pytest.approx(exact, rel=0.02, abs=0.001)


def test_nothing_measured_has_no_percentiles() -> None:
    assert Latencies().percentiles(5.0) == Percentiles(None, None, None, 0)


def test_what_ended_more_than_a_minute_ago_is_forgotten() -> None:
    latencies = Latencies()
    latencies.add(9.0, 10.0)
    latencies.add(1.0, 40.0)

    counts = [latencies.percentiles(now).count for now in (40.0, 67.0, 71.0, 97.0, 101.0)]

    assert counts == [2, 2, 1, 1, 0]


def test_many_at_once_count_as_many() -> None:
    latencies = Latencies()
    latencies.add(1.0, 0.0, 10)

    assert latencies.percentiles(0.0).count == 10
