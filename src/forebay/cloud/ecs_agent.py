"""The local ECS agent: task protection and metadata for tasks that run on this machine.

Serves, on 127.0.0.1, what `ECS_AGENT_URI` and `ECS_CONTAINER_METADATA_URI_V4` point to in a container on Fargate:
`/api/<id>/task-protection/v1/state`, `/v4/<id>` and `/v4/<id>/task`.

Rules kept here and nowhere else:

1. The agent's limiter comes first, then its router (301, 404, 405), then the endpoint.
2. Every protection call is written down with its time, for tests that count and for people who wonder.
3. `/_forebay/` is ours, not the agent's (`agent_control`).

In a program: `async with EcsAgent() as agent` or `with EcsAgent.in_thread() as running`. As a process:
`python -m forebay.cloud.ecs_agent --port 0` prints one JSON line with the addresses and serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
from collections.abc import Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Any

from forebay.clock import Clock, SystemClock
from forebay.cloud import agent_answers as answers
from forebay.cloud.agent_answers import AgentAnswer
from forebay.cloud.agent_calls import Call, CallLog
from forebay.cloud.agent_control import CONTROL_PATH, answer_control
from forebay.cloud.agent_ecs import AgentTask, Decide, LocalEcs, ProtectionKeeper, TasksThemselves
from forebay.cloud.agent_endpoint import NAMES, ProtectionEndpoint, Reply
from forebay.cloud.agent_limits import AGENT_BURST, AGENT_RATE, ECS_BURST, ECS_RATE, AgentLimiter, TokenBucket
from forebay.cloud.background import InThread
from forebay.cloud.chaos import UNHARMED, Chaos
from forebay.cloud.http import Exchange, LoopbackServer

STATE_SUFFIX = "task-protection/v1/state"


class EcsAgent:
    """One agent and the tasks of its machine. Lives on an asyncio loop; see `in_thread` for everybody else."""

    def __init__(
        self,
        tasks: Sequence[AgentTask] | None = None,
        *,
        port: int = 0,
        decide: Decide | None = None,
        keeper: ProtectionKeeper | None = None,
        clock: Clock | None = None,
        ecs_timeout_s: float = 4.0,
        agent_rate: float = AGENT_RATE,
        agent_burst: float = AGENT_BURST,
        ecs_rate: float = ECS_RATE,
        ecs_burst: float = ECS_BURST,
        seed: int = 0,
    ) -> None:
        """`tasks`: None makes one, `worker-1`. `keeper` owns the tasks' protection; without one they do, and `decide`
        may say no.
        """
        self._clock = clock if clock is not None else SystemClock()
        self._server = LoopbackServer(self._serve, port=port)
        self._limiter = AgentLimiter(rate=agent_rate, burst=agent_burst)
        self._agent_rate = agent_rate
        self.ecs = LocalEcs(
            clock=self._clock,
            keeper=keeper if keeper is not None else TasksThemselves(self._clock, decide),
            bucket=TokenBucket(rate=ecs_rate, burst=ecs_burst),
        )
        self._endpoint = ProtectionEndpoint(self.ecs, ecs_timeout_s=ecs_timeout_s)
        self._rng = Random(seed)
        self.chaos = Chaos(self._rng)
        self._chaos_of: dict[str, Chaos] = {}
        self.tasks: dict[str, AgentTask] = {}
        self._log = CallLog()
        for task in (AgentTask("worker-1"),) if tasks is None else tasks:
            self.add(task)

    @classmethod
    def in_thread(cls, tasks: Sequence[AgentTask] | None = None, **options: Any) -> InThread[EcsAgent]:
        """Return a context manager that runs an agent on a loop of its own."""
        return InThread(lambda: cls(tasks, **options))

    async def __aenter__(self) -> EcsAgent:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._server.aclose()

    def add(self, task: AgentTask) -> AgentTask:
        """Serve one more task from now on."""
        self.tasks[task.endpoint_id] = task
        return task

    def remove(self, endpoint_id: str) -> None:
        """Forget a task that has stopped."""
        self.tasks.pop(endpoint_id, None)
        self._chaos_of.pop(endpoint_id, None)

    @property
    def url(self) -> str:
        return self._server.endpoint_url

    def agent_uri(self, endpoint_id: str = "worker-1") -> str:
        """Return what `ECS_AGENT_URI` is in that task."""
        return f"{self.url}/api/{endpoint_id}"

    def metadata_uri(self, endpoint_id: str = "worker-1") -> str:
        """Return what `ECS_CONTAINER_METADATA_URI_V4` is in that task."""
        return f"{self.url}/v4/{endpoint_id}"

    def addresses(self) -> dict[str, Any]:
        """Return the addresses of the agent and of each of its tasks, as the process prints them."""
        tasks = [
            {"endpoint_id": name, "agent_uri": self.agent_uri(name), "metadata_uri": self.metadata_uri(name)}
            for name in self.tasks
        ]
        return {**(tasks[0] if tasks else {}), "control_uri": self.url + CONTROL_PATH, "tasks": tasks}

    @property
    def calls(self) -> Sequence[Call]:
        """Every call of the protection endpoint, the oldest first."""
        return self._log.calls

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls by outcome."""
        return self._log.counts

    # ── requests ───────────────────────────────────────────────────────────────────────────────────────────

    def _serve(self, exchange: Exchange) -> None:
        path = exchange.path
        if path.startswith(CONTROL_PATH):
            status, content = answer_control(self, exchange)
            exchange.answer(status, json.dumps(content).encode(), content_type=answers.JSON_TYPE)
            return
        parts = path.strip("/").split("/", 2)
        is_protection = path.count("/") == 5 and parts[0] == "api" and parts[-1] == STATE_SUFFIX
        if not self._limiter.take("127.0.0.1", path, self._clock.now()):
            reply = Reply(answers.limited(self._agent_rate))
        elif (cleaned := _cleaned(path)) != path:
            reply = Reply(answers.moved(cleaned, is_get=exchange.method == "GET"))
        elif is_protection:
            reply = self._protection(parts[1], exchange)
        else:
            reply = Reply(self._metadata(path, exchange.method))
        if is_protection:
            self._log.note(parts[1], exchange.method, reply, clock=self._clock)
        self._send(exchange, reply)

    def _protection(self, endpoint_id: str, exchange: Exchange) -> Reply:
        if exchange.method not in ("GET", "PUT"):
            return Reply(answers.method_missing())
        operation = NAMES["update" if exchange.method == "PUT" else "get"]
        strike = self.chaos.strike(operation)
        if strike == UNHARMED and endpoint_id in self._chaos_of:
            strike = self._chaos_of[endpoint_id].strike(operation)
        return self._endpoint.reply(self.tasks.get(endpoint_id), exchange.method, exchange.body, strike)

    def _metadata(self, path: str, method: str) -> AgentAnswer:
        parts = path.strip("/").split("/")
        if parts[0] != "v4" or len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] != "task"):
            return answers.page_missing()
        if method != "GET":
            return answers.method_missing()
        task = self.tasks.get(parts[1])
        if task is None:
            text = f"V4 task metadata handler: unable to get task arn from request: unknown endpoint id {parts[1]}"
            return answers.as_json(404, text, outcome="no_task")
        document = answers.task_metadata(task) if len(parts) == 3 else answers.container_metadata(task)
        return answers.as_json(200, document, outcome="metadata")

    def _send(self, exchange: Exchange, reply: Reply) -> None:
        answer = reply.answer
        if reply.is_silent:
            return
        if answer is None:
            exchange.drop()
        elif reply.is_cut_short:
            exchange.answer_in_part(answer.status, answer.body)
        elif reply.after_s > 0:
            asyncio.get_running_loop().call_later(reply.after_s, _answer, exchange, answer)
        else:
            _answer(exchange, answer)

    def chaos_for(self, endpoint_id: str) -> Chaos:
        """Return the trouble on order for one task only."""
        return self._chaos_of.setdefault(endpoint_id, Chaos(self._rng))

    def forget_calls(self) -> None:
        """Begin the record of calls anew."""
        self._log.clear()


def _answer(exchange: Exchange, answer: AgentAnswer) -> None:
    exchange.answer(answer.status, answer.body, content_type=answer.content_type, headers=answer.headers)


def _cleaned(path: str) -> str:
    """Return `path` as Go's router wants it: single slashes, no dots; a trailing slash stays."""
    cleaned = "/" + posixpath.normpath(path).lstrip("/")
    return f"{cleaned}/" if path.endswith("/") and cleaned != "/" else cleaned


if __name__ == "__main__":
    from forebay.cloud.agent_process import main

    main()
