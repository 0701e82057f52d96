"""The roles of a template against the calls that a worker really makes: each is allowed, and no other is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.golden import NAMES, loaded, template
from tests.deploy.recording import Recorder, actions_of
from tests.processes.harness import Agent, Sqs, free_port, running

from forebay.deploy.policies import Decision, Statement, decide, statements
from forebay.deploy.template import contract
from forebay.deploy.template.build import build
from forebay.deploy.template.resolving import Account, Resource, resolved

ACCOUNT = Account(region="eu-west-1", number="123456789012")
HERE = f"{ACCOUNT.region}:{ACCOUNT.number}"

APP = """
import asyncio

from forebay import Context, Reject, Worker

worker = Worker("thumbnails")


@worker.job
async def quick() -> None: ...


@worker.job
async def longer_than_its_lease() -> None:
    await asyncio.sleep(2.5)  # stands for work


@worker.job
async def rejected() -> None:
    raise Reject("it cannot be done")


@worker.job(attempts=2, backoff=("1s", "1s"))
async def failing() -> None:
    raise ValueError


@worker.job(attempts=2, backoff=("1s", "1s"), retry="resend")
async def counted_exactly() -> None:
    raise ValueError


@worker.job
async def sends_another() -> None:
    await quick.aenqueue()


@worker.job(timeout="10m")
async def goes_on_elsewhere(ctx: Context) -> None:
    while True:
        ctx.checkpoint({})
        await asyncio.sleep(0.05)  # stands for work
"""

JUSTIFIED: dict[str, str] = {
    "kms:Decrypt": "SQS opens messages for whoever receives them, with the receiver's permission",
    "kms:GenerateDataKey": "SQS closes messages for whoever sends them, with the sender's permission",
    "ssmmessages:CreateControlChannel": "the agent of ECS Exec, which runs in the task with its role",
    "ssmmessages:CreateDataChannel": "the agent of ECS Exec, which runs in the task with its role",
    "ssmmessages:OpenControlChannel": "the agent of ECS Exec, which runs in the task with its role",
    "ssmmessages:OpenDataChannel": "the agent of ECS Exec, which runs in the task with its role",
}
"""What a task role has beyond what a worker calls by itself, and why."""

OF_PAYLOADS = "s3:"
"""Actions of the user's code on the payload bucket, and of the sending side on whatever it sends."""


def resources(name: str) -> dict[str, Resource]:
    return resolved(template(name), ACCOUNT)


def granted(resource: Resource) -> tuple[Statement, ...]:
    """What the inline policies of a role say."""
    return tuple(one for policy in resource.properties["Policies"] for one in statements(policy["PolicyDocument"]))


def task_role(name: str) -> tuple[Statement, ...]:
    return granted(resources(name)[contract.TASK_ROLE])


def execution_role(name: str) -> tuple[Statement, ...]:
    return granted(resources(name)[contract.EXECUTION_ROLE])


def arn(action: str, queue: str) -> str:
    """The resource that a call is checked on."""
    return f"arn:aws:ecs:{HERE}:task/{queue}/0a1b2c" if action.startswith("ecs:") else f"arn:aws:sqs:{HERE}:{queue}"


