"""A local cluster for tests: its services, what their tasks have told, and boto3 clients whose answers are checked.

Every answer that boto3 gets is held against botocore's model of ECS before it is parsed: no unknown member, every
required one, the right types, only words that the model lists.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from random import Random
from typing import Any

import boto3
from tests.cloud.ecs_tasks import PATIENCE_S, environment, program

from forebay.clock import Clock
from forebay.cloud.background import fastest_loop
from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_health import HealthCheck
from forebay.cloud.ecs_server import EcsServer
from forebay.cloud.ecs_service import LocalService
from forebay.cloud.front_door import FrontDoor
from forebay.rules.ecs_vocabulary import ServicePlan, TaskRecord, TaskStatus

Scenario = Callable[["Ground"], Coroutine[Any, Any, None]]


def play(scenario: Scenario, **options: Any) -> None:
    """Run a scenario on a cluster of its own; afterwards none of its processes is left."""

    async def whole() -> None:
        async with Ground(**options) as ground:
            async with asyncio.timeout(PATIENCE_S):
                await scenario(ground)

    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(whole())


class Ground:
    """One cluster with one service, `jobs`."""

    def __init__(self, *, clock: Clock | None = None, log_folder: Path | None = None) -> None:
        self.cluster = LocalCluster(clock=clock, rng=Random(7), log_folder=log_folder)
        self.server = EcsServer(self.cluster)
        self.door = FrontDoor()
        self.door.serve(self.server.SERVICE, self.server.accept)
        self.lines: dict[str, list[str]] = {}
        """By task."""
        self.changes: Counter[str] = Counter()
        """How often each service has told of a change."""
        self._clients: list[Any] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Ground:
        await self.cluster.__aenter__()
        await self.door.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        await self.door.__aexit__(None, None, None)
        await self.cluster.aclose()

    def serve(
        self,
        text: str,
        *,
        name: str = "jobs",
        check: HealthCheck | None = None,
        more: Mapping[str, str] = {},
        **plan: Any,
    ) -> LocalService:
        """Run a service whose tasks run the program `text`."""
        plan = {"family": name, "settling_s": 0.05, **plan}
        return self.cluster.add_service(
            ServicePlan(name=name, **plan),
            program(text),
            {**environment(), **more},
            on_line=self.on_line,
            on_change=self.on_change,
            check=check,
        )

    def on_line(self, task_id: str, line: bytes) -> None:
        self.lines.setdefault(task_id, []).append(line.decode())
        self._news.set()

    def on_change(self, service: LocalService) -> None:
        self.changes[service.plan.name] += 1
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is so; lines and changes are what makes it so."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    async def ready(self, service: LocalService, count: int) -> list[str]:
        """Wait until so many tasks run and have said so; return their ids, the oldest first."""
        await self.until(lambda: len(self.ready_tasks(service)) == count)
        return self.ready_tasks(service)

    def ready_tasks(self, service: LocalService) -> list[str]:
        return [
            task.task_id
            for task in tasks_in(service, TaskStatus.RUNNING)
            if "ready" in self.lines.get(task.task_id, [])
        ]

    def ecs(self) -> Any:
        """A boto3 client, to be called by `asyncio.to_thread`."""
        client: Any = boto3.client(
            "ecs",
            endpoint_url=self.door.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.meta.events.register("before-parse.ecs", _check_answer)
        self._clients.append(client)
        return client


def tasks_in(service: LocalService, status: TaskStatus) -> list[TaskRecord]:
    found = [task for task in service.tasks.values() if task.status is status]
    return sorted(found, key=lambda task: task.created_at)


def _check_answer(operation_model: Any, response_dict: Mapping[str, Any], **_: object) -> None:
    if response_dict["status_code"] == 200:
        assert_fits(operation_model.output_shape, json.loads(response_dict["body"]), operation_model.name)


def assert_fits(shape: Any, value: Any, where: str) -> None:
    """Fail unless `value` is what the model of an output says."""
    match shape.type_name:
        case "structure":
            assert isinstance(value, dict), where
            unknown = value.keys() - shape.members.keys()
            assert not unknown, f"{where}: unknown members {unknown}"
            missing = set(shape.required_members) - value.keys()
            assert not missing, f"{where}: {missing} missing"
            for name, content in value.items():
                assert_fits(shape.members[name], content, f"{where}.{name}")
        case "list":
            assert isinstance(value, list), where
            for index, content in enumerate(value):
                assert_fits(shape.member, content, f"{where}[{index}]")
        case "map":
            assert isinstance(value, dict), where
        case "string":
            assert isinstance(value, str), f"{where}: {value!r}"
            assert not shape.enum or value in shape.enum, f"{where}: {value!r} is not one of {shape.enum}"
        case "integer" | "long":
            assert isinstance(value, int), f"{where}: {value!r}"
            assert not isinstance(value, bool), f"{where}: {value!r}"
        case "boolean":
            assert isinstance(value, bool), f"{where}: {value!r}"
        case "timestamp":
            assert isinstance(value, int | float), f"{where}: {value!r}"
            assert 1_000_000_000 < value < 10_000_000_000, f"{where}: {value!r} is no time"
        case other:
            raise AssertionError(f"{where}: {other} is not looked at yet")
