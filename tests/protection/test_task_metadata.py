"""Who the task is, from the metadata endpoint, or nothing at all: it never raises."""

from __future__ import annotations

import json

import pytest
from tests.protection.raw_server import http, raw_server

from forebay.cloud.agent_ecs import AgentTask
from forebay.cloud.background import InThread
from forebay.cloud.ecs_agent import EcsAgent
from forebay.protection.metadata import TaskIdentity, read_task_metadata

pytestmark = pytest.mark.anyio


async def test_the_task_tells_its_identity_and_its_memory(agent: InThread[EcsAgent]) -> None:
    task = AgentTask(
        "worker-9", cluster="prod", service="thumbs", task_id="abc", family="thumbs", revision="17", memory_mib=2_048
    )
    agent.call(lambda service: service.add(task))

    identity = await read_task_metadata(agent.service.metadata_uri("worker-9"))

    assert identity == TaskIdentity(
        cluster="prod",
        service="thumbs",
        task_id="abc",
        family="thumbs",
        revision="17",
        memory_limit_bytes=2_048 * 1024 * 1024,
    )


async def test_a_task_without_service_or_limit_says_so(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.add(AgentTask("alone", service="", memory_mib=None)))

    identity = await read_task_metadata(agent.service.metadata_uri("alone"))

    assert identity is not None
    assert identity.service == ""
    assert identity.memory_limit_bytes is None


async def test_a_cluster_given_by_name_is_its_name() -> None:
    document = {"Cluster": "prod", "TaskARN": "arn:aws:ecs:r:a:task/prod/abc", "Revision": 3, "Limits": {"Memory": 0}}
    async with raw_server(http("200 OK", json.dumps(document))) as address:
        identity = await read_task_metadata(address)

    assert identity == TaskIdentity("prod", "", "abc", "", "3", None)


async def test_an_unknown_endpoint_tells_nothing(agent: InThread[EcsAgent]) -> None:
    assert await read_task_metadata(agent.service.metadata_uri("nobody")) is None


@pytest.mark.parametrize("uri", ["", "nonsense", "https://169.254.170.2/v4/x", "http://127.0.0.1:1/v4/x"])
async def test_an_address_where_nothing_answers_tells_nothing(uri: str) -> None:
    assert await read_task_metadata(uri) is None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        http("200 OK", "[]"),
        http("200 OK", '{"TaskARN": 7, "Limits": []}'),
        http("200 OK", '{"TaskARN": ""}'),
        http("200 OK", b"\xff"),
        http("500 Internal Server Error", '"unable to get task"'),
        http("429 Too Many Requests", "You have reached maximum request limit."),
    ],
)
async def test_an_answer_that_is_no_task_tells_nothing(said: bytes) -> None:
    async with raw_server(said) as address:
        assert await read_task_metadata(address) is None


async def test_silence_costs_no_more_than_the_timeout() -> None:
    async with raw_server(None) as address:
        assert await read_task_metadata(address, timeout_s=0.05) is None
