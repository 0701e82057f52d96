"""Everything that a driver drives, on one event loop and in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any

import anyio

from forebay.handlers.executor import Blockage, Deliver, Ended
from forebay.handlers.registry import Handler, Registry
from forebay.model import SUCCEEDED, Attempt, Interrupted, Outcome, TimedOut
from forebay.protection.policy import Policy
from forebay.protection.port import Held, ProtectionAnswer, Unheld
from forebay.queue.memory import LoopClock, MemoryQueues, MemorySource
from forebay.queue.port import Outgoing
from forebay.settings import WorkerSettings
from forebay.worker.driver import Driver
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import Conclusion, Exit

Code = Callable[[Attempt], Awaitable[Outcome]]


class TaskExecutor:
    """Runs handlers as tasks of the test's own loop, so that a mock clock sees them wait."""

    can_kill = False

    def __init__(self, tasks: anyio.abc.TaskGroup, code: Code) -> None:
        self._tasks = tasks
        self._code = code
        self._scopes: dict[int, tuple[anyio.CancelScope, bool]] = {}
        self.blocked: Blockage | None = None

    def open(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def start(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._tasks.start_soon(self._run, attempt)

    async def _run(self, attempt: Attempt) -> None:
        began_at = anyio.current_time()
        outcome: Outcome = Interrupted()
        with anyio.CancelScope() as scope:
            self._scopes[attempt.number] = (scope, False)
            outcome = await self._code(attempt)
        _, because_of_limit = self._scopes.pop(attempt.number)
        if scope.cancelled_caught and because_of_limit:
            outcome = TimedOut(attempt.limit_s)
        lasted_s = anyio.current_time() - began_at
        self._deliver.ended([Ended(attempt.number, outcome, lasted_s, attempt.signals.checkpoint)])

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        if number in self._scopes:
            scope, _ = self._scopes[number]
            self._scopes[number] = (scope, because_of_limit)
            scope.cancel()

    def notify(self, attempt: Attempt) -> None:
        for listener in attempt.signals.listeners:
            listener()

    def blockage(self, *, now: float) -> Blockage | None:
        return self.blocked

    def say_room(self, room: int) -> None:
        """Tell how many attempts can run at once from now on."""
        self._deliver.room("loop", room)

    def stack_of(self, number: int) -> tuple[str, ...]:
        return ("app/jobs.py:7 spins",) if number in self._scopes else ()

    def close(self, *, wait_s: float) -> bool:
        return not self._scopes


class KindAgent:
    """Grants whatever is asked, and remembers when."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []
        self._until_at: float | None = None

    async def hold(self, *, minutes: int) -> ProtectionAnswer:
        self.calls.append(("hold", anyio.current_time()))
        self._until_at = anyio.current_time() + minutes * 60
        return Held(self._until_at)

    async def unhold(self) -> ProtectionAnswer:
        self.calls.append(("unhold", anyio.current_time()))
        self._until_at = None
        return Unheld()

    async def look(self) -> ProtectionAnswer:
        self.calls.append(("look", anyio.current_time()))
        return Unheld() if self._until_at is None else Held(self._until_at)

    async def aclose(self) -> None: ...


class Recording:
    """Keeps what the driver reports."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []
        self.attempts: list[Attempt] = []
        self.conclusions: list[Conclusion] = []

    def report(self, event: str, fields: Mapping[str, object], /) -> None:
        self.events.append((event, fields))

    def started(self, attempts: Sequence[Attempt], /) -> None:
        self.attempts += attempts

    def concluded(self, conclusions: Sequence[Conclusion], /) -> None:
        self.conclusions += conclusions

    def tick(self) -> None: ...

    def names(self) -> list[str]:
        return [event for event, _ in self.events]


async def at_once(attempt: Attempt) -> Outcome:
    return SUCCEEDED


class Bench:
    """A driver with everything it needs, over one in-memory queue."""

    def __init__(
        self, code: Code = at_once, *, limit_s: float = 900.0, agent: KindAgent | None = None, **settings: Any
    ):
        self.code = code
        self.limit_s = limit_s
        self.agent = agent
        self.settings = WorkerSettings(**settings)
        self.clock = LoopClock()
        self.began_at = anyio.current_time()
        self.queues = MemoryQueues(clock=self.clock)
        self.buried: MemorySource = self.queues.create("buried")
        self.queue: MemorySource = self.queues.create("queue")
        self.recording = Recording()

    async def send(self, *bodies: str) -> None:
        for body in bodies:
            await self.queue.send([Outgoing(body)])

    async def run(self, script: Callable[[Driver], Coroutine[Any, Any, None]]) -> Exit:
        """Run the driver beside `script`, until it exits."""
        registry = Registry(default=Handler("default", "loop", lambda attempt: None, self.limit_s))
        rng = Random(1)
        policy = Policy(
            mode=self.settings.protect,
            linger_s=self.settings.protection_linger_s,
            margin_s=self.settings.trust_margin_s,
            rng=rng,
            is_available=self.agent is not None,
        )
        engine = Engine(self.settings, registry, [self.queue.key], policy=policy, rng=rng)
        async with anyio.create_task_group() as tasks:
            self.executor = TaskExecutor(tasks, self.code)
            driver = Driver(
                engine, registry, {self.queue.key: self.queue}, {"loop": self.executor}, self.agent,
                self.recording, self.clock,
            )  # fmt: skip
            tasks.start_soon(script, driver)
            ended = await driver.run()
            self.ledger = engine.ledger
            tasks.cancel_scope.cancel()
        return ended
