"""The time of a test in memory: one clock, and the event loops that agree to skip what all of them would only wait for.

Rules kept here and nowhere else:

1. Time is skipped when every loop has nothing to do before some later instant, and then to the earliest of those: a
   coroutine that sleeps for an hour and a back-off of ten minutes pass in the order in which they would.
2. Nothing is skipped while a callback that a thread has posted waits for its turn, or the clock is held.
3. The handlers' loop has nothing to do only while its tasks wait for each other or for timers (`only_waiting`): who
   waits for a socket, a thread or a process waits as long as it takes.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
from collections.abc import Callable, Hashable
from contextvars import Context
from typing import Any

from forebay.testing.local_clock import SkippingClock
from forebay.testing.local_loop import SkippingLoop, SkippingSelector
from forebay.testing.only_waiting import only_waits


class MeetingClock(SkippingClock):
    """A skipping clock that several event loops, each in a thread of its own, move together."""

    def __init__(self, *, is_virtual: bool) -> None:
        super().__init__(is_virtual=is_virtual)
        self._lock = threading.RLock()
        self._loops: set[MeetingLoop] = set()
        self._resting: dict[MeetingLoop, float] = {}
        """Loops that wait, and the instant until which nothing happens on them by itself."""
        self._posted: dict[MeetingLoop, int] = {}
        """Callbacks from threads whose turn has not come."""

    def joins(self, loop: MeetingLoop) -> None:
        with self._lock:
            self._loops.add(loop)
            self._posted[loop] = 0

    def leaves(self, loop: MeetingLoop) -> None:
        with self._lock:
            self._loops.discard(loop)
            self._resting.pop(loop, None)
            self._posted.pop(loop, None)
            self._skip_if_all_rest()

    def rests(self, loop: MeetingLoop, until: float) -> bool:
        """Say that nothing happens on `loop` before `until`; return whether that has come already."""
        with self._lock:
            self._resting[loop] = until
            self._skip_if_all_rest()
            return loop not in self._resting

    def wakes(self, loop: MeetingLoop) -> None:
        with self._lock:
            self._resting.pop(loop, None)

    def posted(self, loop: MeetingLoop, by: int) -> None:
        """Count callbacks that wait for their turn on `loop`."""
        with self._lock:
            if loop in self._posted:
                self._posted[loop] += by

    def let_go(self, what: Hashable) -> None:
        with self._lock:
            super().let_go(what)
            self._skip_if_all_rest()

    def _skip_if_all_rest(self) -> None:
        if not self.may_skip or len(self._resting) < len(self._loops) or any(self._posted.values()):
            return
        until = min(self._resting.values(), default=math.inf)
        if math.isinf(until):
            return
        self.skip(max(0.0, until - self.now()))
        for loop in [loop for loop, at in self._resting.items() if at <= until]:
            del self._resting[loop]
            loop.nudge()


class MeetingLoop(SkippingLoop):
    """An event loop in the time of a `MeetingClock`, in whatever thread it turns."""

    def __init__(self, clock: MeetingClock, *, runs_user_code: bool) -> None:
        self._meeting = clock
        super().__init__(clock, selector=_MeetingSelector(clock, self, runs_user_code=runs_user_code))
        clock.joins(self)

    def call_soon_threadsafe(  # type: ignore[override]  # any callable will do, as in asyncio's own code
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._meeting.posted(self, 1)
        try:
            handle = super().call_soon_threadsafe(callback, *args, context=context)
            # Right after it, and so also where the callback itself is cancelled.
            super().call_soon_threadsafe(self._meeting.posted, self, -1)
        except RuntimeError:
            self._meeting.posted(self, -1)
            raise
        return handle

    def nudge(self) -> None:
        """End the loop's wait. From any thread."""
        super().call_soon_threadsafe(_nothing)

    def close(self) -> None:
        super().close()
        self._meeting.leaves(self)


class _MeetingSelector(SkippingSelector):
    """The system's selector, which lets the clock move before it waits."""

    def __init__(self, clock: MeetingClock, loop: MeetingLoop, *, runs_user_code: bool) -> None:
        super().__init__(clock)
        self._meeting = clock
        self._loop = loop
        self._runs_user_code = runs_user_code

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._runs_user_code and not only_waits(self._loop):
            return self.real.select(timeout)
        until = math.inf if timeout is None else self._meeting.now() + timeout
        if self._meeting.rests(self._loop, until):
            return []
        try:
            return self.real.select(timeout)
        finally:
            self._meeting.wakes(self._loop)


def _nothing() -> None:
    return None
