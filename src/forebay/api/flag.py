"""Something that may come true while a handler runs, and how to wait for it.

Rules kept here and nowhere else:

1. Everything works the same in a coroutine, in a thread, and in an event loop that a thread runs by itself.
2. A flag that has risen stays risen. Waiting for one costs nothing until then: nobody polls.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from typing import Any, Literal

from forebay.errors import JobError
from forebay.model import Signals


class Flag:
    """Something that may come true while a handler runs: `if flag`, `await flag`, or `flag.wait(timeout_s)`."""

    __slots__ = ("_name", "_signals")

    def __init__(self, signals: Signals, name: Literal["stopping", "lease_lost"]) -> None:
        self._signals = signals
        self._name = name

    def __bool__(self) -> bool:
        signals = self._signals
        return signals.stopping or signals.hand_on if self._name == "stopping" else signals.lease_lost

    def __repr__(self) -> str:
        return f"<{self._name}: {bool(self)}>"

    def __await__(self) -> Generator[Any, None, None]:
        """Wait in a coroutine until it is true."""
        loop = asyncio.get_running_loop()
        risen: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not risen.done():
                risen.set_result(None)

        def listener() -> None:
            # Both flags share the listeners, and a loop that a thread ran by itself may be gone by now.
            if self and not loop.is_closed():
                loop.call_soon_threadsafe(tell)

        self._signals.listeners.append(listener)
        try:
            # Listed first, looked at second: see `LoopExecutor.notify`.
            if not self:
                yield from risen
        finally:
            self._signals.listeners.remove(listener)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block this thread until it is true or `timeout_s` have passed, and say whether it is true.

        Raises `JobError` in a coroutine, where it would block every other handler: await the flag there.
        """
        if _is_in_coroutine():
            raise JobError(f"ctx.{self._name}.wait() blocks the event loop: write `await ctx.{self._name}`")
        risen = threading.Event()

        def listener() -> None:
            if self:
                risen.set()

        self._signals.listeners.append(listener)
        try:
            return bool(self) or risen.wait(timeout_s) or bool(self)
        finally:
            self._signals.listeners.remove(listener)


def _is_in_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
