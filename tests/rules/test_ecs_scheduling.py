"""The ECS service scheduler, sentence by sentence: facts/ecs-task-protection.md section 3, or what is named."""

from __future__ import annotations

import pytest
from tests.rules.services import Service

from forebay.rules.ecs_limits import failure_threshold, maximum_tasks, minimum_healthy, throttle_s
from forebay.rules.ecs_refusals import SchedulerRefusal
from forebay.rules.ecs_vocabulary import (
    DeploymentRequested,
    DeploymentStatus,
    DesiredCountSet,
    HealthReported,
    KillTask,
    ProtectionSet,
    RolloutState,
    ServicePlan,
    SignalTask,
    SpotInterrupted,
    StartTask,
    StopCode,
    StopRequested,
    TaskExited,
    TaskStatus,
)

UNABLE = "was unable to scale in due to (reason 1 tasks under protection)"


def test_a_task_is_provisioning_for_the_start_delay_and_then_runs() -> None:
    service = Service(start_delay_s=10.0)

    service.turn(9.0)
    before = [task.status for task in service.scheduler.tasks.values()]
    service.turn(1.0)

    assert before == [TaskStatus.PROVISIONING]
    assert len(service.running()) == 1


def test_a_service_that_has_what_it_wants_is_steady_and_its_deployment_completed() -> None:
    service = Service(desired_count=3).turn(10.0)

    assert len(service.said("has reached a steady state.")) == 1
    assert service.scheduler.view().deployments[0].rollout_state is RolloutState.COMPLETED
    assert len(service.said("has started 3 tasks: (task ")) == 1


def test_scale_in_spares_protected_tasks_and_takes_the_others() -> None:
    service = Service(desired_count=3).turn(10.0)
    kept = service.running()[1]
    service.protect(kept)

    service.tell(DesiredCountSet(1))

    assert service.running() == [kept]
    assert {task.stop_code for task in service.scheduler.tasks.values()} - {None} == {
        StopCode.SERVICE_SCHEDULER_INITIATED
    }


def test_a_protected_task_in_the_way_is_told_of_once_and_stopped_when_it_is_let_go() -> None:
    service = Service(desired_count=1).turn(10.0)
    (busy,) = service.running()
    service.protect(busy)

    service.tell(DesiredCountSet(0))
    service.turn(600.0)
    said = service.said("unable to scale in")
    service.tell(ProtectionSet(busy.task_id, None))

    assert said == [f"(service jobs, taskSet {busy.deployment_id}) {UNABLE}"]
    assert service.running() == []


def test_protection_that_expires_ends_the_task_that_was_too_many() -> None:
    service = Service(desired_count=1).turn(10.0)
    service.protect(service.running()[0], seconds=60.0)
    service.tell(DesiredCountSet(0))

    service.turn(59.0)
    before = len(service.running())
    service.turn(1.0)

    assert (before, len(service.running())) == (1, 0)


def test_protection_is_refused_while_more_tasks_are_protected_than_desired_but_not_its_renewal() -> None:
    """ECS guide, Task scale-in protection: DEPLOYMENT_BLOCKED."""
    service = Service(desired_count=2).turn(10.0)
    first, second = service.running()
    service.protect(first, second)
    service.tell(DeploymentRequested(2))
    service.turn(10.0)
    (fresh, _) = service.running(2)
    with_as_many = service.scheduler.may_protect(fresh.task_id)

    service.tell(DesiredCountSet(1))
    (fresh,) = service.running(2)

    assert with_as_many is None
    assert service.scheduler.may_protect(fresh.task_id) == "DEPLOYMENT_BLOCKED"
    assert service.scheduler.may_protect(first.task_id) is None
    assert service.scheduler.may_protect("0" * 32) == "MISSING"


def test_sigkill_comes_when_the_stop_timeout_is_over_and_only_to_those_that_live() -> None:
    service = Service(desired_count=2, stop_timeout_s=30.0).turn(10.0)
    service.hangs = True
    service.tell(DesiredCountSet(0))
    hanging, polite = service.scheduler.tasks.values()
    service.tell(TaskExited(polite.task_id, 0))

    service.turn(29.0)
    before = service.count(KillTask)
    service.turn(1.0)

    assert (before, service.count(KillTask)) == (0, 1)
    assert (hanging.exit_code, polite.exit_code) == (-9, 0)


def test_stop_task_stops_a_protected_task_and_a_replacement_is_started() -> None:
    service = Service().turn(10.0)
    (task,) = service.running()
    service.protect(task)

    service.tell(StopRequested(task.task_id))

    assert (task.status, task.stop_code) == (TaskStatus.STOPPED, StopCode.USER_INITIATED)
    assert len(service.running()) == 1


