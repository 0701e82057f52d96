"""How producers send: any number of messages, from a coroutine, a thread, or a process that has forked.

Rules kept here and nowhere else:

1. Messages go in batches of at most ten and at most 1 MiB; to a FIFO queue in the order given. One that SQS would
   refuse is refused here, alone, so that its siblings go.
2. What is known not to have been carried out is sent again, up to `ATTEMPTS_MAX` times. What may have been is sent
   again only if SQS will notice (`dedupe`): a producer must not double its jobs by itself.
3. Nothing is opened before the first send. Each event loop has connections of its own, closed when the loop ends.
4. Plain threads share one private loop per process. A forked child makes its own and never touches its parent's.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from forebay.errors import FaultKind, QueueError
from forebay.queue.calls import Caller
from forebay.queue.contents import problem, size_bytes
from forebay.queue.keyring import Notify, ignore
from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, Outgoing, Sent
from forebay.queue.resolve import ClientConfig
from forebay.queue.wire import SqsClient

ATTEMPTS_MAX = 4
"""Tries of one batch: three waits of a tenth to under a second, as the AWS SDKs do."""

FIRST_PAUSE_S = 0.1

LANES_MAX = 8
"""Batches sent at once to a standard queue: at 10 ms each, 8,000 messages a second."""

_T = TypeVar("_T")


def batches(messages: Sequence[Outgoing], indexes: Sequence[int]) -> Iterator[list[int]]:
    """Group `indexes` of `messages`, in order, into batches that SQS takes."""
    batch: list[int] = []
    batch_bytes = 0
    for index in indexes:
        size = size_bytes(messages[index])
        if batch and (len(batch) == BATCH_MAX or batch_bytes + size > BODY_MAX_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(index)
        batch_bytes += size
    if batch:
        yield batch


class SqsSink:
    """Sends to one SQS queue. Implements `queue.port.Sink`. Used on one event loop only."""

    def __init__(self, queue_url: str, client: SqsClient, *, dice: random.Random | None = None) -> None:
        self._queue_url = queue_url
        self._client = client
        self._dice = dice if dice is not None else random.Random()

    @classmethod
    def open(cls, queue_url: str, config: ClientConfig, *, notify: Notify = ignore) -> SqsSink:
        """Return a sink with a client of its own. Nothing is looked up or opened before the first send."""
        return cls(queue_url, SqsClient(Caller.from_config(queue_url, config, notify=notify)))

    @property
    def queue_url(self) -> str:
        return self._queue_url

    @property
    def client(self) -> SqsClient:
        """The client in use; its `caller.tally` counts the requests."""
        return self._client

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send any number of messages; the answer has one `Sent` for each, in order."""
        results: list[Sent] = [Sent(None, problem(message)) for message in messages]
        good = [index for index, result in enumerate(results) if result.fault is None]
        waiting = batches(messages, good)

        async def lane() -> None:
            for batch in waiting:
                for index, sent in zip(batch, await self._send_batch([messages[i] for i in batch]), strict=True):
                    results[index] = sent

        # A FIFO queue keeps the order in which batches arrive, so there is one at a time.
        lanes = 1 if self._queue_url.endswith(".fifo") else min(LANES_MAX, len(good) // BATCH_MAX + 1)
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return results

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _send_batch(self, batch: Sequence[Outgoing]) -> Sequence[Sent]:
        results = [Sent(None, None)] * len(batch)
        left = list(range(len(batch)))
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answers = await self._try([batch[index] for index in left])
            for index, sent in zip(left, answers, strict=True):
                results[index] = sent
            left = [index for index in left if _may_repeat(batch[index], results[index])]
            if not left or attempt == ATTEMPTS_MAX:
                break
            await asyncio.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1) * self._dice.uniform(0.5, 1.5))
        return results

    async def _try(self, batch: Sequence[Outgoing]) -> Sequence[Sent]:
        try:
            return await self._client.send_message_batch(
                self._queue_url, batch, is_repeatable=all(message.dedupe is not None for message in batch)
            )
        except QueueError as error:
            return [Sent(None, error.fault)] * len(batch)


def _may_repeat(message: Outgoing, sent: Sent) -> bool:
    if sent.fault is None:
        return False
    if sent.fault.kind is FaultKind.NO_ANSWER:
        return message.dedupe is not None
    return sent.fault.kind.is_transient


class Producer:
    """Sends to one queue from wherever it is called: coroutines of any loop, plain threads, forked processes."""

    def __init__(self, queue_url: str, config: ClientConfig) -> None:
        self._queue_url = queue_url
        self._config = config
        self._sinks: WeakKeyDictionary[asyncio.AbstractEventLoop, SqsSink] = WeakKeyDictionary()

    @property
    def queue_url(self) -> str:
        return self._queue_url

    async def asend(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send from a coroutine."""
        return await (await self._sink()).send(messages)

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send from a plain thread, and wait. Blocks: in a coroutine use `asend`."""
        return in_private_loop(self.asend(messages))

    async def _sink(self) -> SqsSink:
        loop = asyncio.get_running_loop()
        sink = self._sinks.get(loop)
        if sink is None:
            sink = self._sinks[loop] = SqsSink.open(self._queue_url, self._config)
            await _close_with_loop(sink)
        return sink


# ── closing with the loop ──────────────────────────────────────────────────────────────────────────────────

_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncGenerator[None, None]]] = WeakKeyDictionary()


async def _close_with_loop(sink: SqsSink) -> None:
    """Close `sink` when the running loop shuts down.

    asyncio offers one hook for that: it closes the asynchronous generators that are still open
    (`loop.shutdown_asyncgens`, which `asyncio.run` and every runner call).
    """

    async def guard() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await sink.aclose()

    generator = guard()
    await anext(generator)
    _guards.setdefault(asyncio.get_running_loop(), []).append(generator)


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
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Close the connections and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        asyncio.run(self._turn())

    async def _turn(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()


_lock = threading.Lock()
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
