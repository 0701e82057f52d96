"""The facts of a template: the queue, the task and all around them, found by how they refer to each other. Pure.

Rules kept here and nowhere else:

1. Resources are found by their types and by who refers to whom, never by their names: an edited template may have
   renamed every one.
2. The worked queue is the one that the container is told; else the first that is no dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forebay.deploy.doctor import attributes
from forebay.deploy.doctor.attributes import items, texts, whole
from forebay.deploy.doctor.facts import Facts, LogGroup, Queue, Role, Subscription, Task
from forebay.deploy.doctor.surroundings import alarm, network, of, scaling, schedule
from forebay.deploy.policies import Statement, statements
from forebay.deploy.template.resolving import Account, Resource, resolved

Resources = Mapping[str, Resource]


def facts(
    template: Mapping[str, Any], account: Account | None = None, parameters: Mapping[str, str] | None = None
) -> Facts:
    """Return what the template says. Raises `ManifestError` for functions whose arguments make no sense."""
    where = account or Account()
    resources = resolved(template, where, parameters)
    definition = next(iter(of(resources, "AWS::ECS::TaskDefinition")), None)
    task = attributes.task(definition.properties, place=definition.logical_id) if definition else None
    queues = list(_queues(resources, where))
    queue = _worked(queues, task)
    services = of(resources, "AWS::ECS::Service")
    alarms = (alarm(one.properties, place=one.logical_id) for one in of(resources, "AWS::CloudWatch::Alarm"))
    schedules = (schedule(one.properties, place=one.logical_id) for one in of(resources, "AWS::Scheduler::Schedule"))
    return Facts(
        origin="template",
        queue=queue,
        dead_letter=next((one for one in queues if queue and one.arn == queue.dead_letter_arn), None),
        task=task,
        task_role=_role(resources, definition, "TaskRoleArn"),
        execution_role=_role(resources, definition, "ExecutionRoleArn"),
        service=attributes.service(services[0].properties, place=services[0].logical_id) if services else None,
        scaling=scaling(resources),
        alarms=tuple(one for one in alarms if one is not None),
        network=network(resources),
        schedules=tuple(one for one in schedules if one is not None),
        subscriptions=tuple(_subscriptions(resources)),
        log_group=_log_group(resources, task),
        insights=_insights(resources),
    )


def _queues(resources: Resources, where: Account) -> Iterator[Queue]:
    for one in of(resources, "AWS::SQS::Queue"):
        name = str(one.properties.get("QueueName", f"${{{one.logical_id}}}"))
        yield attributes.queue(
            one.properties,
            place=one.logical_id,
            name=name,
            arn=f"arn:{where.partition}:sqs:{where.region}:{where.number}:{name}",
            policy=tuple(_queue_policy(resources, name)),
            is_kept=one.attributes.get("UpdateReplacePolicy") == "Retain",
        )


def _queue_policy(resources: Resources, name: str) -> Iterator[Statement]:
    for one in of(resources, "AWS::SQS::QueuePolicy"):
        if any(url.endswith(f"/{name}") for url in texts(one.properties.get("Queues"))):
            yield from statements(one.properties.get("PolicyDocument"))


def _worked(queues: list[Queue], task: Task | None) -> Queue | None:
    environment: Mapping[str, str] = task.container.environment if task else {}
    told = next((environment[name] for name in attributes.QUEUE_VARIABLES if environment.get(name)), "").split()
    targets = {queue.dead_letter_arn for queue in queues}
    named = [queue for url in told for queue in queues if url.rpartition("/")[2] == queue.name]
    return next(iter([*named, *(queue for queue in queues if queue.arn not in targets)]), None)


def _role(resources: Resources, definition: Resource | None, key: str) -> Role | None:
    arn = str(definition.properties.get(key, "")) if definition else ""
    for one in of(resources, "AWS::IAM::Role"):
        name = str(one.properties.get("RoleName", f"${{{one.logical_id}}}"))
        if arn.endswith(f":role/{name}"):
            return Role(
                place=one.logical_id,
                name=name,
                trust=statements(one.properties.get("AssumeRolePolicyDocument")),
                statements=tuple(_granted(resources, one, name)),
                is_whole=not one.properties.get("ManagedPolicyArns"),
            )
    return None


def _granted(resources: Resources, role: Resource, name: str) -> Iterator[Statement]:
    for inline in items(role.properties.get("Policies")):
        yield from statements(inline.get("PolicyDocument"))
    for other in of(resources, "AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
        if name in (*texts(other.properties.get("Roles")), other.properties.get("RoleName")):
            yield from statements(other.properties.get("PolicyDocument"))


def _subscriptions(resources: Resources) -> Iterator[Subscription]:
    for one in of(resources, "AWS::SNS::Subscription"):
        if one.properties.get("Protocol") == "sqs":
            queue = str(one.properties.get("Endpoint", "")).rpartition(":")[2]
            yield Subscription(place=one.logical_id, topic=str(one.properties.get("TopicArn", "")), queue=queue)


def _log_group(resources: Resources, task: Task | None) -> LogGroup | None:
    told = task.container.log_options.get("awslogs-group") if task else None
    for one in of(resources, "AWS::Logs::LogGroup"):
        name = str(one.properties.get("LogGroupName", f"${{{one.logical_id}}}"))
        if name == told:
            days = whole(one.properties.get("RetentionInDays"))
            return LogGroup(place=one.logical_id, name=name, retention_days=days)
    return None


def _insights(resources: Resources) -> str | None:
    for cluster in of(resources, "AWS::ECS::Cluster"):
        settings = items(cluster.properties.get("ClusterSettings"))
        return next((str(one.get("Value")) for one in settings if one.get("Name") == "containerInsights"), "disabled")
    return None
