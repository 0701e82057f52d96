"""Queue, service and container from their properties, in the spelling of templates. Pure.

Rules kept here and nowhere else:

1. What is left out has AWS's default.
2. SQS and CloudFormation name a queue's attributes alike, ECS and CloudFormation nearly so: `in_templates_spelling`
   bridges what is left, so that templates and live answers are read by the same code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from forebay.deploy.doctor.facts import Container, Queue, Service, Task
from forebay.deploy.policies import Statement
from forebay.deploy.template.intrinsics import Json

QUEUE_VARIABLES = ("FOREBAY_QUEUE_URL", "FOREBAY_QUEUE", "COPILOT_QUEUE_URI")
"""What a worker reads its queues from, the strongest first."""

_FREE_KEYS = ("options", "dockerLabels", "tags")
"""Members whose keys are not ECS's."""


def queue(
    attributes: Mapping[str, Any],
    *,
    place: str,
    name: str,
    arn: str,
    policy: tuple[Statement, ...],
    is_kept: bool | None,
) -> Queue:
    """Return a queue by its attributes."""
    redrive = document(attributes.get("RedrivePolicy"))
    allow = document(attributes.get("RedriveAllowPolicy"))
    key = attributes.get("KmsMasterKeyId")
    managed = attributes.get("SqsManagedSseEnabled")
    return Queue(
        place=place,
        name=name,
        arn=arn,
        is_fifo=flag(attributes.get("FifoQueue")) or name.endswith(".fifo"),
        visibility_s=number(attributes.get("VisibilityTimeout"), 30.0),
        retention_s=number(attributes.get("MessageRetentionPeriod"), 345_600.0),
        delay_s=number(attributes.get("DelaySeconds"), 0.0),
        wait_s=number(attributes.get("ReceiveMessageWaitTimeSeconds"), 0.0),
        is_deduplicated_by_content=flag(attributes.get("ContentBasedDeduplication")),
        is_fast_fifo=attributes.get("FifoThroughputLimit") == "perMessageGroupId",
        dead_letter_arn=str(redrive["deadLetterTargetArn"]) if redrive.get("deadLetterTargetArn") else None,
        receive_count_max=whole(redrive.get("maxReceiveCount")),
        allowed_sources=_allowed(allow),
        kms_key=str(key) if key else None,
        # Queues are encrypted by SQS unless told otherwise or given a key (facts/sqs.md section 8).
        is_encrypted_by_sqs=flag(managed) if managed is not None else not key,
        policy=policy,
        is_kept=is_kept,
    )


def _allowed(allow: Mapping[str, Any]) -> tuple[str, ...] | None:
    if allow.get("redrivePermission") == "denyAll":
        return ()
    return texts(allow.get("sourceQueueArns")) if allow.get("redrivePermission") == "byQueue" else None


def service(written: Mapping[str, Any], *, place: str, is_live: bool = False) -> Service:
    """Return a service by its properties. Its running tasks and deployments are the caller's to add.

    ECS tells all of a live service, so what an answer leaves out there is not known.
    """
    deployment = members(written.get("DeploymentConfiguration"))
    breaker = members(deployment.get("DeploymentCircuitBreaker"))
    weights = {
        str(one.get("CapacityProvider")): (whole(one.get("Weight")) or 0, whole(one.get("Base")) or 0)
        for one in items(written.get("CapacityProviderStrategy"))
    }
    on_demand = weights.get("FARGATE", (0, 0))
    network = members(members(written.get("NetworkConfiguration")).get("AwsvpcConfiguration"))
    return Service(
        place=place,
        cluster=str(written.get("Cluster", "default")).rpartition("/")[2],
        name=str(written.get("ServiceName", place)),
        desired=whole(written.get("DesiredCount")),
        minimum_percent=int(number(deployment.get("MinimumHealthyPercent"), 100)),
        maximum_percent=int(number(deployment.get("MaximumPercent"), 200)),
        breaks_circuit=None if is_live and not breaker else flag(breaker.get("Enable")),
        rolls_back=None if is_live and not breaker else flag(breaker.get("Rollback")),
        rebalances=None
        if is_live and "AvailabilityZoneRebalancing" not in written
        else written.get("AvailabilityZoneRebalancing", "ENABLED") == "ENABLED",
        has_exec=flag(written.get("EnableExecuteCommand")),
        platform=str(written.get("PlatformVersion", "LATEST")),
        spot_weight=weights.get("FARGATE_SPOT", (0, 0))[0],
        on_demand_weight=on_demand[0],
        on_demand_base=on_demand[1],
        has_public_ip=network.get("AssignPublicIp", "DISABLED") == "ENABLED" if network else None,
    )