def test_a_spot_interruption_is_told_as_such_and_its_task_replaced() -> None:
    service = Service().turn(10.0)
    (task,) = service.running()
    service.protect(task)

    service.tell(SpotInterrupted(task.task_id))

    assert (task.stop_code, task.stopped_reason) == (StopCode.SPOT_INTERRUPTION, "Your Spot Task was interrupted.")
    assert len(service.running()) == 1


@pytest.mark.parametrize("exit_code", [0, 1, -9])
def test_a_task_that_ends_by_itself_is_replaced_whatever_its_exit_code(exit_code: int) -> None:
    service = Service().turn(10.0)
    (task,) = service.running()

    service.tell(TaskExited(task.task_id, exit_code))

    assert (task.stop_code, task.exit_code) == (StopCode.ESSENTIAL_CONTAINER_EXITED, exit_code)
    assert len(service.running()) == 1


def test_an_unhealthy_task_is_replaced_even_when_protected_after_its_replacement_serves() -> None:
    """ECS guide, Amazon ECS services: the replacement is started first."""
    service = Service().turn(10.0)
    (sick,) = service.running()
    service.protect(sick)

    service.tell(HealthReported(sick.task_id, is_healthy=False))
    during = len(service.running())
    service.turn(2.0)

    assert (during, len(service.running()), sick.status) == (2, 1, TaskStatus.STOPPED)
    assert len(service.said("Amazon ECS replaced 1 tasks due to an unhealthy status.")) == 1


def test_without_room_for_a_replacement_the_unhealthy_task_is_stopped_first() -> None:
    service = Service(desired_count=2, minimum_healthy_percent=50, maximum_percent=100).turn(10.0)
    first, second = service.running()

    service.tell(HealthReported(first.task_id, is_healthy=False))
    service.tell(HealthReported(second.task_id, is_healthy=False))

    assert [first.status, second.status] == [TaskStatus.STOPPED, TaskStatus.RUNNING]


def test_a_failing_health_check_counts_when_the_grace_period_is_over() -> None:
    service = Service(health_grace_s=60.0).turn(10.0)
    (task,) = service.running()

    service.tell(HealthReported(task.task_id, is_healthy=False))
    during = len(service.running())
    service.turn(51.0)

    assert during == 1
    assert task.is_healthy is False


def test_a_deployment_starts_the_new_tasks_before_it_stops_the_old_ones() -> None:
    service = Service(desired_count=4).turn(10.0)

    service.tell(DeploymentRequested(2))
    during = (len(service.running(1)), len(service.running(2)))
    statuses = [one.status for one in service.scheduler.view().deployments]
    service.turn(10.0)

    assert during == (4, 4)
    assert statuses == [DeploymentStatus.PRIMARY, DeploymentStatus.ACTIVE]
    assert (len(service.running(1)), len(service.running(2))) == (0, 4)
    assert len(service.said("deployment completed.")) == 2


def test_with_a_minimum_of_half_and_no_room_two_of_four_go_first() -> None:
    """ECS guide, Deploy Amazon ECS services by replacing tasks: the example of minimumHealthyPercent."""
    service = Service(desired_count=4, minimum_healthy_percent=50, maximum_percent=100).turn(10.0)

    service.tell(DeploymentRequested(2))

    assert (len(service.running(1)), len(service.running(2))) == (2, 2)


def test_protected_tasks_of_the_old_revision_keep_the_deployment_in_progress() -> None:
    service = Service(desired_count=1).turn(10.0)
    (old,) = service.running()
    service.protect(old)

    service.tell(DeploymentRequested(2))
    service.turn(600.0)
    primary, _ = service.scheduler.view().deployments
    rollout = primary.rollout_state
    service.tell(ProtectionSet(old.task_id, None))

    assert rollout is RolloutState.IN_PROGRESS
    assert service.said("steady state because") == [
        f"(service jobs) was unable to reach steady state because (taskSet {old.deployment_id}) {UNABLE}"
    ]
    assert primary.rollout_state is RolloutState.COMPLETED


def test_percentages_without_room_stop_a_deployment_and_are_told_of() -> None:
    """ECS guide, Service event messages."""
    service = Service(desired_count=2, maximum_percent=100).turn(10.0)

    service.tell(DeploymentRequested(2))
    service.turn(600.0)

    assert len(service.running(1)) == 2
    assert len(service.said("because of the service deployment configuration")) == 1


