"""What the Date headers of answers teach about the service's clock."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.queue.service_clock import ServiceClock, parse_date


@given(st.integers(0, 4_000_000_000))
def test_a_date_is_read_to_the_second(moment: int) -> None:
    assert parse_date(formatdate(moment, usegmt=True)) == moment


@given(st.text(max_size=40))
def test_any_other_text_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text", ["Mon, 23 Nov 2026 25:00:00 GMT", "Mon, 31 Feb 2026 00:00:00 GMT", "Mon, 2 X 1 1:1:1 GMT"]
)
def test_a_date_that_never_was_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_a_machine_that_keeps_time_is_not_corrected() -> None:
    clock = ServiceClock()

    for tenth in range(100):
        moment = 1_700_000_000 + tenth / 10
        clock.observe(formatdate(int(moment), usegmt=True), utc_s=moment + 0.02)

    assert clock.offset_s == 0.0


@given(st.floats(-100_000, 100_000), st.lists(st.floats(0.01, 30.0), min_size=60, max_size=60))
def test_a_wrong_machine_is_corrected_to_within_a_second(ahead_s: float, pauses: list[float]) -> None:
    """The service is `ahead_s` before the machine; answers take 20 ms."""
    clock = ServiceClock()
    service_s = 1_700_000_000.0

    for pause_s in pauses:
        service_s += pause_s
        clock.observe(formatdate(int(service_s), usegmt=True), utc_s=service_s + 0.02 - ahead_s)

    assert clock.offset_s == pytest.approx(ahead_s, abs=1.3)
    if abs(ahead_s) > 1.3:
        assert clock.offset_s != 0.0


def test_a_clock_that_is_set_is_followed() -> None:
    clock = ServiceClock()
    clock.observe(formatdate(1_700_000_000, usegmt=True), utc_s=1_700_000_000.5)

    clock.observe(formatdate(1_700_000_100, usegmt=True), utc_s=1_700_003_700.5)

    assert clock.offset_s == pytest.approx(-3_600, abs=1.3)


def test_answers_without_a_date_teach_nothing() -> None:
    clock = ServiceClock()
    clock.observe(None, utc_s=5.0)
    clock.observe("yesterday", utc_s=5.0)

    assert clock.offset_s == 0.0
