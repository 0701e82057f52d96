"""What holds of target tracking whatever the readings: bounds, deployments, missing data, order, hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from tests.scaling.minutes import Minutes, queue, service, tracking

from forebay.scaling.port import Decision


@dataclass(frozen=True)
class Minute:
    """What happens in a minute."""

    visible: int | None
    in_flight: int
    deploys: bool
    obeys: bool
    running: int | None
    """Not None: tasks have crashed or been started behind the law's back."""


@dataclass(frozen=True)
class Seen:
    """A decision, and what it was made of."""

    minute: Minute
    desired: int
    running: int
    decision: Decision


VISIBLE = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 100_000))
MINUTE = st.builds(
    Minute,
    visible=st.one_of(VISIBLE, st.none()),
    in_flight=st.integers(0, 100),
    deploys=st.booleans(),
    obeys=st.sampled_from([True, True, True, False]),
    running=st.one_of(st.none(), st.none(), st.integers(0, 30)),
)
STRETCH = st.builds(lambda minute, count: [minute] * count, MINUTE, st.integers(1, 20))
"""The same for a while: without it no low alarm would ever ring."""
HISTORY = st.lists(STRETCH, min_size=1, max_size=12).map(
    lambda stretches: [m for stretch in stretches for m in stretch]
)
SETTINGS = st.fixed_dictionaries(
    {
        "target": st.sampled_from([1, 2.5, 100, 1000]),
        "count_min": st.integers(0, 3),
        "count_max": st.integers(3, 30),
        "mended": st.booleans(),
        "counts_in_flight": st.booleans(),
        "scale_in_ratio_max": st.sampled_from([0.1, 0.5, 1.0]),
        "scale_out_cooldown_s": st.sampled_from([0, 60, 300]),
        "scale_in_cooldown_s": st.sampled_from([0, 60, 300]),
    }
)


def played(settings: dict[str, float], history: list[Minute], *, desired: int = 1) -> list[Seen]:
    minutes = Minutes(tracking(**settings), running=desired, desired=desired)
    seen: list[Seen] = []
    for minute in history:
        minutes.deploys, minutes.obeys = minute.deploys, minute.obeys
        if minute.running is not None:
            minutes.running = minute.running
        assert minutes.desired is not None
        wanted, running = minutes.desired, minutes.running
        decision = minutes.minute(minute.visible, in_flight=minute.in_flight)
        seen.append(Seen(minute, wanted, running, decision))
    return seen


@given(SETTINGS, HISTORY, st.integers(0, 40))
def test_no_count_outside_of_the_bounds_is_ever_ordered(
    settings: dict[str, float], history: list[Minute], desired: int
) -> None:
    ordered = [seen.decision.desired for seen in played(settings, history, desired=desired)]

    assert all(settings["count_min"] <= count <= settings["count_max"] for count in ordered if count is not None)


@given(SETTINGS, HISTORY, st.integers(0, 40))
def test_a_decision_always_changes_something_and_says_so(
    settings: dict[str, float], history: list[Minute], desired: int
) -> None:
    for seen in played(settings, history, desired=desired):
        after = seen.decision.desired
        if after is not None:
            word = "scale out" if after > seen.desired else "scale in"
            assert after != seen.desired
            assert seen.decision.reason.startswith(f"{word} {seen.desired} → {after}: ")
        else:
            assert "→" not in seen.decision.reason


@given(SETTINGS, HISTORY, st.integers(0, 40))
def test_nothing_is_ever_taken_away_during_a_deployment(
    settings: dict[str, float], history: list[Minute], desired: int
) -> None:
    for seen in played(settings, history, desired=desired):
        if seen.minute.deploys and seen.decision.desired is not None:
            assert seen.decision.desired > seen.desired


@given(SETTINGS, HISTORY)
def test_nothing_is_ever_decided_without_data(settings: dict[str, float], history: list[Minute]) -> None:
    for seen in played(settings, history):
        no_value = not settings["mended"] and seen.running == 0 and seen.desired >= settings["count_min"]
        if seen.minute.visible is None or (no_value and seen.desired <= settings["count_max"]):
            assert seen.decision.desired is None


@given(SETTINGS, HISTORY)
def test_after_a_scale_out_fifteen_minutes_pass_before_a_scale_in(
    settings: dict[str, float], history: list[Minute]
) -> None:
    """So the count does not flutter. Only coming back within the bounds may be sooner."""
    out_at: int | None = None
    for number, seen in enumerate(played(settings, history)):
        after = seen.decision.desired
        if after is None:
            continue
        if after > seen.desired:
            out_at = number
        elif out_at is not None and seen.desired <= settings["count_max"]:
            assert number - out_at >= 15


@given(SETTINGS, st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), VISIBLE, VISIBLE)
def test_more_messages_never_mean_fewer_tasks(
    settings: dict[str, float], running: int, desired: int, minutes: int, one: int, other: int
) -> None:
    def wanted(visible: int) -> int:
        law = tracking(**settings)
        state = service(running, desired=desired)
        decisions = [law.decide(queue(visible, at=n * 60.0), state, now=n * 60.0) for n in range(1, minutes + 1)]
        last = decisions[-1].desired
        return desired if last is None else last

    assert wanted(min(one, other)) <= wanted(max(one, other))


@given(SETTINGS, HISTORY)
def test_a_scale_in_never_pushes_the_metric_over_the_target(settings: dict[str, float], history: list[Minute]) -> None:
    for seen in played(settings, history):
        after = seen.decision.desired
        if after is not None and after < seen.desired <= settings["count_max"]:
            count = (seen.minute.visible or 0) + (seen.minute.in_flight if settings["counts_in_flight"] else 0)
            assert count <= after * settings["target"] + 1e-6
