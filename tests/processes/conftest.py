"""One local SQS for all process tests of a module; each test has queues of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.processes.harness import Agent, Sqs


@pytest.fixture(scope="module")
def sqs_process() -> Iterator[Sqs]:
    sqs = Sqs()
    yield sqs
    sqs.close()


@pytest.fixture
def sqs(sqs_process: Sqs) -> Iterator[Sqs]:
    """The local SQS, with nothing going wrong yet."""
    yield sqs_process
    sqs_process.chaos()
    sqs_process.deny()


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    yield agent
    agent.close()
