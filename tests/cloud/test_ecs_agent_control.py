"""What the local ECS agent offers beside protection: its controls, its record of calls, and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.cloud.agent_client import ask, harm, put

from forebay.cloud.background import InThread
from forebay.cloud.chaos import Effect
from forebay.cloud.ecs_agent import EcsAgent


@pytest.fixture
def agent() -> Iterator[InThread[EcsAgent]]:
    with EcsAgent.in_thread(ecs_timeout_s=0.05) as running:
        yield running


def test_every_call_is_written_down(agent: InThread[EcsAgent]) -> None:
    put(agent, ProtectionEnabled=True, ExpiresInMinutes=5)
    harm(agent, Effect.REFUSE)
    put(agent, ProtectionEnabled=False)

    record = ask(agent, "GET", "/_forebay/calls").json

    assert [(call["method"], call["enabled"], call["minutes"], call["outcome"]) for call in record["calls"]] == [
        ("PUT", True, 5, "held"),
        ("PUT", False, None, "DEPLOYMENT_BLOCKED"),
    ]
    assert record["counts"] == {"held": 1, "DEPLOYMENT_BLOCKED": 1}
    assert record["calls"][0]["at"] <= record["calls"][1]["at"]


def test_another_workers_hold_can_be_played_over_http(agent: InThread[EcsAgent]) -> None:
    ask(agent, "POST", "/_forebay/protection", '{"task":"worker-1","minutes":9}')
    set_to = ask(agent, "GET").json["protection"]["ProtectionEnabled"]
    ask(agent, "POST", "/_forebay/protection", '{"task":"worker-1","minutes":null}')
    cleared = ask(agent, "GET").json["protection"]["ProtectionEnabled"]

    assert (set_to, cleared) == (True, False)


def test_tasks_are_added_and_listed_over_http(agent: InThread[EcsAgent]) -> None:
    added = ask(agent, "POST", "/_forebay/tasks", '{"endpoint_id":"worker-2","service":"thumbs"}')
    listed = ask(agent, "GET", "/_forebay/tasks").json["tasks"]

    assert added.json["agent_uri"].endswith("/api/worker-2")
    assert [task["endpoint_id"] for task in listed] == ["worker-1", "worker-2"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/_forebay/tasks", "{", 400),
        ("POST", "/_forebay/tasks", "[]", 400),
        ("POST", "/_forebay/tasks", '{"endpoint_id":"x","colour":"red"}', 400),
        ("POST", "/_forebay/protection", '{"task":"nobody","minutes":1}', 400),
        ("POST", "/_forebay/protection", '{"task":"worker-1","minutes":"x"}', 400),
        ("POST", "/_forebay/chaos", '{"effect":"confetti"}', 400),
        ("GET", "/_forebay/nothing", None, 404),
    ],
)
def test_a_control_that_makes_no_sense_is_refused(
    agent: InThread[EcsAgent], method: str, path: str, body: str | None, status: int
) -> None:
    said = ask(agent, method, path, body)

    assert said.status == status
    assert said.json["error"]


def test_metadata_describes_the_task_and_its_container(agent: InThread[EcsAgent]) -> None:
    task = ask(agent, "GET", "/v4/worker-1/task").json
    container = ask(agent, "GET", "/v4/worker-1").json
    missing = ask(agent, "GET", "/v4/nobody/task")

    assert task["TaskARN"] == agent.service.tasks["worker-1"].arn
    assert task["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert task["Containers"][0]["Labels"]["com.amazonaws.ecs.task-arn"] == task["TaskARN"]
    assert container["Type"] == "NORMAL"
    assert missing.status == 404
    assert isinstance(json.loads(missing.text), str)


@pytest.mark.parametrize("path", ["/v4/worker-1/stats", "/v3/worker-1", "/", "/api"])
def test_what_is_not_served_is_not_found(agent: InThread[EcsAgent], path: str) -> None:
    assert ask(agent, "GET", path).status == 404
