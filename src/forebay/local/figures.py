"""Records of the scheduler and counters of the servers, as the page shows them.

Rules kept here and nowhere else:

1. A task that is to end is draining once it has said so, and stopping until then.
2. A task that runs is starting until its worker has spoken; then it is busy or idle.
3. Counts of tasks in a deployment are taken from its tasks, as `DescribeServices` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence

from forebay.cloud.ecs_service import LocalService
from forebay.cloud.ecs_wall import Wall
from forebay.cloud.sqs_server import SqsServer
from forebay.local.port import DeploymentFigures, Percentiles, QueueFigures, TaskFigures
from forebay.local.task_events import TaskTally
from forebay.rules.ecs_vocabulary import DeploymentRecord, TaskRecord, TaskStatus
from forebay.rules.queue_latencies import Percentiles as Latencies

TOLD_MAX = 40
STARTING = (TaskStatus.PROVISIONING, TaskStatus.PENDING)


def queue_figures(sqs: SqsServer, urls: Sequence[str], dead_url: str) -> QueueFigures:
    """Return what the counters say of queues that are worked together, and of their dead letters."""
    live, dead = [sqs.metrics.live(url) for url in urls], sqs.metrics.live(dead_url)
    return {
        "visible": sum(one.gauges.visible for one in live),
        "in_flight": sum(one.gauges.in_flight for one in live),
        "delayed": sum(one.gauges.delayed for one in live),
        "dead": dead.gauges.visible + dead.gauges.in_flight + dead.gauges.delayed,
        "oldest_age_s": round(max(one.gauges.oldest_age_s for one in live), 1),
        "sent": sum(one.totals.sent for one in live),
        "received": sum(one.totals.received for one in live),
        "deleted": sum(one.totals.deleted for one in live),
        "empty_receives": sum(one.totals.empty_receives for one in live),
    }


def task_figures(task: TaskRecord, service: LocalService, tally: TaskTally, now: float) -> TaskFigures:
    """Return what is known of a task, from the scheduler and from its own words."""
    process = service.task_process(task.task_id)
    until = task.protected_until
    is_protected = until is not None and until > now and task.stopped_at is None
    ended_at = now if task.stopped_at is None else task.stopped_at
    return {
        "task_id": task.task_id,
        "pid": None if process is None else process.pid,
        "revision": task.revision,
        "state": state_of(task, tally),
        "is_protected": is_protected,
        "protected_left_s": round(until - now, 1) if until is not None and is_protected else None,
        "running_jobs": tally.running_jobs if task.stopped_at is None else 0,
        "done_jobs": tally.done_jobs,
        "failed_jobs": tally.failed_jobs,
        "age_s": round(ended_at - (task.created_at if task.started_at is None else task.started_at), 1),
        "exit_code": _as_a_shell_says(task.exit_code),
        "stop_code": "" if task.stop_code is None else task.stop_code.value,
        "stopped_reason": task.stopped_reason,
        "is_frozen": process is not None and process.is_frozen,
    }


def state_of(task: TaskRecord, tally: TaskTally) -> str:
    """Return the one word for a task's state."""
    if task.status is TaskStatus.STOPPED:
        return "stopped"
    if task.desired_status is TaskStatus.STOPPED:
        return "draining" if tally.is_draining else "stopping"
    if task.status in STARTING:
        return "pending"
    if not tally.has_started:
        return "starting"
    return "busy" if tally.running_jobs else "idle"


def deployment_figures(deployment: DeploymentRecord, tasks: Sequence[TaskRecord]) -> DeploymentFigures:
    """Return a deployment with its tasks counted as `DescribeServices` counts them."""
    own = [task for task in tasks if task.deployment_id == deployment.deployment_id]
    return {
        "deployment_id": deployment.deployment_id,
        "status": deployment.status.value,
        "rollout_state": deployment.rollout_state.value,
        "revision": deployment.revision,
        "desired": deployment.desired_count,
        "running": sum(1 for task in own if task.status is TaskStatus.RUNNING),
        "pending": sum(1 for task in own if task.status in STARTING),
        "failed": deployment.failed_tasks,
    }


def percentiles_figures(percentiles: Latencies) -> Percentiles:
    """Return percentiles as a picture holds them, to the tenth of a millisecond."""
    return {
        "p50_s": _rounded(percentiles.p50_s),
        "p90_s": _rounded(percentiles.p90_s),
        "p99_s": _rounded(percentiles.p99_s),
        "count": percentiles.count,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def utc_text(wall: Wall, at: float) -> str:
    """Return an instant of the cluster's clock as RFC 3339, to the second."""
    return wall.utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_a_shell_says(exit_code: int | None) -> int | None:
    """Return what ECS shows: a process that a signal has ended is told as 128 and the signal, 137 for SIGKILL."""
    return exit_code if exit_code is None or exit_code >= 0 else 128 - exit_code
