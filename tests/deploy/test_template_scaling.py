"""The scaling that a template says: its formulas over tables of figures, and in a closed loop with queue and tasks."""

from __future__ import annotations

import math
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.managed_scaling import ManagedScaling
from tests.deploy.metric_math import Figure, MetricMath
from tests.scaling.closed_loop import ClosedLoop, Row, changes, spike, steady
from tests.scaling.minutes import tracking

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import scaling
from forebay.deploy.template.intrinsics import Json

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
NAMES = Names("resize", "test")
VISIBLE = (0, 1, 2, 3, 7, 10, 59, 60, 61, 599, 600, 601, 10_000)
IN_FLIGHT = (0, 1, 2, 3, 4, 5, 9, 10, 11, 39, 40, 41, 5_000)
RUNNING = (0, 1, 2, 3, 10, 11)


def scaled(*, slots: int = 1, **law: Any) -> Manifest:
    return Manifest.model_validate(
        {"name": "resize", "run": {"slots": slots}, "scaling": {"max": 20, "min": 0, **law}},
    )


def resources(*, slots: int = 1, **law: Any) -> Json:
    return dict(scaling.piece(scaled(slots=slots, **law), NAMES).resources)


def load_math(*, slots: int = 1, **law: Any) -> MetricMath:
    manifest = scaled(slots=slots, **law)
    assert manifest.scaling is not None
    return MetricMath(scaling.load(manifest, NAMES, manifest.scaling))


def figures(visible: Figure, in_flight: Figure, running: Figure) -> dict[str, Figure]:
    return {
        "ApproximateNumberOfMessagesVisible": visible,
        "ApproximateNumberOfMessagesNotVisible": in_flight,
        "RunningTaskCount": running,
    }


def load(visible: Figure, in_flight: Figure, running: Figure, *, slots: int = 1, **law: Any) -> float:
    value = load_math(slots=slots, **law).minute(figures(visible, in_flight, running))
    assert value is not None
    return value


def tasks_for(value: float, running: int) -> int:
    """What Application Auto Scaling makes of a load."""
    return math.ceil(round(running * value / 100, 9))


@pytest.mark.parametrize(
    ("visible", "in_flight", "running", "percent"),
    [
        (0, 0, 4, 25),  # one task's slots are always needed
        (0, 8, 4, 100),  # every slot works: stay
        (0, 7, 4, 87.5),
        (0, 800, 4, 100),  # retries that wait for their time bring no task
        (600, 8, 4, 125),  # 600 jobs of a second in a minute: ten slots
        (60, 0, 1, 100),
        (121, 2, 1, 100 * 121 / 120),
    ],
)
def test_the_load_by_hand(visible: int, in_flight: int, running: int, percent: float) -> None:
    """Two slots a task, jobs of a second, 60 s of waiting are fine."""
    assert load(visible, in_flight, running, slots=2, latency=60, job=1) == pytest.approx(percent)


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("job", [0.1, 1, 60, 3600])
def test_no_scale_in_below_the_tasks_that_work(slots: int, job: float) -> None:
    for visible, in_flight, running in product(VISIBLE, IN_FLIGHT, RUNNING):
        value = load(visible, in_flight, running, slots=slots, job=job)
        working = math.ceil(min(in_flight, slots * running) / slots)

        assert tasks_for(value, running) >= min(working, running), (visible, in_flight, running)
        assert tasks_for(value, running) >= min(1, running), (visible, in_flight, running)


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("job", [0.1, 1, 60, 3600])
def test_never_more_slots_than_messages_and_never_a_task_for_what_is_in_flight(slots: int, job: float) -> None:
    for visible, in_flight, running in product(VISIBLE, IN_FLIGHT, RUNNING):
        value = load(visible, in_flight, running, slots=slots, job=job)
        messages = visible + min(in_flight, slots * max(1, running))

        assert tasks_for(value, running) <= max(1, math.ceil(messages / slots), 0), (visible, in_flight, running)
        assert visible > 0 or value <= 100, (visible, in_flight, running)


