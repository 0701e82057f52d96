"""What the tests of executors share: a delivery that collects outcomes, and attempts to hand over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from forebay.handlers.executor import Ended, Executor
from forebay.handlers.on_loop import LoopExecutor
from forebay.handlers.registry import Handler, Registry, Runs
from forebay.model import Attempt, Message, Outcome

PATIENCE_S = 30.0
"""How long a test waits for what must happen. Only a failing test waits so long."""


CoroutineFunction = Callable[[Attempt], Coroutine[Any, Any, object]]


class Make(Protocol):
    """Makes a loop executor for the handlers, by name."""

    def __call__(self, **handlers: CoroutineFunction) -> LoopExecutor: ...


async def forever(_: Attempt) -> None:
    await asyncio.Event().wait()


async def noop(_: Attempt) -> None:
    return None


class Collected:
    """A `Deliver` that keeps what it is told and lets a test wait for it."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Ended]] = []
        self.extensions: list[tuple[int, float]] = []
        self.rooms: list[tuple[Runs, int]] = []
        self.given_up: list[str] = []
        self._changed = threading.Condition()

    def ended(self, batch: Sequence[Ended], /) -> None:
        with self._changed:
            self.batches.append(batch)
            self._changed.notify_all()

    def extend(self, number: int, limit_s: float, /) -> None:
        self.extensions.append((number, limit_s))

    def room(self, runs: Runs, room: int, /) -> None:
        with self._changed:
            self.rooms.append((runs, room))
            self._changed.notify_all()

    def give_up(self, reason: str, /) -> None:
        with self._changed:
            self.given_up.append(reason)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was delivered fulfils the condition."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S), (self.rooms, self.batches)

    def outcomes(self, count: int) -> dict[int, Outcome]:
        """Wait for `count` ends and return their outcomes by attempt number; each number must come once."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count() >= count, PATIENCE_S), f"{self._count()} of {count}"
            ended = [one for batch in self.batches for one in batch]
        numbers = [one.number for one in ended]
        assert len(numbers) == len(set(numbers)), "an attempt has ended twice"
        return {one.number: one.outcome for one in ended}

    def _count(self) -> int:
        return sum(len(batch) for batch in self.batches)


def attempt(number: int, job: str, body: str = "{}", *, limit_s: float = 60.0) -> Attempt:
    return Attempt(number, job, Message("queue", f"message-{number}", "receipt", body), limit_s)


def registry_of(runs: Runs, **calls: Callable[[Attempt], object]) -> Registry:
    return Registry(Handler(name, runs, call, limit_s=60.0) for name, call in calls.items())


@contextmanager
def opened(executor: Executor) -> Iterator[Collected]:
    """An executor at work, closed at the end whatever happened."""
    collected = Collected()
    executor.open(collected)
    try:
        yield collected
    finally:
        executor.close(wait_s=PATIENCE_S)


def must(event: threading.Event) -> None:
    """Wait for something that must happen."""
    assert event.wait(PATIENCE_S)
