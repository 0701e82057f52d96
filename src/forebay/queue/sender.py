"""How producers send: any number of messages, from a coroutine, a thread, or a process that has forked.

Rules kept here and nowhere else:

1. Messages go in batches of at most ten and at most 1 MiB; to a FIFO queue in the order given. One that SQS would
   refuse is refused here, alone, so that its siblings go.
2. What is known not to have been carried out is sent again, up to `ATTEMPTS_MAX` times. What may have been is sent
   again only if SQS will notice (`dedupe`): a producer must not double its jobs by itself. To a FIFO queue nothing is
   sent again that a later one of its group has overtaken.
3. A queue that has not taken a batch for a reason that holds for the next one too is not asked any further, and a FIFO
   queue after any refusal: the rest is `NOT_TRIED`.
4. Nothing is opened before the first send. Each event loop has connections of its own, closed when the loop ends.
5. Plain threads share one private loop per process. A forked child makes its own and never touches its parent's.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from forebay.errors import FaultKind, QueueError
from forebay.queue.calls import Caller
from forebay.queue.contents import problem, size_bytes
from forebay.queue.keyring import Notify, ignore
from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, NOT_TRIED, Outgoing, Sent, is_fifo
from forebay.queue.resolve import ClientConfig
from forebay.queue.wire import SqsClient

ATTEMPTS_MAX = 4
"""Tries of one batch: three waits of a tenth to under a second, as the AWS SDKs do."""

FIRST_PAUSE_S = 0.1

LANES_MAX = 8
"""Batches sent at once to a standard queue: at 10 ms each, 8,000 messages a second."""

_UNKNOWN = Sent(None, None)
"""What is not answered for yet."""

_T = TypeVar("_T")


def batches(sizes: Sequence[int], indexes: Iterable[int]) -> Iterator[list[int]]:
    """Group `indexes`, in order, into batches that SQS takes. `sizes` are the messages' sizes in bytes."""
    batch: list[int] = []
    batch_bytes = 0
    for index in indexes:
        size = sizes[index]
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
        self._keeps_order = is_fifo(queue_url)
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

    async def send(self, messages: Sequence[Outgoing], *, are_checked: bool = False) -> Sequence[Sent]:
        """Send any number of messages; the answer has one `Sent` for each, in order.

        `are_checked`: the caller has asked for each one's `problem` already.
        """
        sizes = [size_bytes(message) for message in messages]
        results = [_UNKNOWN] * len(messages)
        if not are_checked:
            results = [Sent(None, problem(message, size)) for message, size in zip(messages, sizes, strict=True)]
        good = [index for index, result in enumerate(results) if result.fault is None]
        waiting = batches(sizes, good)
        trouble = _Trouble(keeps_order=self._keeps_order)

        async def lane() -> None:
            for batch in waiting:
                if trouble.is_final:
                    answers: Sequence[Sent] = [Sent(None, NOT_TRIED)] * len(batch)
                else:
                    answers = await self._send_batch([messages[index] for index in batch])
                    trouble.look_at(answers)
                for index, sent in zip(batch, answers, strict=True):
                    results[index] = sent

        # A FIFO queue keeps the order in which batches arrive, so there is one at a time.
        lanes = 1 if self._keeps_order else min(LANES_MAX, len(good) // BATCH_MAX + 1)
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return results

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _send_batch(self, batch: Sequence[Outgoing]) -> Sequence[Sent]:
        results = [_UNKNOWN] * len(batch)
        left = list(range(len(batch)))
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answers = await self._try([batch[index] for index in left])
            for index, sent in zip(left, answers, strict=True):
                results[index] = sent
            left = [index for index in left if self._may_repeat(index, batch, results)]
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

    def _may_repeat(self, index: int, batch: Sequence[Outgoing], results: Sequence[Sent]) -> bool:
        fault, message = results[index].fault, batch[index]
        if fault is None or not fault.kind.is_transient:
            return False
        if fault.kind is FaultKind.NO_ANSWER and message.dedupe is None:
            return False
        return not self._keeps_order or not any(
            later.fault is None and other.group == message.group
            for other, later in zip(batch[index + 1 :], results[index + 1 :], strict=True)
        )


class _Trouble:
    """Whether a queue that did not take a batch will take the next one."""

    def __init__(self, *, keeps_order: bool) -> None:
        self.is_final = False
        self._keeps_order = keeps_order
        self._lost_batches = 0

    def look_at(self, answers: Sequence[Sent]) -> None:
        kinds = {sent.fault.kind for sent in answers if sent.fault is not None}
        if not kinds:
            self._lost_batches = 0
        elif self._keeps_order:
            self.is_final = True  # What comes later must not overtake what was not taken.
        elif all(sent.fault is not None for sent in answers) and FaultKind.REFUSED not in kinds:
            # One lost answer is an accident of one connection. As many as there are lanes are not.
            self._lost_batches += 1
            self.is_final = kinds != {FaultKind.NO_ANSWER} or self._lost_batches >= LANES_MAX


class Producer:
    """Sends to one queue from wherever it is called: coroutines of any loop, plain threads, forked processes.

    The messages are checked ones: `api.queue` makes them.
    """

    def __init__(self, queue_url: str, config: ClientConfig) -> None:
        self._queue_url = queue_url
        self._config = config
        self._sinks: WeakKeyDictionary[asyncio.AbstractEventLoop, SqsSink] = WeakKeyDictionary()

    @property
    def queue_url(self) -> str:
        return self._queue_url

    async def asend(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send from a coroutine."""
        return await (await self._sink()).send(messages, are_checked=True)

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
