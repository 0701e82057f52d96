"""What rings when the service needs a person, and which of it takes a deployment back. Pure.

Rules kept here and nowhere else:

1. Each alarm asks one question that an operator would ask, and its description says what to look at first. The page
   docs/operations.md has a section for each, with the same words.
2. An alarm that says nothing is quiet: a queue that sleeps has no figures (facts/sqs.md section 5), and that is no
   trouble.
3. A deployment is taken back by what a bad version does to jobs: they are buried, or they wait. Alarms that ring
   already when the deployment begins are passed over by ECS.
4. No composite alarm: three of five minutes, and the deployment's own alarms, leave no noise to suppress; and each
   costs as much as five others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import notices
from forebay.deploy.template.cluster import insights
from forebay.deploy.template.intrinsics import Json, Piece
from forebay.deploy.template.metrics import DAY_S, PERIOD_S, alarm, formula, of_queue, of_service, seen

OLDEST_MESSAGE = "OldestMessageAlarm"
DEAD_LETTERS = "DeadLettersAlarm"
IN_FLIGHT = "InFlightAlarm"
NO_PROGRESS = "NoProgressAlarm"
FEWER_TASKS = "FewerTasksAlarm"
SCHEDULES = "SchedulesAlarm"

IN_FLIGHT_MAX = 100_000
"""SQS hands out nothing more at 120,000, and says so only to those who poll shortly (facts/sqs.md section 2)."""

JOBS_WITHOUT_PROGRESS = 3
"""Long jobs make for long gaps between deletes: nothing is wrong before so many of them could have ended."""

FIRST_AID = {
    OLDEST_MESSAGE: "Messages wait longer than they should. Look first whether tasks run and jobs succeed (forebay "
    "status, forebay logs); if they do, more work comes than the tasks can do: raise the number of tasks.",
    DEAD_LETTERS: "Jobs failed for good and are in the dead-letter queue. Look first at the attribute forebay.error of "
    "one of them, which says why; once that is mended, send them back (Start DLQ redrive in the SQS console).",
    IN_FLIGHT: "SQS hands out no more than 120,000 messages at a time, and that is near. Look first for messages that "
    "are held and not worked: many retries with a long back-off, or a consumer that is none of yours.",
    NO_PROGRESS: "Messages wait and none is being finished. Look first whether tasks run at all (forebay status), then "
    "what they say (forebay logs): a lost permission, a dependency that is down, jobs that hang.",
    FEWER_TASKS: "Fewer tasks run than are wanted. Look first why tasks stop (forebay status): an image that cannot be "
    "fetched, a crash at the start, no Spot capacity, no way to ECR.",
    SCHEDULES: "A scheduled job could not be put on the queue. Look first whether queue, key and the role of the "
    "schedules are as the stack made them (forebay diff).",
}
"""Alarm → its description: what is wrong and what to do first."""


def rollback_alarms(manifest: Manifest) -> tuple[str, ...]:
    """Return the logical ids of the alarms that end a deployment."""
    return (OLDEST_MESSAGE, DEAD_LETTERS) if manifest.alarms.enabled else ()


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the alarms; none where the manifest switches them off."""
    if not manifest.alarms.enabled:
        return Piece()
    actions = notices.actions(manifest)
    resources = {
        OLDEST_MESSAGE: _oldest_message(manifest, names, actions),
        DEAD_LETTERS: _dead_letters(manifest, names, actions),
        IN_FLIGHT: _in_flight(names, actions),
        NO_PROGRESS: _no_progress(manifest, names, actions),
    }
    if insights(manifest) != "off":
        resources[FEWER_TASKS] = _fewer_tasks(manifest, names, actions)
    if manifest.schedules:
        resources[SCHEDULES] = _schedules(names, actions)
    return Piece(resources=resources, rollback_alarms=rollback_alarms(manifest))


