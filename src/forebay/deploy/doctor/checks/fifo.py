"""What only FIFO queues do: deduplication, groups and their limits. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, length, note, warning
from forebay.deploy.doctor.finding import Found

DEDUPLICATION_S = 300.0
CALLS_A_SECOND = 300
"""Of each action on a FIFO queue without high throughput; ten messages a call when batched (facts/sqs.md section 2)."""
BATCH = 10


@check("fifo-deduplication", "SQS drops no job because another has the same body")
def fifo_deduplication(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or not queue.is_fifo or not queue.is_deduplicated_by_content:
        return
    jobs = case.worker.jobs or ()
    names = " and ".join(job.name for job in jobs[:2])
    two = f": {names} with equal arguments are one to it" if len(jobs) > 1 else ""
    yield warning(
        "ContentBasedDeduplication true",
        f"{queue.place}.ContentBasedDeduplication",
        f"SQS compares bodies only, never attributes, and a job's name is an attribute{two}; the second within five "
        "minutes is dropped without an error",
        "set queue.content_based_deduplication to false, and give .options(dedupe=…) where you enqueue",
        "queue.content_based_deduplication",
    )


@check("fifo-schedules", "Schedules of a FIFO queue name a group and a deduplication id")
def fifo_schedules(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or not queue.is_fifo:
        return
    for schedule in case.facts.schedules:
        if schedule.queue != queue.name:
            continue
        if schedule.group is None:
            yield error(
                "no MessageGroupId",
                schedule.place,
                "a FIFO queue refuses a message without a group, so the schedule never sends anything",
                "give the schedule a group",
                "schedules",
            )
        elif not schedule.has_deduplication_id and not queue.is_deduplicated_by_content:
            yield error(
                "no MessageDeduplicationId, and the queue has no ContentBasedDeduplication",
                schedule.place,
                "a FIFO queue refuses the message, so the schedule never sends anything",
                "give the target a MessageDeduplicationId such as <aws.scheduler.execution-id>",
                "schedules",
            )
        elif not schedule.has_deduplication_id and (schedule.every_s or DEDUPLICATION_S) < DEDUPLICATION_S:
            yield error(
                f"every {length(schedule.every_s or 0)} with the same body",
                schedule.place,
                "SQS drops what has the body of a message of the last five minutes",
                "give the target a MessageDeduplicationId, or send every 5 minutes or less often",
                "schedules",
            )


@check("fifo-topics", "A FIFO queue hears FIFO topics only")
def fifo_topics(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or not queue.is_fifo:
        return
    for subscription in case.facts.subscriptions:
        if subscription.queue == queue.name and not subscription.topic.endswith(".fifo"):
            yield error(
                f"topic {subscription.topic.rpartition(':')[2]} is a standard one",
                subscription.place,
                "SNS refuses to subscribe a FIFO queue to a standard topic, and the deployment fails",
                "use a FIFO topic, or a queue of type standard",
                "topics",
            )


@check("fifo-throughput", "The FIFO queue is as fast as its tasks")
def fifo_throughput(case: Case) -> Iterator[Found]:
    queue, scaling = case.facts.queue, case.manifest.scaling if case.manifest else None
    if queue is None or not queue.is_fifo or queue.is_fast_fifo or scaling is None or case.facts.scaling is None:
        return
    jobs_a_second = case.facts.scaling.maximum * case.worker.slots / scaling.job
    if jobs_a_second > CALLS_A_SECOND * BATCH:
        yield warning(
            f"{case.facts.scaling.maximum} tasks: {jobs_a_second:,.0f} jobs/s, the queue: {CALLS_A_SECOND * BATCH:,}",
            f"{queue.place}.FifoThroughputLimit",
            "SQS throttles a FIFO queue at 300 calls a second, so more tasks cost money and do no more",
            "set queue.high_throughput to true, or scaling.max lower",
            "queue.high_throughput",
        )


@check("fifo-delay", "No retry keeps the rest of its group waiting for long")
def fifo_delay(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is None or not queue.is_fifo:
        return
    for job in case.worker.jobs or ():
        if job.backoff_ceiling_s > DEDUPLICATION_S:
            yield note(
                f"job {job.name}: backoff up to {length(job.backoff_ceiling_s)}",
                f"job {job.name}",
                "while a failed message of a group is hidden, SQS gives out no other of that group",
                f'write backoff=("1s", "1m") at {job.name}, unless the order is worth the wait',
            )
