"""Whether somebody hears of trouble. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, length, note, warning
from forebay.deploy.doctor.facts import Alarm
from forebay.deploy.doctor.finding import Found

AGE = "ApproximateAgeOfOldestMessage"
"""A fair queue has `…InQuietGroups` besides, which is what an alarm on waiting is best about."""
DEPTH = "ApproximateNumberOfMessagesVisible"


@check("alarm-dead-letters", "An alarm rings for dead letters")
def alarm_dead_letters(case: Case) -> Iterator[Found]:
    dead = case.facts.dead_letter
    if dead is None or case.facts.alarms is None or any(_on(case, dead.name, DEPTH)):
        return
    if sent := next(_on(case, dead.name, "NumberOfMessagesSent"), None):
        yield warning(
            "alarm on NumberOfMessagesSent",
            sent.place,
            "SQS does not count what it moves by itself, so the alarm stays silent",
            f"use {DEPTH}",
        )
        return
    yield warning(
        f"no alarm on {DEPTH} of {dead.name}",
        dead.place,
        "jobs that failed for good lie there unseen until they are deleted",
        "set alarms.enabled to true",
        "alarms.enabled",
    )


@check("alarm-age", "An alarm rings when jobs wait too long")
def alarm_age(case: Case) -> Iterator[Found]:
    queue = case.facts.queue
    if queue is not None and case.facts.alarms is not None and not any(_on(case, queue.name, AGE)):
        yield warning(
            f"no alarm on {AGE} of {queue.name}",
            queue.place,
            "workers that are dead or too few are noticed by those who wait for their jobs",
            "set alarms.enabled to true",
            "alarms.enabled",
        )


@check("alarm-age-threshold", "The alarm on age can ring, and rings for trouble only")
def alarm_age_threshold(case: Case) -> Iterator[Found]:
    queue, scaling = case.facts.queue, case.manifest.scaling if case.manifest else None
    for alarm in _on(case, queue.name, AGE) if queue else ():
        if queue is None or alarm.threshold is None:
            continue
        if alarm.threshold >= queue.retention_s:
            yield error(
                f"threshold {length(alarm.threshold)}, retention {length(queue.retention_s)}",
                alarm.place,
                "SQS deletes messages before they are that old, so the alarm never rings",
                "set alarms.wait below queue.retention",
                "alarms.wait",
            )
        elif scaling is not None and alarm.threshold < scaling.latency:
            yield warning(
                f"threshold {length(alarm.threshold)}, scaling.latency {length(scaling.latency)}",
                alarm.place,
                "scaling lets jobs wait for longer than the alarm does, so it rings while all is well",
                f"set alarms.wait to {length(scaling.latency)} or more",
                "alarms.wait",
            )


@check("alarm-actions", "Alarms tell somebody")
def alarm_actions(case: Case) -> Iterator[Found]:
    alarms = case.facts.alarms
    if alarms is not None and len(alarms) > 0 and not any(alarm.actions for alarm in alarms):
        yield note(
            f"{len(alarms)} alarm{'s' if len(alarms) > 1 else ''} without an action",
            alarms[0].place,
            "they take a failed deployment back, and are seen in the console only",
            "set alarms.emails or alarms.notify",
            "alarms.emails",
        )


def _on(case: Case, queue: str, metric: str) -> Iterator[Alarm]:
    for alarm in case.facts.alarms or ():
        if any(name == queue and seen.startswith(metric) for name, seen in alarm.metrics):
            yield alarm
