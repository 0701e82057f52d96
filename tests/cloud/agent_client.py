"""Plain HTTP to the local ECS agent, as any container would speak it."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple

from forebay.cloud.background import InThread
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.ecs_agent import EcsAgent

STATE = "/api/worker-1/task-protection/v1/state"


class Said(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> dict[str, Any]:
        content = json.loads(self.text)
        assert isinstance(content, dict)
        return content


def ask(agent: InThread[EcsAgent], method: str, path: str = STATE, body: str | bytes | None = None) -> Said:
    connection = http.client.HTTPConnection("127.0.0.1", int(agent.service.url.rpartition(":")[2]), timeout=5)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Said(response.status, headers, response.read().decode())
    finally:
        connection.close()


def put(agent: InThread[EcsAgent], **fields: object) -> Said:
    return ask(agent, "PUT", STATE, json.dumps(fields))


def harm(agent: InThread[EcsAgent], effect: Effect, detail: str = "") -> None:
    agent.call(lambda service: service.chaos.add(ChaosRule(effect=effect, detail=detail)))