def task(written: Mapping[str, Any], *, place: str) -> Task | None:
    """Return a task definition by its properties; None when it has no container."""
    containers = items(written.get("ContainerDefinitions"))
    if not containers:
        return None
    worker = next((one for one in containers if _is_told_a_queue(one)), containers[0])
    return Task(
        place=place,
        cpu=whole(written.get("Cpu")),
        memory_mib=whole(written.get("Memory")),
        container=_container(worker, place=f"{place}.{worker.get('Name', 'container')}"),
    )


def _is_told_a_queue(written: Json) -> bool:
    return any(one.get("Name") in QUEUE_VARIABLES for one in items(written.get("Environment")))


def _container(written: Json, *, place: str) -> Container:
    linux = members(written.get("LinuxParameters"))
    logging = members(written.get("LogConfiguration"))
    health = members(written.get("HealthCheck"))
    mounts = [
        str(one.get("ContainerPath")) for one in items(written.get("MountPoints")) if not flag(one.get("ReadOnly"))
    ]
    tmpfs = [str(one.get("ContainerPath")) for one in items(linux.get("Tmpfs"))]
    return Container(
        place=place,
        name=str(written.get("Name", "container")),
        image=str(written.get("Image", "")),
        entry_point=texts(written.get("EntryPoint")),
        command=texts(written.get("Command")),
        environment=dict(map(_variable, items(written.get("Environment")))),
        secrets={str(one.get("Name")): str(one.get("ValueFrom")) for one in items(written.get("Secrets"))},
        stop_timeout_s=number(written.get("StopTimeout"), 30.0),
        user=str(written["User"]) if written.get("User") else None,
        is_read_only=flag(written.get("ReadonlyRootFilesystem")),
        writable_paths=(*mounts, *tmpfs),
        dropped=texts(members(linux.get("Capabilities")).get("Drop")),
        is_privileged=flag(written.get("Privileged")),
        health=texts(health.get("Command")) if health else None,
        log_driver=str(logging["LogDriver"]) if logging.get("LogDriver") else None,
        log_options={key: str(value) for key, value in members(logging.get("Options")).items()},
        restarts=flag(members(written.get("RestartPolicy")).get("Enabled")),
    )


def _variable(written: Json) -> tuple[str, str]:
    """Return name and value. A local ECS keeps values to itself, so such a one is as unknown as a parameter's."""
    name = str(written.get("Name"))
    return name, str(written.get("Value", f"${{{name}}}"))


def in_templates_spelling(answer: Any) -> Any:
    """Return ECS's answer (`stopTimeout`) in the spelling of templates (`StopTimeout`)."""
    if isinstance(answer, list):
        several: list[Any] = answer  # pyright: ignore[reportUnknownVariableType]
        return [in_templates_spelling(one) for one in several]
    if not isinstance(answer, dict):
        return answer
    return {
        key[:1].upper() + key[1:]: value if key in _FREE_KEYS else in_templates_spelling(value)
        for key, value in cast("Json", answer).items()
    }


def document(written: Any) -> Mapping[str, Any]:
    """Return a queue's policy: a mapping in templates, JSON text in SQS's answers."""
    try:
        return members(json.loads(written) if isinstance(written, str) else written)
    except ValueError:  # No policy either, which is what a check then says of it.
        return {}


def members(written: Any) -> Json:
    return cast("Json", written) if isinstance(written, dict) else {}


def items(written: Any) -> list[Json]:
    found: list[Any] = written if isinstance(written, list) else []  # pyright: ignore[reportUnknownVariableType]
    return [members(one) for one in found]


def texts(written: Any) -> tuple[str, ...]:
    return tuple(map(str, cast("list[Any]", written))) if isinstance(written, list | tuple) else ()


def number(written: Any, default: float) -> float:
    """Return a number that may be written as text; the default for what is unknown before a deployment."""
    try:
        return default if written is None else float(written)
    except (ValueError, TypeError):
        return default


def whole(written: Any) -> int | None:
    return None if written is None or not str(written).isdigit() else int(written)


def flag(written: Any) -> bool:
    return str(written).lower() == "true"
