"""A local cloud for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.deploy.moto_server import MotoCloud, running_moto

from forebay.cloud.background import InThread
from forebay.cloud.ecs_agent import EcsAgent
from forebay.cloud.sqs_server import SqsServer


@dataclass
class Cloud:
    """A running SQS with one queue, and an ECS agent."""

    sqs: InThread[SqsServer]
    agent: InThread[EcsAgent]
    queue_url: str

    @property
    def env(self) -> Mapping[str, str]:
        """What points a process at it."""
        return {
            "AWS_ENDPOINT_URL_SQS": self.sqs.service.endpoint_url,
            "FOREBAY_QUEUE_URL": self.queue_url,
        }

    @property
    def task_env(self) -> Mapping[str, str]:
        """The same, inside a task of ECS."""
        return {
            **self.env,
            "ECS_AGENT_URI": self.agent.service.agent_uri(),
            "ECS_CONTAINER_METADATA_URI_V4": self.agent.service.metadata_uri(),
        }

    def counts(self) -> Mapping[str, int]:
        """The queue's counts."""
        stats = self.sqs.call(lambda server: server.stats())
        counts: Mapping[str, int] = stats["queues"][self.queue_url]
        return counts


@contextmanager
def a_cloud() -> Iterator[Cloud]:
    """Run a cloud as long as the block lasts."""
    with SqsServer.in_thread() as sqs, EcsAgent.in_thread() as agent:
        create: Callable[[SqsServer], str] = lambda server: server.create_queue("jobs")  # noqa: E731
        yield Cloud(sqs, agent, sqs.call(create))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoCloud]:
    """An AWS for the verbs of a deployment; `reset` empties it."""
    with running_moto() as moto:
        yield moto
