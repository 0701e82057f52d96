"""How the number of tasks follows the queue. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, length, note, warning
from forebay.deploy.doctor.facts import Policy
from forebay.deploy.doctor.finding import Found

REACTION_S = 240.0
"""Metric, three datapoints of a minute, and the start of a task: 4 to 7 min (facts/scaling.md section 2)."""

INSIGHTS = "ECS/ContainerInsights"
IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
VISIBLE = "ApproximateNumberOfMessagesVisible"


@check("scaling-from-zero", "A service that scales to zero wakes up")
def scaling_from_zero(case: Case) -> Iterator[Found]:
    scaling = case.facts.scaling
    if scaling is not None and scaling.minimum == 0 and not any(one.adds_from_zero for one in scaling.policies):
        yield error(
            "MinCapacity 0, no step policy that adds a task",
            scaling.place,
            "a backlog per task cannot be computed without tasks, so no alarm rings and jobs wait for ever",
            "add a step policy on waiting messages, or set scaling.min to 1",
            "scaling.min",
        )


@check("queue-asleep", "Jobs that come after a long silence need not wait")
def queue_asleep(case: Case) -> Iterator[Found]:
    scaling, queue = case.facts.scaling, case.facts.queue
    if scaling is not None and scaling.minimum == 0 and queue is not None:
        yield note(
            "MinCapacity 0",
            scaling.place,
            "SQS stops its metrics when nobody touches the queue for six hours: the first job after that waits up to "
            "15 minutes for a task",
            "set scaling.min to 1, or let something ask for the queue's attributes every few hours",
            "scaling.min",
        )


@check("scaling-in-flight", "Jobs that run count as work")
def scaling_in_flight(case: Case) -> Iterator[Found]:
    for policy in _tracking(case):
        names = {metric for _, metric in policy.metrics}
        if VISIBLE in names and IN_FLIGHT not in names:
            yield warning(
                f"{VISIBLE} without {IN_FLIGHT}",
                policy.place,
                "ten busy tasks with nothing waiting look idle, so the service is scaled in under load",
                f"add {IN_FLIGHT} to the backlog",
            )


@check("scaling-division", "A metric is there with no tasks too")
def scaling_division(case: Case) -> Iterator[Found]:
    for policy in _tracking(case):
        for expression in policy.expressions:
            if "/" in expression and not re.search(r"\b(IF|FILL|MAX)\s*\(", expression):
                yield warning(
                    f"expression {expression}",
                    policy.place,
                    "with no running task it divides by nothing: there is no datapoint, and scaling stops in both ways",
                    "write IF(FILL(running, 0) > 0, backlog / running, backlog)",
                )


@check("insights-off", "The metrics of the scaling law exist")
def insights_off(case: Case) -> Iterator[Found]:
    if case.facts.insights != "disabled":
        return
    for place, names in _of_insights(case):
        yield error(
            f"{names} with Container Insights disabled",
            place,
            "the metric has no data, so the service is never scaled",
            _switch_insights_on(case),
            "cluster" if _shared_cluster(case) else "insights",
        )


@check("insights-unknown", "A cluster that exists has Container Insights", scope="template")
def insights_unknown(case: Case) -> Iterator[Found]:
    if (cluster := _shared_cluster(case)) is None or case.facts.insights is not None:
        return
    for place, names in _of_insights(case):
        yield note(
            f"{names} of cluster {cluster}, which is not in the template",
            place,
            "without Container Insights on that cluster the metric has no data, and the service is never scaled",
            f"look with `forebay doctor --live`; {_switch_insights_on(case)}",
            "cluster",
        )


@check("scaling-target", "One waiting job for each task is enough to start another")
def scaling_target(case: Case) -> Iterator[Found]:
    for policy in _tracking(case):
        names = {metric for _, metric in policy.metrics}
        if policy.target is None or policy.target > 1 or VISIBLE not in names:
            continue
        yield warning(
            f"TargetValue {policy.target:g}",
            policy.place,
            "its alarm rings above the target only: with one waiting job for each task nothing happens"
            if policy.target == 1
            else "a job takes longer than jobs may wait, so each waiting job asks for several tasks",
            "choose a longer wait: backlog per task = wait × slots ÷ job",
            "scaling.latency",
        )


@check("scaling-cpu", "The queue decides how many tasks there are")
def scaling_cpu(case: Case) -> Iterator[Found]:
    for policy in _tracking(case):
        if policy.predefined is not None:
            yield warning(
                policy.predefined,
                policy.place,
                "workers that wait for a network use little CPU: a full queue adds no tasks, and busy ones are stopped",
                "scale by the backlog of each task",
                "scaling",
            )


@check("scaling-reaction", "Jobs may wait as long as scaling out takes")
def scaling_reaction(case: Case) -> Iterator[Found]:
    wanted = case.manifest.scaling if case.manifest else None
    if wanted is None or case.facts.scaling is None or wanted.latency >= REACTION_S:
        return
    yield note(
        f"latency {length(wanted.latency)}",
        case.facts.scaling.place,
        "AWS's target tracking needs 4 to 7 minutes from the first waiting job to a further task: a burst waits longer "
        "than this unless enough tasks run already",
        "set scaling.min to what a burst needs",
        "scaling.latency",
    )


@check("desired-count", "Either the template or the scaling says how many tasks there are", scope="template")
def desired_count(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is not None and case.facts.scaling is not None and service.desired is not None:
        yield error(
            f"DesiredCount {service.desired} with a scalable target",
            f"{service.place}.DesiredCount",
            "each deployment sets the service back to that number, whatever waits in the queue",
            "leave DesiredCount out",
        )


@check("tasks-none", "Somebody works the queue")
def tasks_none(case: Case) -> Iterator[Found]:
    service, scaling = case.facts.service, case.facts.scaling
    if service is not None and scaling is None and service.desired == 0:
        yield note(
            "DesiredCount 0",
            f"{service.place}.DesiredCount",
            "jobs wait until somebody scales the service",
            "`forebay scale N`",
            "count",
        )


def _of_insights(case: Case) -> Iterator[tuple[str, str]]:
    """Yield the policies that need Container Insights: their places, and the metrics as text."""
    for policy in _tracking(case):
        names = sorted({metric for namespace, metric in policy.metrics if namespace == INSIGHTS})
        if names:
            yield policy.place, ", ".join(names)


def _shared_cluster(case: Case) -> str | None:
    return case.manifest.cluster if case.manifest else None


def _switch_insights_on(case: Case) -> str:
    if (cluster := _shared_cluster(case)) is None:
        return "set insights to on"
    return f"`aws ecs update-cluster-settings --cluster {cluster} --settings name=containerInsights,value=enabled`"


def _tracking(case: Case) -> Iterator[Policy]:
    if case.facts.scaling is not None:
        yield from (one for one in case.facts.scaling.policies if one.kind == "TargetTrackingScaling")