def test_more_tasks_lower_the_load() -> None:
    """Target tracking asks for a metric that falls as capacity grows."""
    for visible, in_flight in product(VISIBLE, IN_FLIGHT):
        values = [load(visible, in_flight, running, slots=4) for running in range(1, 30)]

        assert all(more <= fewer + 1e-9 for fewer, more in pairwise(values)), (visible, in_flight)


def test_there_is_a_value_at_zero_tasks() -> None:
    """The published recipe divides by zero there, and so never leaves it."""
    assert load(5, 0, 0, latency=1, job=1) == 500
    assert load(0, 0, 0) == 100


def test_one_message_behind_a_long_job_is_above_the_target() -> None:
    """With a target of one message a task, one message is not above it, and waits for the hour that the job takes."""
    assert load(1, 1, 1, latency=60, job=3600) == 200


def test_a_figure_that_is_late_counts_as_it_was() -> None:
    math_ = load_math(slots=2)
    before = math_.minute(figures(600, 8, 4))

    assert math_.minute(figures(None, None, None)) == before


@pytest.mark.parametrize("missing", range(3))
def test_without_a_figure_there_is_no_value(missing: int) -> None:
    seen: list[Figure] = [10, 2, 3]
    seen[missing] = None

    assert load_math().minute(figures(*seen)) is None


@pytest.mark.parametrize(
    ("visible", "desired", "rings"), [(0, 0, False), (1, 0, True), (1, None, True), (1, 1, False), (500, 10, False)]
)
def test_the_first_task_is_started_only_where_none_is_wanted(visible: int, desired: Figure, rings: bool) -> None:
    """A service of ten with messages waiting must not be touched by the rule for zero."""
    alarm = resources()["WakeAlarm"]["Properties"]
    value = MetricMath(alarm["Metrics"]).minute(
        {"ApproximateNumberOfMessagesVisible": visible, "DesiredTaskCount": desired}
    )

    assert (value == alarm["Threshold"]) is rings


def test_what_was_wanted_a_minute_ago_counts_while_the_new_figure_is_late() -> None:
    wake = MetricMath(resources()["WakeAlarm"]["Properties"]["Metrics"])
    wake.minute({"ApproximateNumberOfMessagesVisible": 1, "DesiredTaskCount": 10})

    assert wake.minute({"ApproximateNumberOfMessagesVisible": 1, "DesiredTaskCount": None}) == 0


def test_waking_takes_no_task_away_even_if_its_alarm_is_late() -> None:
    """AWS's example sets the count to one. Ten tasks may run by the time that it is carried out."""
    wake, _ = ManagedScaling(resources()).steps

    assert wake.wanted(running=0) == 1
    assert wake.wanted(running=10) > 10


@pytest.mark.parametrize(
    "busy",
    [
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "NumberOfMessagesReceived",
    ],
)
def test_the_last_task_stays_while_there_is_anything(busy: str) -> None:
    sleep = MetricMath(resources()["SleepAlarm"]["Properties"]["Metrics"])
    nothing: dict[str, Figure] = dict.fromkeys(sleep.inputs.values(), 0)

    assert sleep.minute(nothing) == 1
    assert sleep.minute(nothing | {busy: 1}) == 0
    assert sleep.minute(nothing | {busy: None}) is None


def test_a_minimum_of_one_needs_neither_waking_nor_sleeping() -> None:
    assert set(resources(min=1)) == {"ScalableTarget", "LoadPolicy"}


def test_a_fixed_count_has_no_scaling() -> None:
    assert scaling.piece(Manifest.model_validate({"name": "resize", "count": 3}), NAMES).resources == {}


def test_figures_in_formulas_have_no_exponent() -> None:
    assert load(1, 0, 1, job=0.000_01, latency=86_400) == 100


# In a closed loop, second by second.


def loop(
    arrivals: Any, *, job: float = 1, slots: int = 1, count: int = 0, in_ratio_max: float = 0.5, **law: Any
) -> ClosedLoop:
    managed = ManagedScaling(resources(slots=slots, job=job, **law), in_ratio_max=in_ratio_max)
    return ClosedLoop(managed, arrivals, job_s=job, slots=slots, count=count)


