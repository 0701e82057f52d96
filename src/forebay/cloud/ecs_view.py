"""What the local ECS API shows of services and tasks: the scheduler's records as the JSON that AWS SDKs parse.

Rules kept here and nowhere else:

1. Pure translation: records in, JSON out. Instants become seconds since 1970 by the function that is given.
2. A member that has no value is left out, as ECS does; nothing is made up for what does not exist here (networks,
   load balancers).
3. An exit by a signal shows as 128 plus its number, as container runtimes tell it.
4. Of a task's environment only the names are shown: on this machine it may hold what nobody meant to publish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forebay.cloud.ecs_names import Names
from forebay.rules.ecs_vocabulary import DeploymentRecord, ServicePlan, ServiceView, TaskRecord, TaskStatus

Json = dict[str, Any]
Timestamp = Callable[[float], float]

CONTAINER = "worker"
IMAGE = "worker:latest"
CPU, MEMORY_MIB = "256", "512"
PLATFORM = {"launchType": "FARGATE", "platformVersion": "1.4.0", "platformFamily": "Linux"}

_PENDING = (TaskStatus.PROVISIONING, TaskStatus.PENDING)
_HEALTH: Mapping[bool | None, str] = {None: "UNKNOWN", True: "HEALTHY", False: "UNHEALTHY"}


def service_json(view: ServiceView, *, created_at: float, names: Names, timestamp: Timestamp) -> Json:
    """Return a member of `services` of DescribeServices."""
    plan = view.plan
    return {
        "serviceArn": names.service(plan.name),
        "serviceName": plan.name,
        "clusterArn": names.cluster,
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": view.desired_count,
        "runningCount": view.running_count,
        "pendingCount": view.pending_count,
        **PLATFORM,
        "taskDefinition": names.task_definition(plan.family, _newest(view.deployments)),
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": plan.circuit_breaker, "rollback": plan.rolls_back},
            "maximumPercent": plan.maximum_percent,
            "minimumHealthyPercent": plan.minimum_healthy_percent,
            "strategy": "ROLLING",
        },
        "deployments": [
            _deployment_json(one, plan.family, names=names, timestamp=timestamp) for one in view.deployments
        ],
        "events": [
            {"id": event.event_id, "createdAt": timestamp(event.at), "message": event.message} for event in view.events
        ],
        "createdAt": timestamp(created_at),
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": int(plan.health_grace_s),
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "DISABLED",
    }


def _newest(deployments: Sequence[DeploymentRecord]) -> int:
    """Return the revision of the primary deployment."""
    return next((one.revision for one in deployments if one.status == "PRIMARY"), 1)


def _deployment_json(one: DeploymentRecord, family: str, *, names: Names, timestamp: Timestamp) -> Json:
    return {
        "id": one.deployment_id,
        "status": one.status.value,
        "taskDefinition": names.task_definition(family, one.revision),
        "desiredCount": one.desired_count,
        "pendingCount": one.pending_count,
        "runningCount": one.running_count,
        "failedTasks": one.failed_tasks,
        "createdAt": timestamp(one.created_at),
        "updatedAt": timestamp(one.updated_at),
        **PLATFORM,
        "rolloutState": one.rollout_state.value,
        "rolloutStateReason": one.rollout_reason,
    }


def task_json(task: TaskRecord, plan: ServicePlan, *, names: Names, timestamp: Timestamp) -> Json:
    """Return a member of `tasks` of DescribeTasks."""
    shown: Json = {
        "taskArn": names.task(task.task_id),
        "clusterArn": names.cluster,
        "taskDefinitionArn": names.task_definition(plan.family, task.revision),
        "containers": [_container_json(task, names)],
        "attachments": [],
        "attributes": [],
        "availabilityZone": "us-east-1a",
        "cpu": CPU,
        "memory": MEMORY_MIB,
        "createdAt": timestamp(task.created_at),
        "desiredStatus": task.desired_status.value,
        "lastStatus": task.status.value,
        "enableExecuteCommand": False,
        "group": f"service:{plan.name}",
        "healthStatus": _HEALTH[task.is_healthy],
        **PLATFORM,
        "overrides": {"containerOverrides": [{"name": CONTAINER}]},
        "startedBy": task.deployment_id,
        "tags": [],
    }
    instants = {
        "pullStartedAt": task.started_at,
        "pullStoppedAt": task.started_at,
        "connectivityAt": task.started_at,
        "startedAt": task.started_at,
        "stoppingAt": task.stopping_at,
        "executionStoppedAt": task.stopped_at,
        "stoppedAt": task.stopped_at,
    }
    shown |= {name: timestamp(at) for name, at in instants.items() if at is not None}
    if task.started_at is not None:
        shown["connectivity"] = "CONNECTED"
    if task.stop_code is not None:
        shown["stopCode"] = task.stop_code.value
    return shown | ({"stoppedReason": task.stopped_reason} if task.stopped_reason else {})


def _container_json(task: TaskRecord, names: Names) -> Json:
    has_run = task.started_at is not None
    status = "PENDING" if task.status in _PENDING else "RUNNING"
    if task.exit_code is not None or task.status is TaskStatus.STOPPED:
        status = "STOPPED"
    shown: Json = {
        "containerArn": names.container(task.task_id, CONTAINER),
        "taskArn": names.task(task.task_id),
        "name": CONTAINER,
        "image": IMAGE,
        "lastStatus": status,
        "networkBindings": [],
        "networkInterfaces": [],
        "healthStatus": _HEALTH[task.is_healthy],
        "cpu": "0",
    }
    if has_run:
        shown["runtimeId"] = task.task_id
    if task.exit_code is not None:
        shown["exitCode"] = task.exit_code if task.exit_code >= 0 else 128 - task.exit_code
    elif task.stop_code == "TaskFailedToStart":
        shown["reason"] = task.stopped_reason
    return shown


def cluster_json(views: Sequence[ServiceView], names: Names) -> Json:
    """Return a member of `clusters` of DescribeClusters."""
    return {
        "clusterArn": names.cluster,
        "clusterName": names.cluster_name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": sum(view.running_count for view in views),
        "pendingTasksCount": sum(view.pending_count for view in views),
        "activeServicesCount": len(views),
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [],
    }


def protection_json(arn: str, expires: float | None) -> Json:
    """Return a member of `protectedTasks`. `expires`: seconds since 1970."""
    shown: Json = {"taskArn": arn, "protectionEnabled": expires is not None}
    return shown if expires is None else {**shown, "expirationDate": expires}


def failure_json(arn: str, reason: str, detail: str | None = None) -> Json:
    """Return a member of `failures`."""
    return {"arn": arn, "reason": reason} | ({} if detail is None else {"detail": detail})


def task_definition_json(
    plan: ServicePlan,
    revision: int,
    *,
    arguments: Sequence[str],
    variables: Sequence[str],
    registered_at: float,
    names: Names,
    timestamp: Timestamp,
) -> Json:
    """Return `taskDefinition` of DescribeTaskDefinition."""
    return {
        "taskDefinitionArn": names.task_definition(plan.family, revision),
        "containerDefinitions": [
            {
                "name": CONTAINER,
                "image": IMAGE,
                "cpu": 0,
                "essential": True,
                "command": list(arguments),
                "environment": [{"name": name} for name in sorted(variables)],
                "mountPoints": [],
                "portMappings": [],
                "volumesFrom": [],
                "stopTimeout": int(plan.stop_timeout_s),
            }
        ],
        "family": plan.family,
        "networkMode": "awsvpc",
        "revision": revision,
        "volumes": [],
        "status": "ACTIVE",
        "requiresAttributes": [],
        "placementConstraints": [],
        "compatibilities": ["EC2", "FARGATE"],
        "requiresCompatibilities": ["FARGATE"],
        "cpu": CPU,
        "memory": MEMORY_MIB,
        "registeredAt": timestamp(registered_at),
    }
