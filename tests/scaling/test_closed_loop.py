"""The law in a closed loop with a queue and with tasks that take time to start."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.scaling.closed_loop import ClosedLoop, changes, spike, steady
from tests.scaling.minutes import tracking

from forebay.scaling.settings import backlog_target

SPIKE = 6000
"""Jobs of a second; one task would need an hour and forty minutes."""
SPIKE_AT_S = 250
"""In the fifth minute."""
TARGET = backlog_target(latency_s=600, slots=1, job_s=1.0)


def spiked(count_min: int = 1) -> ClosedLoop:
    law = tracking(TARGET, count_min=count_min, count_max=20)
    return ClosedLoop(law, spike(SPIKE, at_s=SPIKE_AT_S), count=count_min)


def test_a_spike_scales_out_within_three_datapoints_and_the_start_of_the_tasks() -> None:
    loop = spiked()

    rows = loop.run(10)

    assert changes(rows) == [(7, 1, 10)]
    assert [row.running for row in rows][6:8] == [1, 10]


def test_a_spike_is_worked_off_within_the_latency_from_the_scale_out_on() -> None:
    loop = spiked()

    loop.run(60)

    assert loop.done == SPIKE
    assert max(loop.waited_s) < 3 * 60 + loop.start_delay_s + TARGET


def test_after_a_spike_the_service_returns_to_its_minimum() -> None:
    loop = spiked()

    rows = loop.run(70)

    below_at = max(
        row.minute for row in rows if row.decision.metric is not None and row.decision.metric >= 0.9 * TARGET
    )
    scale_ins = [change for change in changes(rows) if change[2] < change[1]]
    assert [change[2] for change in scale_ins] == [5, 3, 2, 1]
    assert scale_ins[0][0] == below_at + 15
    assert [change[0] - below_at - 15 for change in scale_ins] == [0, 5, 10, 15]
    assert loop.desired == len(loop.tasks) == 1


@pytest.mark.parametrize("at_s", [61, 90, 119, 120])
def test_a_service_leaves_zero_within_one_datapoint(at_s: int) -> None:
    loop = ClosedLoop(tracking(1), spike(1, at_s=at_s))

    rows = loop.run(4)

    assert changes(rows) == [(2, 0, 1)]
    assert loop.done == 1
    assert loop.waited_s[0] <= 60 + loop.start_delay_s + 1


def test_as_published_no_message_is_ever_worked_from_zero() -> None:
    loop = ClosedLoop(tracking(1, mended=False), spike(1000, at_s=90))

    loop.run(6 * 60)

    assert loop.done == 0
    assert len(loop.waiting) == 1000


def test_a_job_of_an_hour_survives_the_scale_in_to_zero_by_its_protection() -> None:
    loop = ClosedLoop(tracking(1), spike(1, at_s=90), job_s=3600)

    rows = loop.run(70)

    to_zero = next(row for row in rows if row.decision.desired == 0)
    assert to_zero.minute < 20
    assert rows[50].running == 1
    assert loop.done == 1
    assert loop.tasks == []


def test_when_messages_in_flight_count_the_task_stays_wanted_until_the_job_is_done() -> None:
    loop = ClosedLoop(tracking(1, counts_in_flight=True), spike(1, at_s=90), job_s=3600)

    rows = loop.run(90)

    done_at = 62
    assert [row.desired for row in rows if 3 <= row.minute <= done_at + 14] == [1] * (done_at + 12)
    assert loop.desired == 0


def test_a_steady_load_makes_the_count_swing() -> None:
    """Defect 3, which mending the way to zero does not touch: with enough tasks nothing waits, so one is taken away."""
    loop = ClosedLoop(tracking(60, count_min=1, count_max=20), steady(5.0, seed=7), count=6)

    rows = loop.run(8 * 60)

    directions = [after > before for _, before, after in changes(rows)]
    turns = sum(one != other for one, other in pairwise(directions))
    assert turns >= 6
    assert loop.done > 5.0 * 8 * 3600 * 0.95


def test_every_message_of_a_steady_load_is_worked_once() -> None:
    loop = ClosedLoop(tracking(60, count_min=1, count_max=20), steady(3.0, seed=3), slots=2, count=1)

    loop.run(120)

    in_flight = sum(len(task.ends) for task in loop.tasks)
    assert len(loop.waited_s) == loop.done + in_flight