def once_a_minute(second: int) -> int:
    return int(second % 60 == 5)


def turns(rows: list[Row]) -> int:
    directions = [after > before for _, before, after in changes(rows)]
    return sum(one != other for one, other in pairwise(directions))


@pytest.mark.parametrize("at_s", [61, 90, 119, 120])
def test_one_message_wakes_the_service_within_one_datapoint(at_s: int) -> None:
    turned = loop(spike(1, at_s=at_s))

    rows = turned.run(4)

    assert changes(rows) == [(2, 0, 1)]
    assert turned.done == 1


def test_the_last_task_goes_after_fifteen_minutes_of_nothing() -> None:
    turned = loop(spike(1, at_s=90))

    rows = turned.run(40)

    # Woken in minute 2, done in minute 3, which still received; then fifteen without anything.
    assert changes(rows) == [(2, 0, 1), (18, 1, 0)]


def test_a_message_each_minute_keeps_the_last_task() -> None:
    """Each is done long before the minute's figures are taken: only what was received shows that there is work."""
    turned = loop(once_a_minute, job=0.1, count=1)

    rows = turned.run(60)

    assert changes(rows) == []
    assert turned.done == 60


@pytest.mark.parametrize("in_ratio_max", [0.5, 1.0])
@pytest.mark.parametrize(("slots", "job"), [(1, 1), (1, 3600), (4, 600), (8, 20)])
def test_no_task_that_works_is_unwanted(slots: int, job: float, in_ratio_max: float) -> None:
    """A slot is wanted for every job that runs, however boldly AWS scales in."""
    turned = loop(spike(200, at_s=90), job=job, slots=slots, in_ratio_max=in_ratio_max)

    rows = turned.run(240)

    for before, after in pairwise(rows):
        if after.desired < before.desired:
            assert after.desired >= min(before.running, math.ceil(before.in_flight / slots)), before
    assert turned.done > 0
    assert len(turned.waited_s) == 200 or job == 3600


def test_a_spike_is_worked_off_and_the_service_sleeps_again() -> None:
    turned = loop(spike(6000, at_s=250), latency=600, in_ratio_max=0.5)

    rows = turned.run(80)

    assert turned.done == 6000
    assert max(turned.waited_s) < 600 + 5 * 60 + turned.start_delay_s
    assert turned.desired == 0
    assert turns(rows) == 1


def test_under_a_steady_load_the_count_settles() -> None:
    """The recipe's backlog is zero when there are enough tasks, so it takes them away until messages pile up. The load
    counts the slots that work."""
    recipe = ClosedLoop(tracking(60, count_min=1, count_max=20), steady(5.0, seed=7), count=6)
    ours = loop(steady(5.0, seed=7), count=6, latency=60, min=1)

    recipe_rows, rows = recipe.run(8 * 60), ours.run(8 * 60)

    shown = PAGE.read_text(encoding="utf-8")
    assert f"| the recipe, mended as above | {len(changes(recipe_rows))} | {max(recipe.waited_s):.0f} s |" in shown
    assert f"| the template | {len(changes(rows))} | {max(ours.waited_s):.0f} s |" in shown
    assert len(changes(rows)) < len(changes(recipe_rows)) / 10


def spike_table() -> str:
    """The spike of docs/scaling.md under what the template says, for that page."""
    rows = loop(spike(6000, at_s=250), latency=600, in_cooldown=300, out_cooldown=300).run(70)
    lines = ["| minute | waiting | running | load | wanted |", "|---|---|---|---|---|"]
    for row in rows:
        if row.decision.desired is not None:
            load_ = f"{row.decision.metric:,.0f} %" if row.decision.metric is not None else ""
            change = f"{row.desired} → {row.decision.desired}"
            lines.append(f"| {row.minute} | {row.waiting:,} | {row.running} | {load_} | {change} |")
    return "\n".join(lines)


def test_the_page_shows_the_spike_as_it_is_simulated() -> None:
    shown = spike_table()

    print(shown)
    assert shown in PAGE.read_text(encoding="utf-8")
