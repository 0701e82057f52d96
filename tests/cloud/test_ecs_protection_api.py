"""Protection by the ECS API, by the agent and in the scheduler: one record, whoever asks."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.cloud.ecs_clusters import Ground, play
from tests.cloud.ecs_tasks import IDLE, STUBBORN
from tests.cloud.test_ecs_api import ARN, call, refused

from forebay.cloud.agent_ecs import AgentTask

pytestmark = pytest.mark.processes

SAYS_WHERE = "say(os.environ['ECS_AGENT_URI'])\n" + IDLE


def at_agent(uri: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """PUT the content to the agent's endpoint, or GET it; return `protection` or `failure`."""
    body = None if content is None else json.dumps(content).encode()
    method = "GET" if content is None else "PUT"
    request = urllib.request.Request(uri + "/task-protection/v1/state", data=body, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.loads(response.read())
    return dict(answer.get("protection") or answer["failure"])


def test_what_a_task_sets_at_the_agent_is_what_the_api_and_the_scheduler_know() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(SAYS_WHERE, desired_count=1), ground.ecs()
        [task_id] = await ground.ready(service, 1)
        uri = ground.lines[task_id][0]
        asked_at = ground.cluster.clock.now()

        put = await call(at_agent, uri, {"ProtectionEnabled": True, "ExpiresInMinutes": 10})
        [shown] = (await call(ecs.get_task_protection, cluster="local", tasks=[task_id]))["protectedTasks"]
        until = service.tasks[task_id].protected_until

        assert until is not None
        assert 600 <= until - asked_at < 620
        assert shown["taskArn"] == put["TaskArn"] == f"{ARN}:task/local/{task_id}"
        assert shown["expirationDate"] == datetime.fromisoformat(put["ExpirationDate"])
        assert timedelta(minutes=9) < shown["expirationDate"] - datetime.now(UTC) <= timedelta(minutes=10)
        assert service.reading_counts().protected == 1

    play(scenario)


def test_what_the_api_sets_and_clears_the_task_sees_at_the_agent() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(SAYS_WHERE, desired_count=1), ground.ecs()
        [task_id] = await ground.ready(service, 1)
        uri = ground.lines[task_id][0]

        answer = await call(ecs.update_task_protection, cluster="local", tasks=[task_id], protectionEnabled=True)
        held = await call(at_agent, uri)
        await call(ecs.update_task_protection, cluster="local", tasks=[task_id], protectionEnabled=False)
        cleared = await call(at_agent, uri)

        [shown] = answer["protectedTasks"]
        assert timedelta(minutes=119) < shown["expirationDate"] - datetime.now(UTC) <= timedelta(minutes=120)
        assert (held["ProtectionEnabled"], cleared["ProtectionEnabled"]) == (True, False)
        assert service.tasks[task_id].protected_until is None

    play(scenario)


def test_more_protection_than_desired_tasks_is_blocked_at_the_agent_and_in_the_api() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve("say(os.environ['ECS_AGENT_URI'])\n" + STUBBORN, desired_count=3), ground.ecs()
        first, second, idle = await ground.ready(service, 3)
        here = {"cluster": "local", "protectionEnabled": True}
        await call(ecs.update_task_protection, **here, tasks=[first, second])
        service.set_desired(1)

        refused_there = await call(at_agent, ground.lines[idle][0], {"ProtectionEnabled": True})
        answer = await call(ecs.update_task_protection, **here, tasks=[idle, first])

        arn = f"{ARN}:task/local/{idle}"
        assert refused_there == {"Arn": arn, "Detail": None, "Reason": "DEPLOYMENT_BLOCKED"}
        assert answer["failures"] == [{"arn": arn, "reason": "DEPLOYMENT_BLOCKED"}]
        assert [task["taskArn"] for task in answer["protectedTasks"]] == [f"{ARN}:task/local/{first}"]

    play(scenario)


def test_tasks_that_are_not_there_or_alone_are_failures() -> None:
    async def scenario(ground: Ground) -> None:
        ground.serve(IDLE, desired_count=0)
        ecs, alone = ground.ecs(), AgentTask("alone", service="")
        ground.cluster.agent.add(alone)
        asked = {"cluster": "local", "tasks": ["nobody", alone.task_id]}

        seen = await call(ecs.get_task_protection, **asked)
        set_to = await call(ecs.update_task_protection, **asked, protectionEnabled=True)

        for answer in (seen, set_to):
            assert [failure["reason"] for failure in answer["failures"]] == ["MISSING", "TASK_NOT_VALID"]
            assert answer["protectedTasks"] == []

    play(scenario)


def test_protection_has_its_limits_in_tasks_and_minutes() -> None:
    async def scenario(ground: Ground) -> None:
        ecs = ground.ecs()
        invalid, here = "InvalidParameterException", {"cluster": "local"}

        await refused(invalid, ecs.update_task_protection, **here, tasks=["x"] * 11, protectionEnabled=True)
        await refused(invalid, ecs.get_task_protection, **here, tasks=["x"] * 101)
        await refused(invalid, ecs.get_task_protection, **here, tasks=[])
        for minutes in (0, 2_881):
            await refused(
                invalid,
                ecs.update_task_protection,
                **here,
                tasks=["x"],
                protectionEnabled=True,
                expiresInMinutes=minutes,
            )
        await refused("ClusterNotFoundException", ecs.get_task_protection, cluster="other", tasks=["x"])

    play(scenario)


def test_a_task_that_has_ended_is_no_longer_served_by_the_agent() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(SAYS_WHERE, desired_count=1)
        [task_id] = await ground.ready(service, 1)
        uri = ground.lines[task_id][0]
        assert len(ground.cluster.agent.tasks) == 1

        service.set_desired(0)
        await service.wait_until(lambda: service.running_processes == 0)

        assert not ground.cluster.agent.tasks
        with pytest.raises(OSError, match="404"):
            await asyncio.to_thread(at_agent, uri)

    play(scenario)
