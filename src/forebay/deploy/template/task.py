"""The task definition: one container that does jobs, with as little as it can do with. Pure.

Rules kept here and nowhere else:

1. The container is nobody: not root, no capabilities, no file of its image can be written. It has a place to write at
   `/tmp`, which is empty at the start. ECS Exec alone needs more, and whoever switches it on gives that up.
2. It is told to stop in time: its drain is shorter than what ECS waits before it kills.
3. The health check asks whether the worker lives, never whether SQS answers: ECS replaces what is unhealthy even while
   it is protected, and an outage must not kill the jobs that still run.
4. The log's mode is said. ECS's default changed once without a word in anyone's template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract, secrets
from forebay.deploy.template.intrinsics import Json, Piece, get_att, ref, resource

USER = "10001:10001"
SCRATCH = "scratch"
SCRATCH_PATH = "/tmp"  # noqa: S108  (a path in the container, where nobody else writes)
HEALTH = "127.0.0.1:8080"
ARCHITECTURES = {"x86_64": "X86_64", "arm64": "ARM64"}

RESERVE_S = 10.0
"""Between the end of the drain and the kill: messages are given back and the last lines are written."""

RESERVE_MIN_S = 5.0
"""What a short `stop_timeout` keeps of it at the least; `forebay doctor` refuses less."""

NOT_OURS_TO_SAY = ("queue", "dead_letter")
"""Settings of `run:` that the stack itself decides."""

HEALTH_CHECK = {
    "Command": ["CMD", "forebay", "health"],
    "Interval": 30,
    "Timeout": 15,
    # A task that is starved of CPU for minutes is not dead, and its jobs are not either.
    "Retries": 10,
    "StartPeriod": 120,
}


def drain_s(manifest: Manifest) -> float:
    """Return how long running attempts get: what the manifest says, else what fits before the kill."""
    if manifest.run.drain is not None:
        return manifest.run.drain
    reserve_s = min(RESERVE_S, max(RESERVE_MIN_S, manifest.stop_timeout / 3))
    return max(0.0, manifest.stop_timeout - reserve_s)


def variables(manifest: Manifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container's environment by name: the stack's, then the worker's settings, then the manifest's own."""
    settings: dict[str, Any] = {
        "FOREBAY_LOG": "json",
        "FOREBAY_DRAIN": _text(round(drain_s(manifest), 1)),
        "FOREBAY_HEALTH": HEALTH,
        "FOREBAY_ATTEMPTS": _text(manifest.queue.attempts),
    }
    for name, value in manifest.run.model_dump(exclude_none=True).items():
        if name not in NOT_OURS_TO_SAY:
            settings[f"FOREBAY_{name.upper()}"] = _text(value)
    own = {name: _text(value) for name, value in manifest.variables.items()}
    return {**given, **settings, **own}


def piece(manifest: Manifest, names: Names, given: Mapping[str, Any]) -> Piece:
    """Return the task definition; `given` is what other pieces put into the container's environment."""
    disk = {"EphemeralStorage": {"SizeInGiB": manifest.disk}} if manifest.disk else {}
    properties = {
        "Family": names.family,
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "Cpu": str(manifest.cpu),
        "Memory": str(manifest.memory),
        "RuntimePlatform": {"OperatingSystemFamily": "LINUX", "CpuArchitecture": ARCHITECTURES[manifest.architecture]},
        **disk,
        "ExecutionRoleArn": get_att(contract.EXECUTION_ROLE, "Arn"),
        "TaskRoleArn": get_att(contract.TASK_ROLE, "Arn"),
        "Volumes": [{"Name": SCRATCH}],
        "ContainerDefinitions": [_container(manifest, given)],
    }
    size = f"{manifest.cpu / 1024:g} vCPU, {manifest.memory:,} MiB"
    task = resource("AWS::ECS::TaskDefinition", f"What a task is: your image, {size}, its settings", properties)
    return Piece(resources={contract.TASK_DEFINITION: task})


def _container(manifest: Manifest, given: Mapping[str, Any]) -> Json:
    own = [{"Name": name, "ValueFrom": secrets.value_from(source)} for name, source in sorted(manifest.secrets.items())]
    return {
        "Name": contract.CONTAINER,
        "Image": ref(contract.IMAGE),
        "Command": ["run", manifest.handler] if manifest.handler else ["run"],
        "Essential": True,
        "User": USER,
        "ReadonlyRootFilesystem": not manifest.exec,
        "LinuxParameters": {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}},
        "MountPoints": [{"SourceVolume": SCRATCH, "ContainerPath": SCRATCH_PATH, "ReadOnly": False}],
        "StopTimeout": int(manifest.stop_timeout),
        "HealthCheck": dict(HEALTH_CHECK),
        "Environment": [{"Name": name, "Value": value} for name, value in variables(manifest, given).items()],
        **({"Secrets": own} if own else {}),
        "LogConfiguration": {"LogDriver": "awslogs", "Options": _log_options(manifest)},
    }


def _log_options(manifest: Manifest) -> Json:
    logs = manifest.logs
    buffer = {"max-buffer-size": f"{logs.buffer_mib}m"} if logs.mode == "non-blocking" else {}
    return {
        "awslogs-group": ref(contract.LOG_GROUP),
        "awslogs-region": ref("AWS::Region"),
        "awslogs-stream-prefix": contract.LOG_STREAM_PREFIX,
        "mode": logs.mode,
        **buffer,
    }


def _text(value: str | float | tuple[str, ...]) -> str:
    """Return a value as the environment has it; as `forebay run` and people write it, not as Python does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12g}"
    return " ".join(value) if isinstance(value, tuple) else str(value)
