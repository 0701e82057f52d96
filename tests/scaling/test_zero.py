"""To zero and back, as published by AWS and as mended here (facts/scaling.md section 2, defects 1 and 7)."""

from __future__ import annotations

from tests.scaling.minutes import Minutes, counts, queue, service, tracking

from forebay.scaling.alarms import Alarm


def test_defect_1_as_published_a_service_stays_at_zero_for_ever() -> None:
    """Visible ÷ running is a division by zero, so there is no datapoint, and without one nothing is scaled."""
    seen = Minutes(tracking(1, mended=False), running=0)

    decisions = seen.minutes(24 * 60, 10_000)

    assert set(counts(decisions)) == {None}
    assert {decision.metric for decision in decisions} == {None}
    assert "visible ÷ running, and no task runs" in decisions[-1].reason


def test_defect_1_mended_a_service_leaves_zero_after_one_datapoint() -> None:
    seen = Minutes(tracking(100), running=0)

    decision = seen.minute(3)

    assert decision.desired == 1
    assert decision.metric == 3
    assert decision.reason == "scale out 0 → 1: 3 messages wait and no task is wanted"


def test_as_published_a_minute_without_tasks_is_a_minute_without_data() -> None:
    """The only task has crashed and is back a minute later: two datapoints before and one after are three."""
    seen = Minutes(tracking(100, mended=False), running=1, desired=1)
    before = seen.minutes(2, 240)
    seen.running = 0
    gone = seen.minute(240)
    seen.running = 1

    back = seen.minute(240)

    assert counts([*before, gone, back]) == [None, None, None, 3]


def test_defect_7_one_message_is_never_above_a_target_of_one() -> None:
    """Even with a metric that has a value at zero the strict alarm sleeps, as it did in Copilot."""
    law = tracking(1)
    high = Alarm(law.settings.high_datapoints)

    for minute in range(24 * 60):
        metric = law.metric(queue(1, at=minute * 60.0), service(0))
        assert metric == 1
        high.add(metric > law.target)

    assert high.state == "OK"


def test_defect_7_mended_one_message_wakes_a_service_with_a_target_of_one() -> None:
    seen = Minutes(tracking(1), running=0)

    decision = seen.minute(1)

    assert decision.desired == 1
    assert decision.reason == "scale out 0 → 1: 1 message waits and no task is wanted"


def test_from_one_on_the_running_count_is_multiplied() -> None:
    seen = Minutes(tracking(100, count_max=50), running=0)

    decisions = seen.minutes(3, 2000)

    assert counts(decisions) == [1, None, 20]


def test_a_waking_task_that_does_not_run_yet_is_not_ordered_twice() -> None:
    seen = Minutes(tracking(100), running=0, desired=1, obeys=False)

    decisions = seen.minutes(5, 2000)

    assert set(counts(decisions)) == {None}
    assert decisions[-1].reason.startswith("AlreadyAtDesiredCapacity: 1 task wanted, 0 running; ")


def test_a_waking_task_is_waited_for_however_long_it_takes_to_start() -> None:
    """Three messages for a target of 100 are low, and were through the night."""
    seen = Minutes(tracking(100), running=0)
    seen.minutes(60, 0)
    woken = seen.minute(3)
    seen.obeys, seen.running = False, 0

    decisions = seen.minutes(5, 3)

    assert woken.desired == 1
    assert set(counts(decisions)) == {None}
    assert decisions[-1].reason == "hold: the last task stays while there is work: 3 wait"


def test_a_message_wakes_a_service_whose_last_task_only_finishes_its_protected_work() -> None:
    """It may have hours to go, and no slot free."""
    seen = Minutes(tracking(1), running=1, desired=0, protected=1)

    decision = seen.minute(1)

    assert decision.desired == 1


def test_a_service_goes_to_zero_after_fifteen_minutes_with_nothing_waiting() -> None:
    seen = Minutes(tracking(100), running=1)

    decisions = seen.minutes(15, 0)

    assert counts(decisions) == [None] * 14 + [0]
    assert decisions[14].reason == "scale in 1 → 0: backlog per task 0 < 90 for 15 minutes"


def test_messages_in_flight_do_not_keep_the_last_task_unless_they_count() -> None:
    """AWS's recipe is blind to them; protection keeps the task until its job is done."""
    blind = Minutes(tracking(100), running=1, protected=1)
    seeing = Minutes(tracking(100, counts_in_flight=True), running=1, protected=1)

    decisions = [minutes.minutes(30, 0, in_flight=1) for minutes in (blind, seeing)]

    assert decisions[0][14].desired == 0
    assert decisions[0][14].reason.endswith("of 1 protected, 1 stay until they let go")
    assert blind.running == 1
    assert set(counts(decisions[1])) == {None}


def test_a_service_that_has_just_woken_is_not_put_to_sleep_by_the_minutes_before() -> None:
    """The low alarm rings all through the night; fifteen quiet minutes after the message end the day."""
    seen = Minutes(tracking(100), running=0)
    seen.minutes(60, 0)
    woken = seen.minute(1)

    decisions = seen.minutes(15, 0)

    assert woken.desired == 1
    assert counts(decisions) == [None] * 14 + [0]
    assert decisions[0].reason == "hold: the last task stays until nothing has waited for 15 minutes, 1 so far"


def test_where_messages_in_flight_count_the_quiet_minutes_begin_when_they_are_done() -> None:
    seen = Minutes(tracking(100, counts_in_flight=True), running=0)
    seen.minutes(60, 0)
    seen.minute(1)
    busy = seen.minutes(20, 0, in_flight=1)

    decisions = seen.minutes(15, 0)

    assert set(counts(busy)) == {None}
    assert counts(decisions) == [None] * 14 + [0]


def test_as_published_the_last_task_goes_while_messages_trickle_in() -> None:
    """A few messages each minute are low; once none happens to wait, the last task goes, and nothing wakes it."""
    published = Minutes(tracking(100, mended=False), running=1)
    mended = Minutes(tracking(100), running=1)

    for minutes in (published, mended):
        for visible in [2, 1] * 8 + [0]:
            minutes.minute(visible)

    assert published.decisions[-1].desired == 0
    assert mended.decisions[-1].desired is None


def test_an_empty_queue_and_no_task_are_at_rest() -> None:
    seen = Minutes(tracking(100), running=0)

    decision = seen.minutes(100, 0)[-1]

    assert decision.desired is None
    assert decision.reason.startswith("AlreadyAtMinCapacity: 0 tasks wanted, the least allowed")


def test_a_service_that_may_have_no_task_is_not_woken() -> None:
    seen = Minutes(tracking(100, count_max=0), running=0)

    decision = seen.minute(5)

    assert decision.desired is None
    assert decision.reason.startswith("AlreadyAtMaxCapacity: 5 messages wait")


def test_a_count_outside_of_the_bounds_is_brought_back_to_them() -> None:
    low = Minutes(tracking(100, count_min=2, count_max=4), running=0)
    high = Minutes(tracking(100, count_min=2, count_max=4), running=9)

    decisions = [low.minute(0), high.minute(800)]

    assert counts(decisions) == [2, 4]
    assert decisions[0].reason == "scale out 0 → 2: 2 tasks are the least allowed"


def test_a_count_above_the_bounds_waits_for_the_end_of_a_deployment() -> None:
    seen = Minutes(tracking(100, count_max=4), running=9, deploys=True)

    assert seen.minute(0).desired is None
