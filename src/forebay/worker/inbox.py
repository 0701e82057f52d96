"""The one queue of facts into the control loop, safe to fill from any thread.

Rules kept here and nowhere else:

1. Facts come out in the order they went in, all that are there at once.
2. Putting never blocks. From another thread it wakes the loop at most once until the loop has looked.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import anyio

from forebay.handlers.executor import Ended
from forebay.handlers.registry import Runs
from forebay.worker.vocabulary import Event, ExtendRequested, Finished, RoomChanged, StopRequested


def soon_on_this_loop() -> Callable[[Callable[[], object]], object]:
    """Return what schedules a callback on the running event loop from any thread."""
    if _is_asyncio():
        return asyncio.get_running_loop().call_soon_threadsafe
    import trio  # Only where the driver's own tests run it on trio's mock clock.

    return trio.lowlevel.current_trio_token().run_sync_soon


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Inbox:
    """Facts for the engine. Also what executors deliver to (`handlers.executor.Deliver`)."""

    def __init__(self) -> None:
        self._facts: deque[Event] = deque()
        self._arrived = anyio.Event()
        self._soon: Callable[[Callable[[], Any]], object] = soon_on_this_loop()
        self._is_wake_posted = False
        self._is_closed = False

    def put(self, fact: Event) -> None:
        """Add a fact; on the control loop only."""
        self._facts.append(fact)
        self._arrived.set()

    def put_from_thread(self, fact: Event) -> None:
        """Add a fact from any thread."""
        self._facts.append(fact)  # A deque's append is atomic.
        if not self._is_wake_posted and not self._is_closed:
            self._is_wake_posted = True
            try:
                self._soon(self._wake)
            except RuntimeError:
                self._is_closed = True  # The loop has ended; nobody reads any more.

    def _wake(self) -> None:
        self._is_wake_posted = False
        self._arrived.set()

    async def take(self, *, timeout_s: float | None) -> Sequence[Event]:
        """Return every fact that is there; wait up to `timeout_s` for the first. Empty when there is none."""
        if not self._facts and (timeout_s is None or timeout_s > 0):
            self._arrived = anyio.Event()
            if not self._facts:  # A thread may have put one between the look and the new event.
                with anyio.move_on_after(timeout_s if timeout_s is not None else math.inf):
                    await self._arrived.wait()
        facts: list[Event] = []
        while self._facts:
            facts.append(self._facts.popleft())
        return facts

    # ── what executors see ─────────────────────────────────────────────────────────────────────────────────

    def ended(self, batch: Sequence[Ended], /) -> None:
        self.put_from_thread(Finished(batch))

    def extend(self, number: int, limit_s: float, /) -> None:
        self.put_from_thread(ExtendRequested(number, limit_s))

    def room(self, runs: Runs, room: int, /) -> None:
        self.put_from_thread(RoomChanged(runs, room))

    def give_up(self, reason: str, /) -> None:
        self.put_from_thread(StopRequested(reason, status=1))