def test_a_sixth_deployment_is_refused_and_changes_nothing() -> None:
    service = Service(desired_count=1, maximum_percent=1_000).turn(10.0)
    for revision in range(2, 6):
        service.protect(*service.running())
        service.tell(DeploymentRequested(revision))
        service.turn(5.0)
    before = repr(service.scheduler.view())

    with pytest.raises(SchedulerRefusal, match="5 active deployments exist, unable to create new deployment"):
        service.tell(DeploymentRequested(6))

    assert repr(service.scheduler.view()) == before


def test_the_circuit_breaker_goes_back_to_what_was_completed_last() -> None:
    """ECS guide, How the deployment circuit breaker detects failures."""
    service = Service(desired_count=2).turn(10.0)
    (completed,) = service.scheduler.view().deployments
    service.fails = {2}

    service.tell(DeploymentRequested(2))
    service.turn(60.0)

    assert len(service.said("deployment failed: tasks failed to start.")) == 1
    assert service.said("rolling back") == [f"(service jobs) rolling back to deployment {completed.deployment_id}."]
    assert len(service.running(1)) == 2
    assert completed.rollout_state is RolloutState.COMPLETED


def test_a_failed_deployment_that_does_not_roll_back_starts_nothing_more() -> None:
    service = Service(desired_count=2, rolls_back=False).turn(10.0)
    service.fails = {2}

    service.tell(DeploymentRequested(2))
    service.turn(60.0)
    starts = service.count(StartTask)
    service.turn(3_000.0)

    assert service.scheduler.view().deployments[0].rollout_state is RolloutState.FAILED
    assert (service.count(StartTask), len(service.running(1))) == (starts, 2)


def test_launches_that_fail_are_repeated_more_and_more_seldom_until_a_new_deployment() -> None:
    """ECS guide, Service throttle logic."""
    service = Service(circuit_breaker=False)
    service.turn(10.0)
    service.fails = {1, 2}
    service.tell(TaskExited(service.running()[0].task_id, 1))

    service.turn(3_600.0)
    starts = service.count(StartTask)
    service.fails = set()
    service.tell(DeploymentRequested(3))

    assert starts < 20
    assert len(service.said("is unable to consistently start tasks successfully.")) == 1
    assert len(service.running(3)) == 1


def test_late_facts_about_stopped_and_unknown_tasks_change_nothing() -> None:
    service = Service().turn(10.0)
    (task,) = service.running()
    service.tell(TaskExited(task.task_id, 1))
    before = repr(service.scheduler.view())

    for task_id in (task.task_id, "0" * 32):
        service.tell(TaskExited(task_id, 3))
        service.tell(HealthReported(task_id, is_healthy=False))

    assert repr(service.scheduler.view()) == before


def test_a_stopped_task_is_forgotten_after_an_hour() -> None:
    service = Service().turn(10.0)
    (task,) = service.running()
    service.tell(TaskExited(task.task_id, 1))

    service.turn(3_599.0)
    before = service.scheduler.task(task.task_id)
    service.turn(1.0)

    assert before is task
    assert service.scheduler.task(task.task_id) is None


def test_what_cannot_be_is_refused() -> None:
    service = Service()

    with pytest.raises(SchedulerRefusal, match="desiredCount=-1"):
        service.tell(DesiredCountSet(-1))
    with pytest.raises(SchedulerRefusal, match="not found"):
        service.tell(StopRequested("0" * 32))
    with pytest.raises(ValueError, match="maximum_percent=50"):
        ServicePlan(name="jobs", maximum_percent=50)


def test_a_stop_timeout_of_no_time_still_sends_sigterm_first() -> None:
    service = Service(stop_timeout_s=0.0).turn(10.0)
    service.hangs = True

    service.tell(DesiredCountSet(0))

    assert [type(order) for order in service.orders[-2:]] == [SignalTask, KillTask]


def test_the_same_dice_make_the_same_ids() -> None:
    assert list(Service(desired_count=3).scheduler.tasks) == list(Service(desired_count=3).scheduler.tasks)
    assert all(len(task_id) == 32 for task_id in Service().scheduler.tasks)


def test_the_minimum_is_rounded_up_the_maximum_down_and_the_threshold_bounded() -> None:
    assert (minimum_healthy(2, 75), minimum_healthy(4, 50)) == (2, 2)
    assert (maximum_tasks(3, 125), maximum_tasks(4, 200)) == (3, 8)
    assert [failure_threshold(count) for count in (1, 25, 400, 800)] == [3, 13, 200, 200]
    assert (throttle_s(1), throttle_s(2), throttle_s(99)) == (1.0, 2.0, 1_620.0)
