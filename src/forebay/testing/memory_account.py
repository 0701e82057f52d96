"""The queues of a test in memory: what is sent goes there, and one run at a time works there.

Rules kept here and nowhere else:

1. Whatever this process sends to SQS while the test has it comes here; nothing leaves the process.
2. The rules of the queues are turned by one thread at a time: by the event loop of the run, while there is one.
3. A queue that is first named by a producer is made, with a dead-letter queue: in memory, none is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio
import anyio.lowlevel

from forebay.clock import Clock
from forebay.queue.memory import MemoryQueues, MemorySource
from forebay.queue.port import Outgoing, Sent, Source
from forebay.rules.queue_semantics import QueueService
from forebay.testing.enqueued import EnqueuedJob
from forebay.testing.glass_queue import GlassQueue
from forebay.testing.local_queues import Queues
from forebay.worker.inbox import soon_on_this_loop

Answer = TypeVar("Answer")


class MemoryAccount:
    """An account's queues in memory. Implements `api.sending.Catch` and `glass_queue.Place`; used from any thread."""

    def __init__(self, clock: Clock, *, dead_letter: bool, receives_max: int) -> None:
        self._clock = clock
        self._dead_letter = dead_letter
        self._receives_max = receives_max
        self.memory = MemoryQueues(clock=clock)
        self.queues = Queues[GlassQueue](self, partial(GlassQueue, self))
        self.enqueued: list[EnqueuedJob] = []
        """What has been sent so far, in order."""
        self._gate = threading.RLock()
        self._soon: Callable[[Callable[[], object]], object] | None = None
        """How to call something on the loop of the run that is on. None: there is no run."""
        self._loop_thread = 0

    def queue(self, address: str) -> GlassQueue:
        """Return the queue of this URL or name, made if it is new."""
        name = address.rpartition("/")[2]
        if self.queues.has(name):
            return self.queues.find(name)
        return self.queues.create(name, dead_letter=self._dead_letter, receives_max=self._receives_max, attributes={})

    # ── what producers see ─────────────────────────────────────────────────────────────────────────────────

    def has(self, address: str, /) -> bool:
        return self.queues.has(address.rpartition("/")[2])

    def take(self, address: str, messages: Sequence[Outgoing], /) -> Sequence[Sent]:
        def there(_: QueueService) -> Sequence[Sent]:
            queue = self.queue(address)
            source = MemorySource(self.memory, queue.url)
            results = [sent for message in messages for sent in source.put([message])]
            self.enqueued += [
                EnqueuedJob.of(message, queue=queue.name, message_id=sent.message_id)
                for message, sent in zip(messages, results, strict=True)
                if sent.message_id is not None
            ]
            return results

        return self.on_rules(there)

    # ── turning the rules ──────────────────────────────────────────────────────────────────────────────────

    def now(self) -> float:
        return self._clock.now()

    def on_rules(self, function: Callable[[QueueService], Answer], /) -> Answer:
        """Call `function` with the rules, brought up to now; wait for the run's loop to do so if there is one."""
        with self._gate:
            if self._soon is None or threading.get_ident() == self._loop_thread:
                return self._turned(function)
            answer: Future[Answer] = Future()

            def there() -> None:
                try:
                    answer.set_result(self._turned(function))
                except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits
                    answer.set_exception(error)

            self._soon(there)
        return answer.result()

    def _turned(self, function: Callable[[QueueService], Answer]) -> Answer:
        self.memory.rules.advance(self.now())
        try:
            return function(self.memory.rules)
        finally:
            self.memory.stir()  # A poll may wait for what has been sent.

    def end_polls(self) -> None:
        """Answer every open poll with nothing. On the run's loop: a worker that stops need not wait for the rest."""
        for queue in self.memory.rules.registry.by_name.values():
            queue.end_waiters()
        self.memory.settle()

    @asynccontextmanager
    async def sources(self, urls: Sequence[str]) -> AsyncGenerator[Mapping[str, Source]]:
        """Make a source for each queue. Until the block ends the running event loop alone turns the rules."""
        with self._gate:
            assert self._soon is None, "one run at a time"
            self._soon, self._loop_thread = soon_on_this_loop(), threading.get_ident()
        try:
            yield {url: MemorySource(self.memory, url) for url in urls}
        finally:
            with self._gate:
                self._soon = None
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()  # What was asked of the loop before that has its turn now.
