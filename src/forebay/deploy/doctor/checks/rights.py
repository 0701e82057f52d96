"""Whether the roles allow what a worker and its start need, and no more. Pure.

Rules kept here and nowhere else:

1. What the task role and the queue's policy allow is added up, as IAM does within one account.
2. A role with policies that could not be read is not blamed for what may stand in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forebay.deploy.doctor.checking import Case, check, error, warning
from forebay.deploy.doctor.facts import Queue, Role
from forebay.deploy.doctor.finding import Found
from forebay.deploy.policies import Decision, decide

NEEDED = {
    "sqs:ReceiveMessage": "the worker gets no job",
    "sqs:DeleteMessage": "a job that is done comes back, and is done again and again",
    "sqs:ChangeMessageVisibility": "no heartbeat: a job is hidden for the longest timeout, after a crash too",
}
WANTED = {
    "sqs:GetQueueAttributes": "the worker does not know the queue's dead-letter queue, nor whether the queue is empty",
    "sqs:SendMessage": "checkpoints and exact retries (resend) cannot be sent, and failed attempts are counted by SQS",
}
PROTECTION = ("ecs:UpdateTaskProtection", "ecs:GetTaskProtection")
SESSIONS = tuple(f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data"))
_TLS = {"aws:SecureTransport": "true"}


@check("permission-queue", "The task role allows what a worker does with its queue")
def permission_queue(case: Case) -> Iterator[Found]:
    role, queue = case.facts.task_role, case.facts.queue
    if queue is None:
        return
    if role is None:
        if case.facts.task is not None and case.facts.origin == "template":
            yield error(
                "no TaskRoleArn",
                f"{case.facts.task.place}.TaskRoleArn",
                "the worker has no credentials in its container, and exits with status 1",
                "give the task definition a task role",
            )
        return
    for needed, tell in ((NEEDED, error), (WANTED, warning)):
        for action, why in needed.items():
            if (decision := _decision(role, queue, action)) in (Decision.DENIED, Decision.NOT_GRANTED):
                yield tell(
                    f"{action} {decision} on {queue.name}",
                    role.place,
                    why,
                    f"allow {action} on {queue.arn}",
                    "permissions",
                )


@check("permission-dead-letter", "The task role may bury jobs")
def permission_dead_letter(case: Case) -> Iterator[Found]:
    role, dead = case.facts.task_role, case.facts.dead_letter
    if role is None or dead is None:
        return
    if (decision := _decision(role, dead, "sqs:SendMessage")) in (Decision.DENIED, Decision.NOT_GRANTED):
        yield error(
            f"sqs:SendMessage {decision} on {dead.name}",
            role.place,
            "a rejected job cannot be buried with its reason: it comes back until SQS itself moves it",
            f"allow sqs:SendMessage on {dead.arn}",
            "permissions",
        )


@check("permission-protection", "The task role may protect its task")
def permission_protection(case: Case) -> Iterator[Found]:
    role, service, queue = case.facts.task_role, case.facts.service, case.facts.queue
    if role is None or service is None or queue is None or case.worker.protect == "never":
        return
    task = f"{_place_of(queue, 'ecs')}:task/{service.cluster}/0123456789abcdef0123456789abcdef"
    missing = [action for action in PROTECTION if _not_granted(role, [action], task)]
    if missing:
        yield error(
            f"{' and '.join(missing)} not granted on task/{service.cluster}/*",
            role.place,
            "ECS refuses protection, so deployments and scale-ins interrupt long jobs",
            f"allow both on {task.rpartition('/')[0]}/*, or set run.protect to never",
            "permissions",
        )


@check("protection-scope", "The task role protects tasks of its own cluster only")
def protection_scope(case: Case) -> Iterator[Found]:
    role = case.facts.task_role
    for statement in role.statements if role else ():
        if statement.is_allow and statement.names(PROTECTION[0]) and "*" in statement.resources:
            yield warning(
                f"{PROTECTION[0]} on *",
                role.place if role else "",
                "a job that is tricked can protect any task of the account, and so hold up any deployment",
                "name arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/*",
            )


@check("permission-key", "The task role may use the queue's key")
def permission_key(case: Case) -> Iterator[Found]:
    role = case.facts.task_role
    both = (case.facts.dead_letter, case.facts.queue)  # With one key for both, the queue is named.
    keys = {queue.kms_key: queue for queue in both if queue and queue.kms_key}
    for key, queue in keys.items():
        # An alias says nothing of the key's ARN, and AWS's own key needs no statement in this account.
        if role is None or "alias/" in key:
            continue
        arn = key if key.startswith("arn:") else f"{_place_of(queue, 'kms')}:key/{key}"
        missing = [action for action in ("kms:Decrypt", "kms:GenerateDataKey") if _not_granted(role, [action], arn)]
        if missing:
            yield error(
                f"{' and '.join(missing)} not granted on the key of {queue.name}",
                role.place,
                "SQS refuses every receive"
                if "kms:Decrypt" in missing
                else "SQS refuses what the worker sends: burials",
                f"allow {' and '.join(missing)} on {arn}",
                "permissions",
            )


@check("permission-start", "The execution role may start the task")
def permission_start(case: Case) -> Iterator[Found]:
    role, task, queue = case.facts.execution_role, case.facts.task, case.facts.queue
    if role is None or task is None or queue is None:
        return
    group = task.container.log_options.get("awslogs-group", "")
    stream = f"{_place_of(queue, 'logs')}:log-group:{group}:log-stream:forebay/worker/0"
    wanted: list[tuple[tuple[str, ...], str]] = []
    if task.container.log_driver == "awslogs":
        wanted.append((("logs:CreateLogStream", "logs:PutLogEvents"), stream))
    for source in task.container.secrets.values():
        is_secret = ":secretsmanager:" in source
        arn = source if source.startswith("arn:") else f"{_place_of(queue, 'ssm')}:parameter/{source.lstrip('/')}"
        # A secret may be named with a key of its JSON behind it, which is no part of the ARN.
        arn = ":".join(arn.split(":")[:7])
        wanted.append((("secretsmanager:GetSecretValue" if is_secret else "ssm:GetParameters",), arn))
    for actions, resource in wanted:
        if _not_granted(role, actions, resource):
            yield error(
                f"{' or '.join(actions)} not granted on {resource.rpartition(':')[2]}",
                role.place,
                "no task starts: ECS says ResourceInitializationError, and tries again",
                f"allow {' and '.join(actions)} on {resource}",
            )


@check("permission-exec", "ECS Exec has its permissions")
def permission_exec(case: Case) -> Iterator[Found]:
    role, service = case.facts.task_role, case.facts.service
    if role is None or service is None or not service.has_exec:
        return
    missing = [action for action in SESSIONS if _not_granted(role, [action], "*")]
    if missing:
        yield error(
            f"{', '.join(missing)} not granted",
            role.place,
            "the agent of ECS Exec cannot reach SSM, so no session opens",
            f"allow {', '.join(missing)} on *, or set exec to false",
            "exec",
        )


@check("role-wildcards", "The task role names its actions")
def role_wildcards(case: Case) -> Iterator[Found]:
    role = case.facts.task_role
    for statement in role.statements if role else ():
        wide = [action for action in statement.actions if action == "*" or action.endswith(":*")]
        if role is not None and statement.is_allow and (wide or statement.not_actions):
            yield warning(
                f"{', '.join(wide) or 'NotAction'} on {', '.join(statement.resources)}",
                role.place,
                "whoever gets into a job may do all of that: delete the queue, or read what is not its own",
                "name the actions that your code calls",
                "permissions",
            )


@check("role-trust", "Only ECS in this account may take the roles")
def role_trust(case: Case) -> Iterator[Found]:
    for role in (case.facts.task_role, case.facts.execution_role):
        for statement in role.trust if role else ():
            is_for_ecs = statement.is_allow and "Service:ecs-tasks.amazonaws.com" in statement.principals
            if (
                role is not None
                and is_for_ecs
                and not {"aws:sourceaccount", "aws:sourcearn"} & statement.condition_keys()
            ):
                yield warning(
                    "trust without aws:SourceAccount or aws:SourceArn",
                    role.place,
                    "ECS could be made to use the role for somebody else's task (the confused deputy)",
                    "add StringEquals aws:SourceAccount and ArnLike aws:SourceArn to the trust policy",
                )


def _decision(role: Role, queue: Queue, action: str) -> Decision:
    """Return what role and queue policy together say to the worker's call; ALLOWED where that is not known."""
    own = decide(role.statements, action, queue.arn, _TLS)
    for_all = [one for one in queue.policy if not one.is_allow and "AWS:*" in one.principals]
    if Decision.DENIED in (own, decide(for_all, action, queue.arn, _TLS)):
        return Decision.DENIED
    for_role = [one for one in queue.policy if any(who.endswith(f":role/{role.name}") for who in one.principals)]
    by_queue = decide(for_role, action, queue.arn, _TLS)
    if Decision.ALLOWED in (own, by_queue) or Decision.CONDITIONAL in (own, by_queue) or not role.is_whole:
        return Decision.ALLOWED
    return by_queue


def _not_granted(role: Role, actions: Sequence[str], resource: str) -> bool:
    decisions = [decide(role.statements, action, resource) for action in actions]
    return Decision.DENIED in decisions or (role.is_whole and Decision.NOT_GRANTED in decisions)


def _place_of(queue: Queue, service: str) -> str:
    """Return `arn:aws:ecs:eu-west-1:123456789012`: where the queue is, for another service."""
    partition, _, region, account = queue.arn.split(":")[1:5]
    return f"arn:{partition}:{service}:{region}:{account}"
