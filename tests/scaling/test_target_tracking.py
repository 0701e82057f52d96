"""Target tracking as Application Auto Scaling does it, one rule after the other (facts/scaling.md sections 1 and 2)."""

from __future__ import annotations

import pytest
from tests.scaling.minutes import Minutes, counts, queue, service, tracking

from forebay.errors import SettingsError
from forebay.scaling.settings import TargetTrackingSettings, backlog_target

# ── out ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_three_minutes_above_the_target_scale_out_in_proportion() -> None:
    seen = Minutes(tracking(100), running=2)

    decisions = seen.minutes(3, 480)

    assert counts(decisions) == [None, None, 5]
    assert decisions[0].reason == "hold: backlog per task 240 > target 100 for 1 of 3 minutes"
    assert decisions[2].reason == "scale out 2 → 5: backlog per task 240 > target 100 for 3 minutes"
    assert decisions[2].metric == 240


def test_a_metric_at_the_target_is_not_above_it() -> None:
    seen = Minutes(tracking(100), running=2)

    decisions = seen.minutes(10, 200)

    assert set(counts(decisions)) == {None}
    assert decisions[-1].reason == "hold: backlog per task 100 within 90..100"


def test_one_minute_below_the_target_begins_the_three_anew() -> None:
    seen = Minutes(tracking(100), running=1)

    decisions = [seen.minute(visible) for visible in (240, 240, 95, 240, 240, 240)]

    assert counts(decisions) == [None, None, None, None, None, 3]


def test_the_running_count_is_what_is_computed_from() -> None:
    """Three tasks are wanted and one runs: 240 for that one, so three suffice."""
    seen = Minutes(tracking(100), running=1, desired=3)

    decision = seen.minutes(3, 240)[-1]

    assert decision.desired is None
    assert decision.reason.startswith("AlreadyAtDesiredCapacity: 3 tasks wanted, 1 running; ")


def test_no_more_is_wanted_than_allowed() -> None:
    seen = Minutes(tracking(100, count_max=4), running=2)

    decision = seen.minutes(3, 2400)[-1]

    assert decision.desired == 4
    assert decision.reason.endswith("for 3 minutes, which asks for 24, but 4 are the most allowed")


def test_at_the_most_allowed_the_reason_is_the_word_of_aws() -> None:
    seen = Minutes(tracking(100, count_max=4), running=4)

    decision = seen.minutes(3, 2400)[-1]

    assert decision.desired is None
    assert decision.reason.startswith("AlreadyAtMaxCapacity: 4 tasks wanted, the most allowed")


def test_rounding_asks_for_no_task_too_many() -> None:
    """7 × (900 ÷ 7) ÷ 100 is a little more than 9 in floating point."""
    seen = Minutes(tracking(100), running=7)

    assert seen.minutes(3, 900)[-1].desired == 9


# ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fifteen_minutes_below_nine_tenths_scale_in() -> None:
    seen = Minutes(tracking(100), running=4)

    decisions = seen.minutes(15, 240)

    assert counts(decisions) == [None] * 14 + [3]
    assert decisions[3].reason == "hold: backlog per task 60 < 90 for 4 of 15 minutes"
    assert decisions[14].reason == "scale in 4 → 3: backlog per task 60 < 90 for 15 minutes"


def test_nine_tenths_of_the_target_are_not_below_it() -> None:
    seen = Minutes(tracking(100, count_max=50), running=40)

    decisions = seen.minutes(30, 3600)

    assert set(counts(decisions)) == {None}
    assert decisions[-1].reason == "hold: backlog per task 90 within 90..100"


def test_a_scale_in_takes_half_of_the_tasks_at_most() -> None:
    seen = Minutes(tracking(100, count_min=1), running=10)

    decisions = seen.minutes(15 + 4 * 5, 0)

    assert [count for count in counts(decisions) if count is not None] == [5, 3, 2, 1]


def test_all_may_be_taken_at_once_by_choice() -> None:
    seen = Minutes(tracking(100, scale_in_ratio_max=1.0), running=10)

    assert seen.minutes(15, 0)[-1].desired == 0


def test_nothing_is_taken_that_would_push_the_metric_over_the_target() -> None:
    """85 a task is low, but three tasks for 340 messages would have 113 each."""
    seen = Minutes(tracking(100), running=4)

    decision = seen.minutes(15, 340)[-1]

    assert decision.desired is None
    assert decision.reason == "hold: with 3 tasks it would be backlog per task 113.3, above target 100"


def test_the_least_allowed_stays() -> None:
    seen = Minutes(tracking(100, count_min=2), running=2)

    decision = seen.minutes(15, 0)[-1]

    assert decision.desired is None
    assert decision.reason.startswith("AlreadyAtMinCapacity: 2 tasks wanted, the least allowed")


