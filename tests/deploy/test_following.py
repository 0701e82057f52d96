"""Following an operation of CloudFormation: nothing is lost, told twice or told wrong, whatever AWS answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.deploy.scenes import (
    DEPLOYED_BEFORE,
    FAILED,
    FIRST,
    REFUSAL,
    REVIEWED,
    ROLLING,
    STEADY,
    UPDATE,
    Recorder,
    failing_logs,
    failing_service,
    follow,
)
from tests.deploy.scripted_aws import STACK, ScriptedService, ScriptedStack, Told, of_stack, refused, unreachable

from forebay.clock import VirtualClock
from forebay.deploy.answers import NoAnswer
from forebay.deploy.following import OUTAGE_MAX_S, QUIET_MAX_S, SLOWEST_LOOK_S
from forebay.deploy.hints import NO_PATH
from forebay.errors import DeployError


def started(script: tuple[Told, ...], *, past: list[Told] | None = None, page_size: int = 100) -> ScriptedStack:
    stack = ScriptedStack(
        VirtualClock(), past=list(REVIEWED if past is None else past), script=script, page_size=page_size
    )
    stack.start()
    return stack


def test_every_event_is_told_once_in_its_order_up_to_the_end() -> None:
    screen = Recorder()

    state = follow(started(FIRST), screen)

    assert state.status == "CREATE_COMPLETE"
    assert screen.statuses == [(told.logical_id, told.status) for told in FIRST]


def test_seconds_are_those_of_awss_own_clock() -> None:
    screen = Recorder()

    follow(started(FIRST), screen)

    last = screen.pictures[-1]
    seconds = {row.logical_id: round(row.seconds(last.at_utc), 1) for row in last.rows}
    assert seconds == {"Queue": 72.5, "TaskRole": 16.3, "TaskDefinition": 1.0, "Service": 200.6}
    assert round(last.stack.seconds(last.at_utc), 1) == 274.5


def test_what_goes_on_grows_older_from_look_to_look() -> None:
    screen = Recorder()

    follow(started(FIRST), screen)

    ages = [
        row.seconds(one.at_utc) for one in screen.pictures for row in one.rows if row.status == "CREATE_IN_PROGRESS"
    ]
    assert max(ages) > 190.0


def test_events_come_over_many_pages_and_none_is_lost_or_told_twice() -> None:
    screen = Recorder()
    stack = started(FIRST, page_size=1)
    stack.clock.advance(100.0)  # Seven events have happened before the first look.

    follow(stack, screen)

    assert screen.statuses == [(told.logical_id, told.status) for told in FIRST]


def test_what_happened_before_the_operation_is_not_told() -> None:
    screen = Recorder()

    follow(started(UPDATE, past=DEPLOYED_BEFORE), screen)

    assert screen.statuses[0][1] == "UPDATE_IN_PROGRESS"


def test_throttled_following_slows_down_and_goes_on_without_a_gap() -> None:
    screen = Recorder()
    stack = started(FIRST)
    stack.planned["DescribeStackEvents"] = [None, *[refused("Throttling", "DescribeStackEvents")] * 6]

    state = follow(stack, screen)

    assert state.status == "CREATE_COMPLETE"
    assert screen.statuses == [(told.logical_id, told.status) for told in FIRST]
    notes = [picture.note for picture in screen.pictures if picture.note]
    waits = [4, 8, 16, 20, 20, 20]
    assert notes == [f"asking again in {wait} s: AWS does not answer, or wants fewer requests" for wait in waits]
    assert waits[-1] == SLOWEST_LOOK_S


@pytest.mark.parametrize(
    "error", [unreachable(), refused("InternalFailure", "DescribeStacks", "", 500), NoAnswer()], ids=str
)
def test_an_outage_is_waited_out(error: Exception) -> None:
    screen = Recorder()
    stack = started(FIRST)
    stack.planned["DescribeStacks"] = [None, error, error, error]

    state = follow(stack, screen)

    assert state.status == "CREATE_COMPLETE"


def test_an_outage_without_end_is_left_with_the_way_back() -> None:
    stack = started(FIRST)
    stack.planned["DescribeStacks"] = [None, *[unreachable()] * 1_000]

    with pytest.raises(
        DeployError, match=r"cannot be reached.*The work goes on in AWS; `forebay deploy` comes back to it"
    ):
        follow(stack, Recorder())

    assert OUTAGE_MAX_S < stack.clock.now() < OUTAGE_MAX_S + 2 * SLOWEST_LOOK_S


def test_a_missing_permission_ends_the_following_at_once() -> None:
    stack = started(FIRST)
    denied = refused(
        "AccessDenied", "DescribeStackEvents", "User: arn:ci is not authorized to perform: cloudformation:X", 403
    )
    stack.planned["DescribeStackEvents"] = [denied]

    with pytest.raises(DeployError, match="arn:ci lacks the permission cloudformation:X"):
        follow(stack, Recorder())

    assert stack.clock.now() == 0.0


def test_a_failure_is_told_once_with_what_to_do_and_what_was_cancelled_is_none() -> None:
    screen = Recorder()

    state = follow(started(FAILED), screen)

    assert state.status == "ROLLBACK_COMPLETE"
    failures = [failure for picture in screen.pictures for failure in picture.failures]
    assert [(one.logical_id, one.words) for one in failures] == [("Service", "create failed")]
    assert failures[0].hint == "new tasks did not stay up, so ECS went back: the stopped tasks above say why"


def test_a_rollbacks_seconds_begin_with_the_rollback_and_the_stacks_with_the_operation() -> None:
    screen = Recorder()

    follow(started(FAILED), screen)

    last = screen.pictures[-1]
    service = next(row for row in last.rows if row.logical_id == "Service")
    assert (service.words, service.seconds(last.at_utc)) == ("delete complete", 30.0)
    assert last.stack.seconds(last.at_utc) == 279.5


def test_the_old_one_that_an_update_cleans_up_is_no_news_of_the_new_one() -> None:
    screen = Recorder()

    follow(started(UPDATE, past=DEPLOYED_BEFORE), screen)

    last = screen.pictures[-1]
    assert [(row.logical_id, row.words) for row in last.rows] == [
        ("TaskDefinition", "update complete"),
        ("Service", "update complete"),
    ]


def test_a_resource_that_an_update_removes_is_told_as_deleted() -> None:
    screen = Recorder()
    script = (
        of_stack(0.0, "UPDATE_IN_PROGRESS"),
        of_stack(1.0, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        Told(2.0, "OldAlarm", "DELETE_IN_PROGRESS", kind="AWS::CloudWatch::Alarm"),
        Told(3.0, "OldAlarm", "DELETE_COMPLETE", kind="AWS::CloudWatch::Alarm"),
        of_stack(4.0, "UPDATE_COMPLETE"),
    )

    follow(started(script, past=DEPLOYED_BEFORE), screen)

    assert [(row.description, row.words) for row in screen.pictures[-1].rows] == [
        ("OldAlarm (AWS::CloudWatch::Alarm)", "delete complete")
    ]


def test_planned_resources_stand_in_the_templates_order_from_the_first_look_on() -> None:
    screen = Recorder()
    planned = (("Queue", "AWS::SQS::Queue"), ("Service", "AWS::ECS::Service"))

    follow(started(FIRST), screen, planned=planned)

    first = screen.pictures[0]
    assert [(row.description, row.words) for row in first.rows] == [
        ("The queue that your jobs wait in", "not started"),
        ("The service: keeps your tasks running", "not started"),
    ]
    assert [row.logical_id for row in screen.pictures[-1].rows] == ["Queue", "Service", "TaskRole", "TaskDefinition"]


def test_the_rolling_deployment_is_shown_newest_first() -> None:
    screen = Recorder()
    stack = started(UPDATE, past=DEPLOYED_BEFORE)

    follow(stack, screen, service=ScriptedService(stack.clock, ROLLING))

    tables = [[one.figures for one in picture.rollout.deployments] for picture in screen.pictures]
    assert tables[-1] == [("PRIMARY", "2", "[completed]", "2", "2", "0", "0")]
    assert [
        ("PRIMARY", "2", "[in progress]", "2", "1", "0", "1"),
        ("ACTIVE", "1", "[completed]", "2", "2", "0", "0"),
    ] in tables


def test_stopped_tasks_are_grouped_by_reason_with_a_hint_while_the_deployment_still_goes_on() -> None:
    screen = Recorder()
    stack = started(FAILED)

    follow(stack, screen, service=failing_service(stack.clock))

    seen = next(picture for picture in screen.pictures if picture.rollout.stopped)
    assert seen.stack.status == "CREATE_IN_PROGRESS"
    (first, second) = screen.pictures[-1].rollout.stopped
    assert (first.count, first.task_ids, first.hint) == (2, ("a1000000", "b2000000"), NO_PATH)
    assert second.reason == "Essential container in task exited, container worker: exit code 2"
    assert second.hint is not None
    assert second.hint.startswith("the worker refused its settings")


def test_what_a_task_wrote_before_it_ended_by_itself_is_read_once_it_is_in_the_log() -> None:
    """CloudWatch has it some seconds later; and what could not be started has written nothing."""
    screen = Recorder()
    stack = started(FAILED)
    logs = failing_logs(stack.clock)

    follow(stack, screen, service=failing_service(stack.clock), logs=logs)

    stops = [picture.rollout.stopped for picture in screen.pictures if len(picture.rollout.stopped) == 2]
    assert [second.last_lines for _, second in (stops[0], stops[-1])] == [(), REFUSAL]
    assert {first.last_lines for first, _ in stops} == {()}
    assert set(logs.asked) == {"c3000000"}
    assert len(logs.asked) < len(stops), "it was read again although it was there"


def test_who_may_not_read_the_log_sees_the_stopped_tasks_without_their_lines() -> None:
    screen = Recorder()
    stack = started(FAILED)
    logs = failing_logs(stack.clock)
    message = "User: arn:ci is not authorized to perform: logs:GetLogEvents on resource: arn:x"
    logs.planned["GetLogEvents"] = [refused("AccessDeniedException", "GetLogEvents", message)]

    follow(stack, screen, service=failing_service(stack.clock), logs=logs)

    assert [picture.note for picture in screen.pictures if picture.note] == [
        "what stopped tasks wrote last is not shown: reading their logs: arn:ci lacks the permission logs:GetLogEvents "
        "on arn:x: add it to that user or role"
    ]
    assert len(screen.pictures[-1].rollout.stopped) == 2
    assert logs.calls == ["GetLogEvents"]


def test_only_bad_news_of_the_service_are_told() -> None:
    screen = Recorder()
    stack = started(FAILED)

    follow(stack, screen, service=failing_service(stack.clock))

    messages = {one.message for picture in screen.pictures for one in picture.rollout.complaints}
    assert messages == {"deployment ecs-svc/1 failed: tasks failed to start."}


def test_tasks_are_asked_for_only_when_something_is_wrong() -> None:
    stack = started(FIRST)
    service = ScriptedService(stack.clock, STEADY)

    follow(stack, Recorder(), service=service)

    assert set(service.calls) == {"DescribeServices"}


def test_a_service_that_we_may_not_see_is_said_once_and_changes_nothing_else() -> None:
    screen = Recorder()
    stack = started(FIRST)
    service = ScriptedService(stack.clock, STEADY)
    message = "User: arn:ci is not authorized to perform: ecs:DescribeServices on resource: arn:x"
    service.planned["DescribeServices"] = [refused("AccessDeniedException", "DescribeServices", message)]

    state = follow(stack, screen, service=service)

    assert state.status == "CREATE_COMPLETE"
    assert [picture.note for picture in screen.pictures if picture.note] == [
        "the tasks are not shown: looking at the service: arn:ci lacks the permission ecs:DescribeServices on arn:x: "
        "add it to that user or role"
    ]
    assert service.calls == ["DescribeServices"]


def test_who_may_not_see_stopped_tasks_still_sees_the_deployments() -> None:
    screen = Recorder()
    stack = started(FAILED)
    service = failing_service(stack.clock)
    message = "User: arn:ci is not authorized to perform: ecs:ListTasks on resource: *"
    service.planned["ListTasks"] = [refused("AccessDeniedException", "ListTasks", message)]

    follow(stack, screen, service=service)

    assert [picture.note for picture in screen.pictures if picture.note] == [
        "the tasks are not shown: looking at the stopped tasks: arn:ci lacks the permission ecs:ListTasks on *: "
        "add it to that user or role"
    ]
    assert screen.pictures[-1].rollout.deployments[0].failed == 3
    assert service.calls.count("ListTasks") == 1


def test_a_service_that_cannot_be_reached_now_and_then_is_shown_at_the_next_look() -> None:
    screen = Recorder()
    stack = started(FIRST)
    service = ScriptedService(stack.clock, STEADY)
    throttled = refused("ThrottlingException", "DescribeServices")
    missing = refused("ClusterNotFoundException", "DescribeServices")
    service.planned["DescribeServices"] = [missing, throttled, unreachable()]

    follow(stack, screen, service=service)

    assert screen.pictures[-1].rollout.deployments[0].running == 2
    assert not any(picture.note for picture in screen.pictures)


def test_a_start_that_shows_late_is_waited_for() -> None:
    """Right after the start the stack may still be as it was before: that is no end."""
    screen = Recorder()
    late = tuple(replace(told, at_s=told.at_s + 30.0) for told in UPDATE)

    state = follow(started(late, past=DEPLOYED_BEFORE), screen)

    assert state.status == "UPDATE_COMPLETE"
    assert screen.statuses[0] == (STACK, "UPDATE_IN_PROGRESS")


def test_an_operation_that_never_shows_is_not_waited_for_for_ever() -> None:
    stack = started((), past=DEPLOYED_BEFORE)

    state = follow(stack, Recorder())

    assert state.status == "CREATE_COMPLETE"
    assert stack.clock.now() == pytest.approx(QUIET_MAX_S, abs=5.0)


def test_a_stack_that_somebody_deletes_meanwhile_is_told_as_gone() -> None:
    stack = started(FIRST)
    stack.exists = False

    with pytest.raises(DeployError, match="somebody else has deleted it"):
        follow(stack, Recorder())