def _oldest_message(manifest: Manifest, names: Names, actions: Sequence[Any]) -> Json:
    # In a fair queue the noisy group waits by design; the objective is kept for all others.
    is_fair = manifest.queue.type == "fair"
    metric = "ApproximateAgeOfOldestMessageInQuietGroups" if is_fair else "ApproximateAgeOfOldestMessage"
    return alarm(
        "Alarm: messages wait longer than they should",
        FIRST_AID[OLDEST_MESSAGE],
        of_queue(metric, names.queue),
        comparison=">",
        threshold=round(manifest.alarms.wait),
        periods=5,
        breaching=3,
        actions=actions,
    )


def _dead_letters(manifest: Manifest, names: Names, actions: Sequence[Any]) -> Json:
    return alarm(
        "Alarm: jobs are in the dead-letter queue",
        FIRST_AID[DEAD_LETTERS],
        # Not NumberOfMessagesSent, which does not count what SQS itself moves there.
        of_queue("ApproximateNumberOfMessagesVisible", names.dead_letter_queue),
        comparison=">=",
        threshold=manifest.alarms.dead_letters,
        periods=1,
        actions=actions,
    )


def _in_flight(names: Names, actions: Sequence[Any]) -> Json:
    return alarm(
        "Alarm: nearly as many messages are in flight as SQS allows",
        FIRST_AID[IN_FLIGHT],
        of_queue("ApproximateNumberOfMessagesNotVisible", names.queue),
        comparison=">",
        threshold=IN_FLIGHT_MAX,
        periods=3,
        actions=actions,
    )


def no_progress_minutes(manifest: Manifest) -> int:
    """Return for how many minutes nothing may be finished: what the manifest says, and time enough for long jobs."""
    job_s = manifest.scaling.job if manifest.scaling else 0.0
    return math.ceil(min(max(manifest.alarms.no_progress, JOBS_WITHOUT_PROGRESS * job_s), DAY_S) / PERIOD_S)


def _no_progress(manifest: Manifest, names: Names, actions: Sequence[Any]) -> Json:
    return alarm(
        "Alarm: messages wait and none is finished",
        FIRST_AID[NO_PROGRESS],
        [
            seen("visible", of_queue("ApproximateNumberOfMessagesVisible", names.queue), "Minimum", Period=PERIOD_S),
            seen("deleted_seen", of_queue("NumberOfMessagesDeleted", names.queue), "Sum", Period=PERIOD_S),
            formula("deleted", "FILL(deleted_seen, 0)"),
            formula("stuck", "IF(visible > 0 AND deleted < 1, 1, 0)", "Messages wait and none is finished"),
        ],
        comparison=">=",
        threshold=1,
        periods=no_progress_minutes(manifest),
        actions=actions,
    )


def _fewer_tasks(manifest: Manifest, names: Names, actions: Sequence[Any]) -> Json:
    return alarm(
        "Alarm: fewer tasks run than are wanted",
        FIRST_AID[FEWER_TASKS],
        [
            seen("desired", of_service("DesiredTaskCount", manifest, names), "Minimum", Period=PERIOD_S),
            seen("running", of_service("RunningTaskCount", manifest, names), "Maximum", Period=PERIOD_S),
            formula("missing", "desired - running", "Tasks that are wanted and do not run"),
        ],
        comparison=">",
        threshold=0,
        periods=10,
        actions=actions,
    )


def _schedules(names: Names, actions: Sequence[Any]) -> Json:
    dropped = {
        "Namespace": "AWS/Scheduler",
        "MetricName": "InvocationDroppedCount",
        "Dimensions": [{"Name": "ScheduleGroup", "Value": names.stack}],
    }
    return alarm(
        "Alarm: a scheduled job could not be put on the queue",
        FIRST_AID[SCHEDULES],
        dropped,
        comparison=">=",
        threshold=1,
        periods=1,
        statistic="Sum",
        actions=actions,
    )