def test_nothing_is_taken_while_a_deployment_is_in_progress() -> None:
    seen = Minutes(tracking(100), running=4, deploys=True)
    during = seen.minutes(20, 0)
    seen.deploys = False

    after = seen.minute(0)

    assert set(counts(during)) == {None}
    assert during[-1].reason.startswith("scale-in waits: a deployment is in progress")
    assert after.desired == 2


def test_a_deployment_does_not_hinder_a_scale_out() -> None:
    seen = Minutes(tracking(100), running=2, deploys=True)

    assert seen.minutes(3, 480)[-1].desired == 5


def test_protected_tasks_are_named_when_they_will_outlast_a_scale_in() -> None:
    seen = Minutes(tracking(100, scale_in_ratio_max=1.0), running=4, protected=3)

    decision = seen.minutes(15, 0)[-1]

    assert decision.desired == 0
    assert decision.reason.endswith("of 3 protected, 3 stay until they let go")


def test_a_count_that_protection_keeps_up_is_not_raised_by_a_scale_in() -> None:
    """Half of four would be two, but only one is wanted: the law must not order a second."""
    seen = Minutes(tracking(100, count_min=0), running=4, desired=1, obeys=False)

    decision = seen.minutes(15, 90)[-1]

    assert decision.desired is None
    assert decision.reason == "hold: the last task stays while there is work: 90 wait"


def test_messages_in_flight_count_by_choice() -> None:
    """Ten busy tasks and nothing that waits: AWS's recipe scales in, KEDA's does not (defect 2)."""
    blind = Minutes(tracking(1), running=10)
    seeing = Minutes(tracking(1, counts_in_flight=True), running=10)

    decisions = [minutes.minutes(15, 0, in_flight=10)[-1] for minutes in (blind, seeing)]

    assert counts(decisions) == [5, None]
    assert decisions[1].reason == "hold: messages per task 1 within 0.9..1"


# ── cooldowns ──────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_scale_in_there_is_no_other_for_the_cooldown() -> None:
    seen = Minutes(tracking(100, count_min=1), running=8)

    decisions = seen.minutes(21, 0)

    assert counts(decisions)[14:] == [4, None, None, None, None, 2, None]
    assert decisions[17].reason.startswith("scale-in waits: cooldown has 120 s left; ")


def test_each_direction_has_a_cooldown_of_its_own() -> None:
    out = Minutes(tracking(100, count_max=50, scale_out_cooldown_s=120, scale_in_cooldown_s=600), running=2)
    into = Minutes(tracking(100, count_min=1, scale_out_cooldown_s=600, scale_in_cooldown_s=120), running=8)
    out.minutes(3, 480)
    into.minutes(15, 0)

    decisions = [out.minutes(2, 800), into.minutes(2, 0)]

    assert [counts(told) for told in decisions] == [[None, 8], [None, 2]]


def test_after_a_scale_out_an_equal_one_waits_for_the_cooldown() -> None:
    seen = Minutes(tracking(100, count_max=50), running=2)
    seen.minutes(3, 480)

    decisions = [seen.minute(running * 160) for running in (5, 5, 5, 5, 5)]

    assert counts(decisions) == [None, None, None, None, 8]
    assert decisions[0].reason == (
        "scale-out waits: cooldown has 240 s left, and 3 above the running count are not more than the 3 that began "
        "it; backlog per task 160 > target 100 for 3 minutes"
    )


def test_a_larger_scale_out_goes_through_the_cooldown() -> None:
    seen = Minutes(tracking(100, count_max=50), running=2)
    seen.minutes(3, 480)

    decision = seen.minute(900)

    assert decision.desired == 9


def test_what_the_last_scale_out_added_counts_as_there() -> None:
    """Three were added and do not run yet; six for the two that do makes eight, not five and six."""
    seen = Minutes(tracking(100, count_max=50), running=2, obeys=False)
    seen.minutes(3, 480)
    seen.desired = 5

    decision = seen.minute(800)

    assert decision.desired == 8


def test_a_scale_out_ends_the_cooldown_of_a_scale_in() -> None:
    seen = Minutes(tracking(100, count_min=1, scale_in_cooldown_s=3600), running=8)
    seen.minutes(15, 0)
    seen.minutes(3, 600)

    decisions = seen.minutes(15, 0)

    assert seen.decisions[17].desired == 6
    assert decisions[-1].desired == 3


def test_the_cooldown_of_a_scale_in_hinders_no_scale_out() -> None:
    """Not even where protection keeps more tasks running than are allowed, so that fewer than those are ordered."""
    seen = Minutes(tracking(100, count_min=1, count_max=4, scale_in_ratio_max=1.0), running=6, desired=4, protected=6)
    taken = seen.minutes(15, 0)[-1]

    decision = seen.minutes(3, 2000)[-1]

    assert taken.desired == 1
    assert decision.desired == 4