@dataclass(frozen=True)
class Recorded:
    """Permission and resource of every call that workers have made."""

    calls: frozenset[tuple[str, str]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Run workers that do all that workers do, in the environment of the template's container."""
    folder, names = tmp_path_factory.mktemp("app"), loaded("tiny").names
    (folder / "shop.py").write_text(APP, encoding="utf-8")
    sqs, agent = Sqs(), Agent()
    recorder = Recorder(sqs)
    try:
        _work(sqs, agent, recorder, folder)
        protection = {(action, arn(action, names.cluster)) for action in actions_of(agent)}
        yield Recorded(frozenset(protection | {(action, arn(action, queue)) for action, queue in recorder.actions()}))
    finally:
        recorder.close()
        agent.close()
        sqs.close()


def _work(sqs: Sqs, agent: Agent, recorder: Recorder, folder: Path) -> None:
    names = loaded("tiny").names
    dead: str = sqs.client.create_queue(QueueName=names.dead_letter_queue)["QueueUrl"]
    policy = f'{{"deadLetterTargetArn": "{sqs.arn(dead)}", "maxReceiveCount": 15}}'
    queue: str = sqs.client.create_queue(QueueName=names.queue, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    told = environment()
    assert {name for name in told if "QUEUE" in name or "DEAD" in name} == {"FOREBAY_QUEUE_URL", "FOREBAY_DEAD_LETTER"}
    surroundings = {
        **told,
        "FOREBAY_QUEUE_URL": recorder.url(queue),
        "FOREBAY_DEAD_LETTER": recorder.url(dead),
        "FOREBAY_HEALTH": f"127.0.0.1:{free_port()}",
        "FOREBAY_VISIBILITY": "2",
        "FOREBAY_DRAIN": "1",
        "ECS_AGENT_URI": agent.uri,
    }
    for job in ("quick", "longer_than_its_lease", "rejected", "failing", "counted_exactly", "sends_another"):
        sqs.send(queue, {}, job=job)
    with running(recorder.service, [], target="shop", folder=folder, environment=surroundings) as worker:
        worker.wait_line("attempt.finished", job="quick", count=2)
        worker.wait_line("attempt.finished", job="longer_than_its_lease")
        worker.wait_line("message.buried", count=3)
        sqs.send(queue, {}, job="goes_on_elsewhere")
        worker.wait_line("attempt.started", job="goes_on_elsewhere")
        worker.signal()
        assert worker.wait() == 0
        assert worker.events("message.continued")
    surroundings["FOREBAY_PROTECT"] = "always"
    named = [names.queue]  # In place of its URL.
    with running(recorder.service, named, target="shop", folder=folder, environment=surroundings) as worker:
        worker.wait_line("attempt.started", job="goes_on_elsewhere")
        worker.signal()
        assert worker.wait() == 0
    sqs.client.purge_queue(QueueUrl=queue)
    with running(
        recorder.service, [], "--exit-when-empty", target="shop", folder=folder, environment=surroundings
    ) as worker:
        assert worker.wait() == 0


def environment() -> dict[str, str]:
    """The variables of the template's container."""
    (container,) = resources("tiny")[contract.TASK_DEFINITION].properties["ContainerDefinitions"]
    return {variable["Name"]: variable["Value"] for variable in container["Environment"]}


@pytest.mark.processes
@pytest.mark.slow
def test_a_worker_may_do_all_that_it_does(recorded: Recorded) -> None:
    role = task_role("tiny")

    refused = {call: decide(role, *call) for call in recorded.calls}

    assert {call: said for call, said in refused.items() if said is not Decision.ALLOWED} == {}


@pytest.mark.processes
@pytest.mark.slow
def test_a_worker_may_do_nothing_that_it_does_not_do(recorded: Recorded) -> None:
    role = task_role("tiny")

    allowed = _calls(role)

    patterns = {(action, resource.replace("/0a1b2c", "/*")) for action, resource in recorded.calls}
    assert allowed == patterns


def test_the_security_page_and_the_template_grant_the_same() -> None:
    """The page's statement is for a queue given by URL and jobs that are not sent again; its text has the rest."""
    page = (Path(__file__).resolve().parents[2] / "SECURITY.md").read_text(encoding="utf-8")
    block = re.search(r"```json\n(.+?)```", page, re.DOTALL)
    assert block is not None
    of_page = {_plain(call) for call in _calls(statements(json.loads(block[1])))}

    of_template = {_plain(call) for call in _calls(task_role("tiny"))}

    assert of_template - of_page == {("sqs:SendMessage", "queue"), ("sqs:GetQueueUrl", "queue")}
    assert of_page <= of_template


def _calls(policy: tuple[Statement, ...]) -> set[tuple[str, str]]:
    return {(action, resource) for one in policy for action in one.actions for resource in one.resources}


def _plain(call: tuple[str, str]) -> tuple[str, str]:
    action, resource = call
    return action, "tasks" if ":task/" in resource else "dead letters" if resource.endswith("-dead") else "queue"


@pytest.mark.parametrize("name", NAMES)
def test_every_further_permission_of_a_task_is_justified(name: str) -> None:
    """What the manifest asks for is the user's own; the rest is listed with its reason."""
    manifest = loaded(name).manifest
    asked = {action for permission in manifest.permissions for action in permission.actions}
    basis = {action for statement in task_role("tiny") for action in statement.actions}

    further = {action for statement in task_role(name) for action in statement.actions} - basis - asked

    assert {action for action in further if not action.startswith(OF_PAYLOADS)} <= set(JUSTIFIED)
    assert any(action.startswith(OF_PAYLOADS) for action in further) <= bool(manifest.payload_bucket)


@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey"])
def test_a_worker_may_use_the_key_of_its_queues(action: str) -> None:
    """SQS calls KMS with the worker's permissions, so no recording of the worker's own calls shows these."""
    key = f"arn:aws:kms:{HERE}:key/${{QueueKey}}"
    named = "arn:aws:kms:eu-west-1:210987654321:key/their-own"
    manifest, names = loaded("tiny").manifest, loaded("tiny").names
    queue = manifest.queue.model_copy(update={"encryption": named})
    whole = build(manifest.model_copy(update={"queue": queue}), names)

    assert decide(task_role("fifo_kms"), action, key) is Decision.ALLOWED
    assert decide(granted(resolved(whole, ACCOUNT)[contract.TASK_ROLE]), action, named) is Decision.ALLOWED
    assert decide(task_role("tiny"), action, key) is Decision.NOT_GRANTED


@pytest.mark.parametrize("verb", ["Create", "Open"])
@pytest.mark.parametrize("kind", ["Control", "Data"])
def test_the_agent_of_exec_has_its_channels_where_exec_is_on_and_nowhere_else(verb: str, kind: str) -> None:
    action = f"ssmmessages:{verb}{kind}Channel"

    assert decide(task_role("exec_secrets"), action, "*") is Decision.ALLOWED
    assert decide(task_role("tiny"), action, "*") is Decision.NOT_GRANTED


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{HERE}:thumbnails-test-dead"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{HERE}:thumbnails-production"),
        ("sqs:PurgeQueue", f"arn:aws:sqs:{HERE}:thumbnails-test"),
        ("sqs:DeleteQueue", f"arn:aws:sqs:{HERE}:thumbnails-test"),
        ("sqs:SetQueueAttributes", f"arn:aws:sqs:{HERE}:thumbnails-test"),
        ("ecs:UpdateTaskProtection", f"arn:aws:ecs:{HERE}:task/another/0a1b2c"),
        ("ecs:StopTask", f"arn:aws:ecs:{HERE}:task/thumbnails-test/0a1b2c"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT.number}:role/admin"),
        ("s3:GetObject", "arn:aws:s3:::anything/at-all"),
    ],
)
def test_a_task_may_not_do_what_is_none_of_its_business(action: str, resource: str) -> None:
    assert decide(task_role("tiny"), action, resource) is Decision.NOT_GRANTED


