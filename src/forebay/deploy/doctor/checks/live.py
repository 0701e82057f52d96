"""What is live against what the manifest says, and what can be seen of it only there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forebay.deploy.doctor.checking import Case, check, error, length, note, warning
from forebay.deploy.doctor.facts import Facts, Queue
from forebay.deploy.doctor.finding import Found

Properties = Mapping[str, tuple[str, str | None]]
"""Field of the facts → the property's name, and the manifest's key for it."""

_QUEUE: Properties = {
    "visibility_s": ("VisibilityTimeout", "queue.visibility"),
    "retention_s": ("MessageRetentionPeriod", "queue.retention"),
    "delay_s": ("DelaySeconds", "queue.delay"),
    "wait_s": ("ReceiveMessageWaitTimeSeconds", None),
    "is_deduplicated_by_content": ("ContentBasedDeduplication", "queue.content_based_deduplication"),
    "is_fast_fifo": ("FifoThroughputLimit", "queue.high_throughput"),
    "receive_count_max": ("maxReceiveCount", "queue.attempts"),
    "is_encrypted_by_sqs": ("SqsManagedSseEnabled", "queue.encryption"),
}
_SERVICE: Properties = {
    "minimum_percent": ("MinimumHealthyPercent", "deployment.minimum_percent"),
    "maximum_percent": ("MaximumPercent", "deployment.maximum_percent"),
    "breaks_circuit": ("DeploymentCircuitBreaker.Enable", "deployment.rollback"),
    "rebalances": ("AvailabilityZoneRebalancing", "deployment.zone_rebalancing"),
    "has_exec": ("EnableExecuteCommand", "exec"),
    "has_public_ip": ("AssignPublicIp", "network.egress"),
    "spot_weight": ("CapacityProviderStrategy: weight of FARGATE_SPOT", "spot.percent"),
}
_TASK: Properties = {"cpu": ("Cpu", "cpu"), "memory_mib": ("Memory", "memory")}
_CONTAINER: Properties = {
    "stop_timeout_s": ("StopTimeout", "stop_timeout"),
    "health": ("HealthCheck", None),
    "command": ("Command", "handler"),
    "user": ("User", None),
    "is_read_only": ("ReadonlyRootFilesystem", "exec"),
}
_SCALING: Properties = {"minimum": ("MinCapacity", "scaling.min"), "maximum": ("MaxCapacity", "scaling.max")}


@check("live-differs", "What is live is what the manifest says", scope="live")
def live_differs(case: Case) -> Iterator[Found]:
    for place, name, planned, live, key in _differences(case):
        yield warning(
            f"{name}: live {_told(live)}, manifest {_told(planned)}",
            place,
            "it was changed by hand, or the manifest has changed since: the next deployment sets what that says",
            "`forebay diff` shows all, `forebay deploy` makes it so; or write the live value into the manifest",
            key,
        )


@check("live-variables", "The live worker has the manifest's settings", scope="live")
def live_variables(case: Case) -> Iterator[Found]:
    live, planned = case.facts.task, case.planned.task if case.planned else None
    if live is None or planned is None:
        return
    before, after = live.container.environment, planned.container.environment
    for name in sorted(before.keys() | after.keys()):
        if _is_same(before.get(name), after.get(name)):
            continue
        # Only our own settings are shown: another variable's value may be a secret.
        ours = name.startswith("FOREBAY_")
        told = f": live {_told(before.get(name))}, manifest {_told(after.get(name))}" if ours else " differs"
        yield warning(
            f"{name}{told}",
            f"{live.container.place}.Environment",
            "the tasks that run have another setting than the manifest says",
            "`forebay deploy`",
            f"run.{name.removeprefix('FOREBAY_').lower()}" if ours else f"variables.{name}",
        )


@check("queue-replaced", "A deployment keeps the queue", scope="live")
def queue_replaced(case: Case) -> Iterator[Found]:
    live, planned = case.facts.queue, case.planned.queue if case.planned else None
    if live is None or planned is None or live.name == planned.name:
        return
    waiting = case.facts.depth.get(live.name, 0)
    yield error(
        f"live {live.name}, manifest {planned.name}; {waiting:,} messages wait",
        live.place,
        "CloudFormation makes a new queue: nobody works the old one any more, and producers still send to it",
        "keep name and queue.type as they are, or move the messages and tell the producers",
        "queue.type",
    )


@check("queue-waits", "Somebody works what waits", scope="live")
def queue_waits(case: Case) -> Iterator[Found]:
    queue, service = case.facts.queue, case.facts.service
    if queue is None or service is None or service.running != 0:
        return
    if waiting := case.facts.depth.get(queue.name, 0):
        yield warning(
            f"{waiting:,} messages wait, no task runs",
            service.place,
            "after a long silence SQS's metrics, and so the wake-up, are up to 15 minutes late; or tasks do not start",
            "`forebay scale 1` if it lasts, and `forebay status` for the reason",
        )


@check("dead-letters-wait", "No dead letters wait", scope="live")
def dead_letters_wait(case: Case) -> Iterator[Found]:
    dead = case.facts.dead_letter
    if dead is not None and (waiting := case.facts.depth.get(dead.name, 0)):
        yield warning(
            f"{waiting:,} message{'s' if waiting > 1 else ''} in {dead.name}",
            dead.place,
            f"jobs that failed for good are deleted by SQS {length(dead.retention_s)} after they were sent",
            "look why they failed, mend it, and move them back",
        )


@check("live-unread", "All that is live could be read", scope="live")
def live_unread(case: Case) -> Iterator[Found]:
    for what, why in case.facts.unread.items():
        yield note(
            what, what, f"not examined: {why}", "run doctor as somebody who may read it, or pass over what it would say"
        )


def _differences(case: Case) -> Iterator[tuple[str, str, Any, Any, str | None]]:
    """Yield (place, property, planned, live, key of the manifest) for everything that is not as planned."""
    live, planned = case.facts, case.planned
    if planned is None:
        return
    pairs: list[tuple[Any, Any, Properties]] = [
        (live.queue, planned.queue, _QUEUE),
        (live.dead_letter, planned.dead_letter, _QUEUE),
        (live.service, planned.service, _SERVICE),
        (live.task, planned.task, _TASK),
        (_container(live), _container(planned), _CONTAINER),
        (live.scaling, planned.scaling, _SCALING),
    ]
    for one, other, properties in pairs:
        # A queue of another name is another queue, which is told once and not property by property.
        if one is None or other is None or (isinstance(one, Queue) and one.name != other.name):
            continue
        for field, (name, key) in properties.items():
            before, after = getattr(one, field), getattr(other, field)
            if before is not None and before != after:
                yield f"{one.place}.{name}", name, after, before, key


def _is_same(live: str | None, planned: str | None) -> bool:
    """Return whether a variable is as planned. A queue is the same whatever address leads to its service."""
    if live == planned or (planned is not None and "${" in planned):
        return True
    urls = [value.rpartition("/") for value in (live or "", planned or "")]
    return all("://" in head for head, _, _ in urls) and urls[0][2] == urls[1][2]


def _container(facts: Facts) -> Any:
    return facts.task.container if facts.task else None


def _told(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.12g}"
        case tuple():
            return " ".join(map(str, value)) or "nothing"  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return str(value)