def test_a_change_that_the_service_never_took_begins_no_cooldown() -> None:
    seen = Minutes(tracking(100), running=2, obeys=False)

    decisions = seen.minutes(5, 480)

    assert counts(decisions) == [None, None, 5, 5, 5]


def test_a_person_who_sets_the_same_count_later_begins_no_cooldown() -> None:
    seen = Minutes(tracking(100, count_min=1), running=8, obeys=False)
    refused = seen.minutes(15, 0)[-1]
    seen.deploys = True
    seen.minute(0)
    seen.deploys, seen.running, seen.desired = False, 4, 4

    decision = seen.minute(0)

    assert refused.desired == 4
    assert decision.desired == 2


def test_cooldowns_can_be_switched_off() -> None:
    seen = Minutes(tracking(100, count_max=50, scale_out_cooldown_s=0), running=2)
    seen.minutes(3, 480)

    assert seen.minute(800).desired == 8


# ── data ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_data_nothing_is_scaled() -> None:
    seen = Minutes(tracking(100), running=2)
    seen.minutes(2, 480)

    decision = seen.minute(None)

    assert decision.desired is None
    assert decision.metric is None
    assert "without data nothing is scaled" in decision.reason


def test_a_minute_without_data_is_no_evidence_and_costs_none() -> None:
    seen = Minutes(tracking(100), running=2)

    decisions = [seen.minute(visible) for visible in (480, 480, None, 480)]

    assert counts(decisions) == [None, None, None, 5]


def test_what_is_too_long_ago_is_no_evidence() -> None:
    """A 3-of-3 alarm looks back five minutes: of these three datapoints it sees two."""
    seen = Minutes(tracking(100), running=2)

    decisions = [seen.minute(visible) for visible in (480, None, None, None, 480, 480, 480)]

    assert counts(decisions) == [None] * 6 + [5]


def test_a_reading_that_comes_again_is_no_second_datapoint() -> None:
    law = tracking(100)

    decisions = [law.decide(queue(480, at=60.0), service(2), now=60.0 + turn) for turn in range(5)]

    assert set(counts(decisions)) == {None}
    assert decisions[4].reason == "hold: this minute has its datapoint already"


def test_readings_every_ten_seconds_make_one_datapoint_a_minute() -> None:
    law = tracking(100, high_datapoints=10)

    decided = [law.decide(queue(480, at=at), service(2), now=at).desired for at in range(0, 900, 10)]

    assert decided.index(5) * 10 == 510, "the nearest minute counts, so the tenth begins half a minute early"


def test_readings_that_are_late_now_and_then_lose_no_minute() -> None:
    law = tracking(100)

    decided = [law.decide(queue(480, at=at), service(2), now=at).desired for at in (60.0, 145.0, 180.0)]

    assert decided == [None, None, 5]


def test_figures_are_exact_enough_to_be_checked_beside_a_small_target() -> None:
    seen = Minutes(tracking(1, count_max=50), running=25)

    decisions = [seen.minute(visible) for visible in (26, 23, 0)]

    assert [decision.reason for decision in decisions] == [
        "hold: backlog per task 1.04 > target 1 for 1 of 3 minutes",
        "hold: backlog per task 0.92 within 0.9..1",
        "hold: backlog per task 0 < 0.9 for 1 of 15 minutes",
    ]


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("latency_s", "slots", "job_s", "target"),
    [(10, 1, 0.1, 100), (600, 1, 0.25, 2400), (10, 10, 0.1, 1000), (5, 1, 60, 1), (2.1, 1, 0.3, 7), (1, 1, 0.3, 4)],
)
def test_the_target_follows_from_how_long_a_message_may_wait(
    latency_s: float, slots: int, job_s: float, target: int
) -> None:
    assert backlog_target(latency_s, slots, job_s) == target


@pytest.mark.parametrize(
    "settings",
    [
        {"target": 0},
        {"target": float("nan")},
        {"target": 1, "count_min": 3, "count_max": 2},
        {"target": 1, "count_min": -1},
        {"target": 1, "count_max": 5001},
        {"target": 1, "high_datapoints": 0},
        {"target": 1, "low_datapoints": 0},
        {"target": 1, "scale_in_cooldown_s": -1},
        {"target": 1, "scale_out_cooldown_s": float("inf")},
        {"target": 1, "datapoint_s": 0},
        {"target": 1, "low_ratio": 1.1},
        {"target": 1, "scale_in_ratio_max": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, float]) -> None:
    culprit = list(settings)[-1]

    with pytest.raises(SettingsError, match=culprit):
        TargetTrackingSettings(**settings)  # type: ignore[arg-type]


def test_a_target_cannot_be_had_of_jobs_that_take_no_time() -> None:
    with pytest.raises(SettingsError, match="job_s=0"):
        backlog_target(10, 1, 0)
