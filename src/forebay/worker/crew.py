"""Tasks that carry out calls to the outside, one call each at a time.

Rules kept here and nowhere else:

1. A call that is handed over begins at once; nothing queues behind a slow one.
2. A task that has finished waits for the next call instead of ending: starting one costs more than waking one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")


class _Seat(Generic[T]):
    """Where an idle task waits for its next call."""

    __slots__ = ("call", "taken")

    def __init__(self) -> None:
        self.taken = anyio.Event()
        self.call: T | None = None


class Crew(Generic[T]):
    """As many tasks as there have ever been calls at once."""

    def __init__(self, tasks: TaskGroup, perform: Callable[[T], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._perform = perform
        self._idle: list[_Seat[T]] = []

    def hand(self, call: T) -> None:
        """Have `call` performed, beginning at once."""
        if self._idle:
            seat = self._idle.pop()
            seat.call = call
            seat.taken.set()
        else:
            self._tasks.start_soon(self._work, call)

    async def _work(self, call: T) -> None:
        while True:
            await self._perform(call)
            seat: _Seat[T] = _Seat()
            self._idle.append(seat)
            await seat.taken.wait()
            assert seat.call is not None
            call = seat.call
