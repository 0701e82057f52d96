"""The facts of what is deployed of one service.

Rules kept here and nowhere else:

1. Only reads.
2. Everything is found by the names that a deployment has, so that this works where no stack tells them (the local
   cloud), and on a service that was made by hand under those names. From the service on, what is live says itself
   which task definition, roles, queue and dead-letter queue it has.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from forebay.deploy.deployed.network import network
from forebay.deploy.deployed.reading import Reading
from forebay.deploy.deployed.roles import role
from forebay.deploy.doctor import attributes
from forebay.deploy.doctor.facts import Alarm, Facts, LogGroup, Queue, Scaling, Service, Task
from forebay.deploy.doctor.surroundings import alarm, policy
from forebay.deploy.policies import statements

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.live.where import Where
    from forebay.deploy.template.intrinsics import Json

METRICS = (
    "ApproximateAgeOfOldestMessage",
    "ApproximateAgeOfOldestMessageInQuietGroups",
    "ApproximateNumberOfMessagesVisible",
    "NumberOfMessagesSent",
)
"""Those that alarms of a worker's queues are about."""


def live_facts(where: Where, clients: Clients) -> Facts:
    """Return what is deployed of this service. Raises `DeployError` when nothing can be asked at all."""
    reading = Reading(clients)
    written = _service(reading, where.cluster, where.service)
    definition = _definition(reading, str(written["TaskDefinition"])) if written else {}
    task = attributes.task(definition, place=f"live {_last(definition.get('TaskDefinitionArn'))}")
    worked = _worked(task) or (where.queue or "").rpartition("/")[2]
    queue = _queue(reading, worked) if worked else None
    target = (queue[0].dead_letter_arn or "").rpartition(":")[2] if queue else ""
    dead = _queue(reading, target) if target else None
    queues = [one for one in (queue, dead) if one is not None]
    return Facts(
        origin="live",
        queue=queue[0] if queue else None,
        dead_letter=dead[0] if dead else None,
        task=task,
        task_role=role(reading, definition.get("TaskRoleArn")),
        execution_role=role(reading, definition.get("ExecutionRoleArn")),
        service=_with_state(written) if written else None,
        scaling=_scaling(reading, where.scalable),
        alarms=_alarms(reading, [one.name for one, _ in queues]),
        network=network(reading, written) if written else None,
        log_group=_log_group(reading, task),
        insights=_insights(reading, where.cluster) if written else None,
        depth={one.name: waiting for one, waiting in queues},
        unread=reading.unread,
    )


def _service(reading: Reading, cluster: str, name: str) -> Json:
    """Return the service in the spelling of templates; empty when there is none."""
    what = f"service {name} of cluster {cluster}"
    answer = reading.of("ecs", what, lambda: reading.clients.ecs.describe_services(cluster=cluster, services=[name]))
    for service in answer["services"] if answer else []:
        if service.get("status") != "INACTIVE":
            return cast("Json", attributes.in_templates_spelling(service))
    reading.unread.setdefault(what, "there is none")
    return {}


def _with_state(written: Json) -> Service:
    deployments = attributes.items(written.get("Deployments"))
    service = attributes.service(written, place=f"live service {written.get('ServiceName')}", is_live=True)
    return replace(
        service,
        cluster=_last(written.get("ClusterArn")),
        running=attributes.whole(written.get("RunningCount")),
        active_deployments=len(deployments),
    )


def _definition(reading: Reading, arn: str) -> Json:
    answer = reading.of(
        "ecs", f"task definition {_last(arn)}", lambda: reading.clients.ecs.describe_task_definition(taskDefinition=arn)
    )
    return cast("Json", attributes.in_templates_spelling(answer["taskDefinition"])) if answer else {}


def _worked(task: Task | None) -> str | None:
    """Return the name of the queue that the container is told to work."""
    for name in attributes.QUEUE_VARIABLES:
        urls = task.container.environment.get(name, "").split() if task is not None else []
        if urls and "${" not in urls[0]:
            return urls[0].rpartition("/")[2]
    return None


def _queue(reading: Reading, name: str) -> tuple[Queue, int] | None:
    """Return the queue, and how many messages wait in it."""

    def ask() -> dict[str, Any]:
        url = reading.clients.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        answer = reading.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return {str(key): value for key, value in answer["Attributes"].items()}

    found = reading.of("sqs", f"queue {name}", ask)
    if found is None:
        return None
    queue = attributes.queue(
        found,
        place=f"live queue {name}",
        name=name,
        arn=str(found.get("QueueArn", "")),
        policy=statements(attributes.document(found.get("Policy"))),
        is_kept=None,
    )
    return queue, attributes.whole(found.get("ApproximateNumberOfMessages")) or 0


def _scaling(reading: Reading, resource: str) -> Scaling | None:
    client = reading.clients.application_autoscaling
    targets = reading.of(
        "application_autoscaling",
        f"scaling of {resource}",
        lambda: client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"],
    )
    if not targets:
        return None
    policies = reading.of(
        "application_autoscaling",
        f"scaling policies of {resource}",
        lambda: client.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"],
    )
    return Scaling(
        place=f"live scaling of {resource}",
        minimum=targets[0]["MinCapacity"],
        maximum=targets[0]["MaxCapacity"],
        policies=tuple(policy(one, place=f"live policy {one['PolicyName']}") for one in policies or ()),
    )


def _alarms(reading: Reading, queues: list[str]) -> tuple[Alarm, ...] | None:
    """Return the alarms on these queues; None when they may not be read."""
    found: dict[str, Alarm] = {}
    for queue in queues:
        for metric in METRICS:
            ask = partial(
                reading.clients.cloudwatch.describe_alarms_for_metric,
                Namespace="AWS/SQS",
                MetricName=metric,
                Dimensions=[{"Name": "QueueName", "Value": queue}],
            )
            if (answer := reading.of("cloudwatch", f"alarms on {metric} of {queue}", ask)) is None:
                return None
            for one in answer["MetricAlarms"]:
                read = alarm(one, place=f"live alarm {one.get('AlarmName')}")
                if read is not None:
                    found[read.name] = read
    return tuple(found.values())


def _log_group(reading: Reading, task: Task | None) -> LogGroup | None:
    name = task.container.log_options.get("awslogs-group") if task else None
    if name is None:
        return None
    answer = reading.of(
        "logs",
        f"log group {name}",
        lambda: reading.clients.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"],
    )
    for group in answer or ():
        if group.get("logGroupName") == name:
            return LogGroup(place=f"live log group {name}", name=name, retention_days=group.get("retentionInDays"))
    return None


def _insights(reading: Reading, cluster: str) -> str | None:
    answer = reading.of(
        "ecs",
        f"cluster {cluster}",
        lambda: reading.clients.ecs.describe_clusters(clusters=[cluster], include=["SETTINGS"])["clusters"],
    )
    for found in answer or ():
        settings = found.get("settings", [])
        return next((one.get("value") for one in settings if one.get("name") == "containerInsights"), "disabled")
    return None


def _last(arn: object) -> str:
    return str(arn or "").rpartition("/")[2]
