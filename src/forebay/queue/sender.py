"""Who sends for a producer: one sink for each event loop, and a private loop for plain threads.

Rules kept here and nowhere else:

1. Nothing is opened before the first send. Each event loop has connections of its own, closed when the loop ends, and
   nothing here keeps a loop that has ended.
2. Plain threads share one private loop per process. A forked child makes its own and never touches its parent's.
3. What runs on the private loop (a user's middleware) cannot wait for it: that is an error, and no standstill.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from forebay.errors import Misuse
from forebay.queue.port import Outgoing, Sent
from forebay.queue.resolve import ClientConfig
from forebay.queue.sink import SqsSink

_T = TypeVar("_T")

_lock = threading.Lock()
"""Held for moments, and never while anything is waited for. A forked child has another one."""


class _Opened(NamedTuple):
    """The sink of one event loop, and what closes it."""

    sink: SqsSink
    guard: AsyncGenerator[None, None]


class Producer:
    """Sends to one queue from wherever it is called: coroutines of any loop, plain threads, forked processes.

    The messages are checked ones: `api.queue` makes them.
    """

    def __init__(self, queue_url: str, config: ClientConfig) -> None:
        self._queue_url = queue_url
        self._config = config
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = WeakKeyDictionary()

    @property
    def queue_url(self) -> str:
        return self._queue_url

    async def asend(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send from a coroutine."""
        opened = self._opened.get(asyncio.get_running_loop())
        sink = opened.sink if opened is not None else await self._open()
        return await sink.send(messages, are_checked=True)

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send from a plain thread, and wait. Blocks: in a coroutine use `asend`."""
        return in_private_loop(self.asend(messages))

    async def _open(self) -> SqsSink:
        """Return a sink that is closed when the running loop shuts down.

        asyncio offers one hook for that: it closes the asynchronous generators that are still open
        (`loop.shutdown_asyncgens`, which `asyncio.run` and every runner call).
        """
        loop = asyncio.get_running_loop()
        sink = SqsSink.open(self._queue_url, self._config)

        async def guard() -> AsyncGenerator[None, None]:
            try:
                yield
            finally:
                await sink.aclose()
                with _lock:
                    self._opened.pop(asyncio.get_running_loop(), None)

        generator = guard()
        await anext(generator)
        with _lock:
            # A sink's connections hold their loop, so a loop that was closed without that hook would stay for ever.
            for ended in [other for other in self._opened if other.is_closed()]:
                del self._opened[ended]
            self._opened[loop] = _Opened(sink, generator)
        return sink


# ── the private loop of plain threads ──────────────────────────────────────────────────────────────────────


class _PrivateLoop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="forebay producer", daemon=True)
        self._thread.start()
        self._ready.wait()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        assert self._loop is not None
        if threading.current_thread() is self._thread:
            work.close()
            raise Misuse("enqueue blocks, and here it would wait for itself: in asynchronous middleware use aenqueue")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Close the connections and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        # Not `asyncio.run`: in the end that waits for the loop's threads by means of another thread, and from Python
        # 3.12 on no thread begins while the interpreter shuts down.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._turn())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    async def _turn(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


_private: _PrivateLoop | None = None
_abandoned: list[object] = []


def in_private_loop(work: Coroutine[Any, Any, _T]) -> _T:
    """Run `work` on this process's private loop and wait for its result."""
    global _private
    with _lock:
        if _private is None:
            _private = _PrivateLoop()
    return _private.run(work)


def close_private_loop() -> None:
    """End the private loop, if there is one. Sending makes a new one."""
    global _private
    with _lock:
        private, _private = _private, None
    if private is not None:
        private.close()


def _after_fork_in_child() -> None:
    # The parent's loop has no thread here, and its sockets are the parent's: they are kept, unused, so that no
    # destructor writes to them. The lock may have been held by a thread that is gone.
    global _private, _lock
    _abandoned.append(_private)
    _private, _lock = None, threading.Lock()


atexit.register(close_private_loop)
os.register_at_fork(after_in_child=_after_fork_in_child)
