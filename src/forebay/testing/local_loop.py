"""The event loop of a test's local cloud: where it would sleep with nothing under way, it skips to its next timer.

Rules kept here and nowhere else:

1. A timer fires by the cloud's clock, skipped time included.
2. Nothing is skipped while a socket is ready, a thread works for the loop, or the clock is held.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from time import sleep
from typing import Any

from forebay.testing.local_clock import SkippingClock

GRACE_S = 0.001
"""How long sockets are listened to before a skip. What was sent over loopback is there at once; this is for machines
that are busy. A skip that comes too early only makes one timer fire early, and no call has less than a second."""
SHORT_GRACE_S = 0.00005
"""The same where nothing but timers has happened since the last skip. epoll counts in milliseconds, so this sleeps."""


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop in the time of a `SkippingClock`."""

    def __init__(self, clock: SkippingClock, *, selector: SkippingSelector | None = None) -> None:
        super().__init__(selector if selector is not None else SkippingSelector(clock))
        self._skipping_clock = clock

    def time(self) -> float:
        return self._skipping_clock.now()

    def run_in_executor(  # type: ignore[override]  # any callable will do, as in asyncio's own code
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run `func` in a thread, in real time."""
        clock, hold = self._skipping_clock, object()
        clock.hold(hold)
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: clock.let_go(hold))
        return future


class SkippingSelector(selectors.BaseSelector):
    """The system's selector, with the clock moved instead of a wait."""

    def __init__(self, clock: SkippingClock) -> None:
        self._clock = clock
        self.real = selectors.DefaultSelector()
        self._was_ready = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0 or not self._clock.may_skip:
            ready = self.real.select(timeout)
            self._was_ready = self._was_ready or bool(ready)
            return ready
        ready = self.real.select(0)
        if not ready:
            ready = self._listen_a_little()
        if not ready and self._clock.may_skip:
            self._clock.skip(timeout)
        self._was_ready = bool(ready)
        return ready

    def _listen_a_little(self) -> list[tuple[selectors.SelectorKey, int]]:
        if self._was_ready:
            return self.real.select(GRACE_S)
        sleep(SHORT_GRACE_S)
        return self.real.select(0)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()
