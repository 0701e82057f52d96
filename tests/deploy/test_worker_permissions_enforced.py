"""A real worker against moto's IAM with the actions of the template's task role, and with each of them taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest
from tests.deploy.enforced import actions_of, credentials
from tests.deploy.moto_server import REGION, MotoCloud
from tests.processes.harness import Sqs, WorkerProcess, running

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract
from forebay.deploy.template.build import build

pytestmark = [pytest.mark.processes, pytest.mark.slow]

NAMES = Names("jobs", "test")
TEMPLATE = build(Manifest(name="jobs"), NAMES)
ACTIONS = actions_of(TEMPLATE["Resources"][contract.TASK_ROLE])

OF_ECS = {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection"}
"""Called by the ECS agent in the task's name. Moto has neither the agent nor the calls."""

TOLD_AS: dict[str, tuple[str, str]] = {
    "sqs:ReceiveMessage": ("worker.stopped", "grant sqs:ReceiveMessage"),
    "sqs:DeleteMessage": ("permission.missing", "sqs:DeleteMessage"),
    "sqs:ChangeMessageVisibility": ("permission.missing", "sqs:ChangeMessageVisibility"),
    "sqs:SendMessage": ("message.parked", "the dead-letter queue does not take it"),
    "sqs:GetQueueAttributes": ("worker.note", "sqs:GetQueueAttributes"),
    "sqs:GetQueueUrl": ("worker.stopped", "grant sqs:GetQueueUrl"),
}
"""Action → the line of the worker that lacks it, and what stands in it."""


@pytest.fixture
def queue(moto_cloud: MotoCloud) -> str:
    """The queue of a deployment with a job that needs heartbeats and one that is buried."""
    sqs = moto_cloud.clients().sqs
    dead = sqs.create_queue(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "15"})
    url = sqs.create_queue(QueueName=NAMES.queue, Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    for body in ("2500", "no number"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return url


@contextmanager
def _worker(cloud: MotoCloud, queue: str, actions: frozenset[str]) -> Iterator[WorkerProcess]:
    """A worker that may do `actions`, and nothing else."""
    environment = {**credentials(cloud, "task", actions), "AWS_REGION": REGION}
    cloud.check_permissions()
    service = cast("Sqs", SimpleNamespace(endpoint=cloud.endpoint))  # All that a worker's process wants of it.
    with running(service, [queue], "--visibility", "6", "--drain", "1", environment=environment) as worker:
        yield worker


def test_with_the_actions_of_the_task_role_a_worker_lacks_nothing(moto_cloud: MotoCloud, queue: str) -> None:
    with _worker(moto_cloud, queue, ACTIONS) as worker:
        worker.wait_line("message.buried")
        worker.wait_line("attempt.finished", outcome="succeeded")
        worker.signal()
        status = worker.wait()

    assert {line["event"] for line in worker.lines} & {"permission.missing", "poll.failed", "worker.note"} == set()
    assert (worker.ledger["succeeded"], worker.ledger["buried"], status) == (1, 1, 0)


@pytest.mark.parametrize("action", sorted(TOLD_AS))
def test_without_one_action_of_the_task_role_the_worker_names_it(
    moto_cloud: MotoCloud, queue: str, action: str
) -> None:
    event, words = TOLD_AS[action]
    named = queue.rpartition("/")[2] if action == "sqs:GetQueueUrl" else queue

    with _worker(moto_cloud, named, ACTIONS - {action}) as worker:
        line = worker.wait_line(event)

    assert words in json.dumps(line)


def test_each_action_of_the_task_role_is_tried() -> None:
    assert set(TOLD_AS) | OF_ECS == ACTIONS
