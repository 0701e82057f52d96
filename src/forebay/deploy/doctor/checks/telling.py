"""What the container is told, and what it tells: settings, variables, health and log. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forebay.deploy.doctor.attributes import QUEUE_VARIABLES
from forebay.deploy.doctor.checking import Case, check, error, note, warning
from forebay.deploy.doctor.facts import Container
from forebay.deploy.doctor.finding import Found

_SECRET = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?|DSN)$", re.I
)


NOT_SECRET = ("PWD", "OLDPWD")
"""A shell's folders."""


@check("settings-refused", "`forebay run` takes the settings that the container gets")
def settings_refused(case: Case) -> Iterator[Found]:
    if case.worker.refusal is not None:
        place = case.facts.task.container.place if case.facts.task else case.facts.origin
        yield error(
            case.worker.refusal,
            f"{place}.Environment",
            "the worker exits with status 2 at its start, and so does every task that replaces it",
            "mend the setting under run:",
            "run",
        )


@check("exit-when-empty", "A worker of a service stays when its queue is empty")
def exit_when_empty(case: Case) -> Iterator[Found]:
    if case.worker.exits_when_empty:
        source = case.worker.sources.get("exit-when-empty", "default")
        yield error(
            f"exit_when_empty true ({source})",
            f"exit_when_empty of the worker ({source})",
            "ECS starts another task for each that leaves, again and again while nothing waits, and a deployment with "
            "an empty queue fails at its circuit breaker",
            "leave run.exit_when_empty out; scaling.min: 0 is how a service rests",
            "run.exit_when_empty",
        )


@check("handler-unread", "The handler can be imported here, so that its jobs are examined", scope="template")
def handler_unread(case: Case) -> Iterator[Found]:
    if case.worker.unread is not None:
        yield note(
            case.worker.unread,
            "handler",
            "what depends on the jobs is not examined: their timeouts, attempts, back-off and memory",
            "run doctor where the handler's imports are installed",
            "handler",
        )


@check("queue-unnamed", "The container is told its queue")
def queue_unnamed(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None or case.worker.queues:
        return
    if not any(name in container.secrets for name in QUEUE_VARIABLES):
        yield error(
            "no FOREBAY_QUEUE_URL",
            f"{container.place}.Environment",
            "the worker looks for a queue of its own name, or exits with status 2",
            "set FOREBAY_QUEUE_URL to the queue's URL",
        )


@check("health-readiness", "The health check asks whether the worker lives, not whether SQS answers")
def health_readiness(case: Case) -> Iterator[Found]:
    container = _container(case)
    words = " ".join(container.health or ()) if container else ""
    if container is not None and ("--ready" in words or "/ready" in words):
        yield error(
            f"HealthCheck {words}",
            f"{container.place}.HealthCheck",
            "ECS replaces unhealthy tasks even while they are protected, so an outage of SQS kills every running job",
            "use `forebay health` without --ready",
        )


@check("health-shell", "The health check needs no shell")
def health_shell(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is not None and (container.health or ())[:1] == ("CMD-SHELL",):
        yield warning(
            "HealthCheck CMD-SHELL",
            f"{container.place}.HealthCheck",
            "an image without a shell never gets healthy, and ECS replaces its tasks for ever",
            'write ["CMD", "forebay", "health"]',
        )


@check("health-address", "The worker serves what its health check asks")
def health_address(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None or container.health is None:
        return
    if "forebay" in " ".join(container.health) and case.worker.health is None:
        yield error(
            "HealthCheck forebay health, FOREBAY_HEALTH not set",
            f"{container.place}.HealthCheck",
            "the worker serves no health page, so ECS finds every task unhealthy and replaces it",
            "set FOREBAY_HEALTH to 127.0.0.1:8080",
            "run.health",
        )


@check("health-missing", "ECS notices a worker that hangs")
def health_missing(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is not None and container.health is None:
        yield note(
            "no HealthCheck",
            f"{container.place}.HealthCheck",
            "a worker whose control loop hangs stays in the service until somebody sees that its queue grows",
            'add ["CMD", "forebay", "health"] with generous retries',
        )


@check("log-mode", "The log's mode is said")
def log_mode(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None or container.log_driver != "awslogs":
        return
    mode = container.log_options.get("mode")
    if mode is None:
        yield warning(
            "awslogs without mode",
            f"{container.place}.LogConfiguration",
            "ECS's default is non-blocking with a small buffer since June 2025: lines are dropped without a word",
            "set logs.mode, and logs.buffer_mib with it",
            "logs.mode",
        )
    elif mode == "blocking":
        yield warning(
            "awslogs mode blocking",
            f"{container.place}.LogConfiguration",
            "while CloudWatch Logs does not answer, every print of your jobs waits; heartbeats go on",
            "set logs.mode to non-blocking",
            "logs.mode",
        )


@check("log-retention", "Logs end some day")
def log_retention(case: Case) -> Iterator[Found]:
    group = case.facts.log_group
    if group is not None and group.retention_days is None:
        yield warning(
            "no RetentionInDays",
            f"{group.place}.RetentionInDays",
            "CloudWatch keeps and bills every line for ever",
            "set logs.retention_days",
            "logs.retention_days",
        )


@check("secret-variables", "Secrets are no plain variables")
def secret_variables(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None:
        return
    for name, value in container.environment.items():
        if _SECRET.search(name) and name not in NOT_SECRET and _may_be_secret(value):
            yield warning(
                f"{name} in Environment",
                f"{container.place}.Environment",
                "everybody who may read the task definition reads its value, also in the console and in old revisions",
                f"put it into SSM or Secrets Manager and name it under secrets: {name}: /path",
                f"variables.{name}",
            )


def _may_be_secret(value: str) -> bool:
    return bool(value) and "${" not in value and not value.isdigit() and value not in ("true", "false")


def _container(case: Case) -> Container | None:
    return case.facts.task.container if case.facts.task else None
