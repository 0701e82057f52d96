"""Visibility, heartbeats, attempts and retention: whether a message lives as long as the work on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, length, note, warning
from forebay.deploy.doctor.finding import Found
from forebay.deploy.manifest.workload import RELEASES
from forebay.worker.retry import ATTEMPTS_DEFAULT, attempts_allowed

HEARTBEAT_ROOM_S = 20.0
"""Renewals are asked for when a third is gone: below this, one slow call of six seconds loses the lease."""

VISIBILITY_LONG_S = 900.0
"""What a job of a killed worker waits at the longest before another one gets it, without anybody being surprised."""


@check(
    "visibility-heartbeat", "Two heartbeats fit into the visibility timeout, and a crash does not hide a job for long"
)
def visibility_heartbeat(case: Case) -> Iterator[Found]:
    worker = case.worker
    place = f"visibility of the worker ({worker.sources.get('visibility', 'default')})"
    value = f"visibility {length(worker.visibility_s)}, renewed after {worker.visibility_s / 3:.0f} s"
    if worker.visibility_s < HEARTBEAT_ROOM_S:
        yield warning(
            value,
            place,
            "one slow call or a pause of the process loses the lease, and another worker starts the same job",
            "set run.visibility to 60",
            "run.visibility",
        )
    elif worker.visibility_s > VISIBILITY_LONG_S:
        yield warning(
            value,
            place,
            "jobs of a task that is killed stay hidden for that long before another worker gets them; heartbeats keep "
            "long jobs hidden anyway",
            "set run.visibility to 60: a job may take far longer than that",
            "run.visibility",
        )


@check("visibility-queue", "The queue's visibility timeout is the one that its workers use")
def visibility_queue(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is not None and queue.visibility_s != case.worker.visibility_s:
        yield note(
            f"VisibilityTimeout {length(queue.visibility_s)}, workers ask for {length(case.worker.visibility_s)}",
            f"{queue.place}.VisibilityTimeout",
            "workers name their own at each receive, so the queue's has an effect on other consumers only",
            "set run.visibility to what you mean, and leave queue.visibility out",
            "queue.visibility",
        )


@check("receive-count", "SQS buries no job before the worker does: maxReceiveCount is attempts plus ten")
def receive_count(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or queue.receive_count_max is None:
        return
    most, name = _attempts(case)
    if queue.receive_count_max >= most + RELEASES:
        return
    tell = error if queue.receive_count_max < most else warning
    yield tell(
        f"maxReceiveCount {queue.receive_count_max}, attempts {most}{name}",
        f"{queue.place}.RedrivePolicy",
        "each restart, drain and release counts as a receive, so a few deployments bury a job that has not failed",
        f"set queue.attempts to {most}: maxReceiveCount becomes {most + RELEASES}",
        "queue.attempts",
    )


@check("attempts", "The worker gives jobs the attempts that the manifest says")
def attempts(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or queue.receive_count_max is None or case.manifest is None:
        return
    wanted = case.manifest.queue.attempts
    own = _of_worker(case, queue.receive_count_max)
    if own < wanted:
        said = "FOREBAY_ATTEMPTS" if case.worker.attempts is not None else "the worker's default"
        yield warning(
            f"queue.attempts {wanted}, {said} {own}",
            "ContainerDefinitions.Environment",
            f"the worker buries a job with failure {own}; the manifest's number only widens the queue's own limit",
            f"set queue.attempts to {own}, or have FOREBAY_ATTEMPTS={wanted} (no attempts under `run:`)",
            "run.attempts",
        )


def _of_worker(case: Case, receive_count_max: int | None) -> int:
    """Return the attempts of jobs that say none."""
    return attempts_allowed(attempts_max=case.worker.attempts, receive_count_max=receive_count_max)


@check("retention", "A message lives longer than its delays and attempts take")
def retention(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None:
        return
    place = f"{queue.place}.MessageRetentionPeriod"
    for job in case.worker.jobs or ():
        tries = job.attempts or _of_worker(case, queue.receive_count_max)
        once_s = queue.delay_s + job.timeout_s
        worst_s = queue.delay_s + tries * job.timeout_s + (tries - 1) * job.backoff_ceiling_s
        value = f"retention {length(queue.retention_s)}, job {job.name}: {length(worst_s)} for {tries} attempts"
        remedy = f"set queue.retention above {length(worst_s)}, or lower timeout, attempts or backoff of {job.name}"
        if once_s >= queue.retention_s:
            yield error(
                f"retention {length(queue.retention_s)}, job {job.name}: delay and timeout {length(once_s)}",
                place,
                "SQS deletes the message while its first attempt still runs, so a failure is never retried",
                remedy,
                "queue.retention",
            )
        elif worst_s >= queue.retention_s:
            yield warning(
                value,
                place,
                "a job that keeps failing slowly is deleted by SQS before its last attempt, and never seen again",
                remedy,
                "queue.retention",
            )


@check("short-polling", "Who asks without a wait time gets a long poll")
def short_polling(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is not None and queue.wait_s < 1:
        yield note(
            f"ReceiveMessageWaitTimeSeconds {queue.wait_s:g}",
            f"{queue.place}.ReceiveMessageWaitTimeSeconds",
            "Forebay's workers ask for 20 s themselves, but scripts and other consumers poll short: they find nothing "
            "though messages are there, and pay for each look",
            "set ReceiveMessageWaitTimeSeconds to 20",
        )


def _attempts(case: Case) -> tuple[int, str]:
    """Return the most attempts that anything asks for, and whose they are as words."""
    jobs = [job for job in case.worker.jobs or () if job.attempts is not None]
    named = max(jobs, key=lambda job: job.attempts or 0, default=None)
    wanted = case.worker.attempts or (case.manifest.queue.attempts if case.manifest else ATTEMPTS_DEFAULT)
    if named is not None and named.attempts is not None and named.attempts > wanted:
        return named.attempts, f" of job {named.name}"
    return wanted, " (queue.attempts)" if case.manifest else " (the worker's default)"
