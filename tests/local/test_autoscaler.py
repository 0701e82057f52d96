"""Which decisions of the local autoscaler are news."""

from __future__ import annotations

from forebay.local.autoscaler import kind_of


def test_a_reason_with_other_figures_is_no_news_whether_they_are_whole_or_not() -> None:
    first = "scale-in waits: cooldown has 239.9 s left; backlog per task 0 < 45 for 15 minutes"
    later = "scale-in waits: cooldown has 120 s left; backlog per task 1,200.5 < 45 for 15 minutes"

    assert kind_of(first) == kind_of(later)


def test_another_reason_is_news() -> None:
    assert kind_of("hold: backlog per task 47.5 within 45..50") != kind_of("hold: backlog per task 40 < 45 for 1 of 15")