@pytest.mark.parametrize(
    ("name", "action", "resource"),
    [
        ("tiny", "ecr:GetAuthorizationToken", "*"),
        ("tiny", "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/thumbnails"),
        ("tiny", "ecr:GetDownloadUrlForLayer", f"arn:aws:ecr:{HERE}:repository/thumbnails"),
        ("tiny", "ecr:BatchCheckLayerAvailability", f"arn:aws:ecr:{HERE}:repository/thumbnails"),
        ("tiny", "logs:CreateLogStream", f"arn:aws:logs:{HERE}:log-group:/forebay/thumbnails-test:log-stream:a"),
        ("tiny", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/forebay/thumbnails-test:log-stream:a"),
        ("existing", "ecr:BatchGetImage", "arn:aws:ecr:eu-central-1:210987654321:repository/shop/thumbnails"),
        ("exec_secrets", "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/shop/database"),
        ("exec_secrets", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:shop-api-AbCdEf"),
        ("exec_secrets", "kms:Decrypt", f"arn:aws:kms:{HERE}:key/11111111-2222-3333-4444-555555555555"),
    ],
)
def test_ecs_may_do_what_starting_a_task_takes(name: str, action: str, resource: str) -> None:
    assert decide(execution_role(name), action, resource) is Decision.ALLOWED


@pytest.mark.parametrize(
    ("name", "action", "resource"),
    [
        ("tiny", "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/another"),
        ("tiny", "ecr:PutImage", f"arn:aws:ecr:{HERE}:repository/thumbnails"),
        ("existing", "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/thumbnails"),
        ("tiny", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/forebay/other-test:log-stream:a"),
        ("tiny", "logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:/forebay/thumbnails-test"),
        ("tiny", "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/shop/database"),
        ("exec_secrets", "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/shop/databases"),
        ("exec_secrets", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:shop-api-two-AbCdEf"),
        ("tiny", "sqs:ReceiveMessage", f"arn:aws:sqs:{HERE}:thumbnails-test"),
    ],
)
def test_ecs_may_do_nothing_else(name: str, action: str, resource: str) -> None:
    assert decide(execution_role(name), action, resource) is Decision.NOT_GRANTED


@pytest.mark.parametrize("role", [contract.TASK_ROLE, contract.EXECUTION_ROLE])
@pytest.mark.parametrize(
    ("account", "source", "said"),
    [
        (ACCOUNT.number, f"arn:aws:ecs:{HERE}:task/thumbnails-test/0a1b2c", Decision.ALLOWED),
        ("210987654321", f"arn:aws:ecs:{HERE}:task/thumbnails-test/0a1b2c", Decision.NOT_GRANTED),
        (ACCOUNT.number, "arn:aws:ecs:eu-west-1:210987654321:task/theirs/0a1b2c", Decision.NOT_GRANTED),
        (ACCOUNT.number, f"arn:aws:lambda:{HERE}:function:x", Decision.NOT_GRANTED),
    ],
)
def test_only_a_task_of_this_account_gets_a_role(role: str, account: str, source: str, said: Decision) -> None:
    trust = statements(resources("tiny")[role].properties["AssumeRolePolicyDocument"])

    assert [statement.principals for statement in trust] == [("Service:ecs-tasks.amazonaws.com",)]
    assert decide(trust, "sts:AssumeRole", "", {"aws:SourceAccount": account, "aws:SourceArn": source}) is said


def queue_policy(name: str) -> tuple[Statement, ...]:
    return statements(resources(name)[contract.QUEUE_POLICY].properties["PolicyDocument"])


def test_nobody_uses_a_queue_without_tls() -> None:
    for name in NAMES:
        for queue in (contract.QUEUE, contract.DEAD_LETTER_QUEUE):
            policy = statements(resources(name)[f"{queue}Policy"].properties["PolicyDocument"])
            address = f"arn:aws:sqs:{HERE}:{resources(name)[queue].properties['QueueName']}"

            assert decide(policy, "sqs:SendMessage", address, {"aws:SecureTransport": "false"}) is Decision.DENIED


def test_a_named_producer_may_send_and_do_nothing_else() -> None:
    policy = [
        one for one in queue_policy("fifo_kms") if one.principals == ("AWS:arn:aws:iam::210987654321:role/shop-api",)
    ]
    address, encrypted = f"arn:aws:sqs:{HERE}:ledger-test.fifo", {"aws:SecureTransport": "true"}

    assert decide(policy, "sqs:SendMessage", address, encrypted) is Decision.ALLOWED
    assert decide(policy, "sqs:ReceiveMessage", address, encrypted) is Decision.NOT_GRANTED


def test_a_named_producer_of_another_account_may_use_the_key() -> None:
    """Its own account's policies are not enough for a key of ours."""
    key: dict[str, Any] = resources("fifo_kms")[contract.QUEUE_KEY].properties["KeyPolicy"]
    own = [one for one in statements(key) if one.principals == ("AWS:arn:aws:iam::210987654321:role/shop-api",)]

    assert {action for one in own for action in one.actions} == {"kms:GenerateDataKey", "kms:Decrypt"}
