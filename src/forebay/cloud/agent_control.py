"""The controls of the local ECS agent, under `/_forebay/`: trouble on order, the record of calls, tasks, other holders.

Rules kept here and nowhere else:

1. `chaos` is `cloud.chaos`'s own control; with `?task=<endpoint id>` it is for one task only.
2. `GET|DELETE calls`, `GET tasks`, `POST tasks` with `{"endpoint_id": …}`, and `POST protection` with
   `{"task": …, "minutes": 5}` or `"minutes": null`, which does what another worker in the task would do.
3. What makes no sense is answered with 400 and the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from forebay.cloud import agent_answers as answers
from forebay.cloud.agent_ecs import AgentTask
from forebay.cloud.chaos import Chaos, control
from forebay.cloud.http import Exchange

if TYPE_CHECKING:
    from forebay.cloud.ecs_agent import EcsAgent

CONTROL_PATH = "/_forebay/"


def answer_control(agent: EcsAgent, exchange: Exchange) -> tuple[int, Mapping[str, Any]]:
    """Do what is asked; return the status and the JSON object to answer with."""
    match exchange.method, exchange.path.removeprefix(CONTROL_PATH):
        case method, "chaos":
            return control(_chaos_for(agent, exchange.query), method, exchange.body)
        case "GET", "calls":
            return 200, {"calls": [asdict(call) for call in agent.calls], "counts": dict(agent.counts)}
        case "DELETE", "calls":
            agent.forget_calls()
            return 200, {}
        case "GET", "tasks":
            return 200, {"tasks": [_shown(agent, task) for task in agent.tasks.values()]}
        case "POST", "tasks" | "protection" as what:
            try:
                return 200, _changed(agent, what, json.loads(exchange.body))
            except (ValueError, TypeError, KeyError) as error:
                return 400, {"error": f"{type(error).__name__}: {error}"}
        case _:
            return 404, {"error": f"{exchange.method} {exchange.path} is no control of the local ECS agent"}


def _chaos_for(agent: EcsAgent, query: str) -> Chaos:
    tasks = parse_qs(query).get("task")
    return agent.chaos_for(tasks[0]) if tasks else agent.chaos


def _changed(agent: EcsAgent, what: str, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise TypeError("a JSON object is needed")
    wish = cast("dict[str, Any]", content)
    if what == "tasks":
        return _shown(agent, agent.add(AgentTask(**wish)))
    task, minutes = agent.tasks[wish["task"]], wish["minutes"]
    if minutes is not None and (not isinstance(minutes, int) or minutes < 0):
        raise ValueError("minutes must be a whole number or null")
    agent.ecs.set(task, minutes=minutes)
    return _shown(agent, task)


def _shown(agent: EcsAgent, task: AgentTask) -> dict[str, Any]:
    expires = agent.ecs.expiry(task)
    shown = {name: value for name, value in asdict(task).items() if not name.endswith("_utc")}
    return {
        **shown,
        "arn": task.arn,
        "protected_until": None if expires is None else answers.rfc3339(expires),
        "agent_uri": agent.agent_uri(task.endpoint_id),
        "metadata_uri": agent.metadata_uri(task.endpoint_id),
    }
