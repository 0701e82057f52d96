"""The runs of a client: what they have in common, and how each of them begins and ends.

Rules kept here and nowhere else:

1. Each run is a worker of its own, from start to exit, on an event loop in the caller's thread. Only the handlers'
   threads, their loop and what the start hooks have made outlast it.
2. A single attempt is a run on a queue of its own, which stops when that attempt has ended: whatever the worker's
   queues hold, it touches nothing of it.
3. Patience is counted in real time. Code that does not end even then keeps the client from being used again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from forebay.errors import JobError
from forebay.handlers.executor import Executor
from forebay.handlers.loop_thread import LoopThread
from forebay.handlers.on_loop import LoopExecutor
from forebay.handlers.on_thread import ThreadExecutor
from forebay.handlers.registry import Registry, Unroutable
from forebay.queue.memory import MemorySource
from forebay.queue.port import Counts
from forebay.rules.queue_semantics import QueueService
from forebay.testing.attempted import AttemptResult
from forebay.testing.enqueued import EnqueuedJob
from forebay.testing.given_message import Given
from forebay.testing.interruption import Interruption
from forebay.testing.local_drained import Until
from forebay.testing.local_pacing import PacedExecutor, Raised, keeping_what_is_raised
from forebay.testing.local_report import JobAttempt, NotDrained, WorkReport
from forebay.testing.local_run import CLOSE_WAIT_S, Run, settings_of
from forebay.testing.local_waiting import too_late
from forebay.testing.memory_account import MemoryAccount
from forebay.testing.memory_time import MeetingClock, MeetingLoop

if TYPE_CHECKING:
    from forebay.api.worker import Worker

ALONE = "forebay-one-attempt"
"""The queue of single attempts."""


class ClientRuns:
    """The worker of one client, run as often as the test asks for it."""

    def __init__(
        self,
        worker: Worker,
        account: MemoryAccount,
        clock: MeetingClock,
        *,
        visibility_s: int | None,
        patience_s: float,
    ) -> None:
        self._worker = worker
        self._account = account
        self._clock = clock
        self._visibility_s = visibility_s
        self._patience_s = patience_s
        self._raised: Raised = {}
        self._is_left_behind = False
        """Whether a run has been left without the end of its code."""
        self._loop = LoopThread(make_loop=lambda: MeetingLoop(clock, runs_user_code=True))
        self._registry: Registry
        self._places: dict[str, PacedExecutor] = {}

    def open(self) -> None:
        """Start the handlers' loop, and run the start hooks. Raises `HookFailed`."""
        addresses = self._worker.home.addresses or (self._worker.name,)
        self._settings = settings = settings_of(self._worker, addresses, visibility_s=self._visibility_s)
        self._registry = registry = keeping_what_is_raised(self._worker.registry, self._raised)
        inner: dict[str, tuple[Executor, bool]] = {
            "loop": (LoopExecutor(registry, thread=self._loop), False),
            "thread": (ThreadExecutor(registry, settings.slots), True),
        }
        self._places = {
            runs: PacedExecutor(executor, self._clock, holds=holds) for runs, (executor, holds) in inner.items()
        }
        self._loop.start()
        self._worker.lifespan.start(self._loop)

    def close(self) -> None:
        """Run the stop hooks, and end the handlers' threads. Raises what a hook raised."""
        failed = self._worker.lifespan.stop()
        for place in self._places.values():
            place.close(wait_s=CLOSE_WAIT_S)
        self._loop.close(wait_s=CLOSE_WAIT_S)
        if failed:
            raise failed[0] from failed[0].error

    def work(self, urls: Sequence[str], until: Until, interruption: Interruption) -> WorkReport:
        """Run the worker until the queues are drained, or it is interrupted."""
        return self._perform(self._run(urls, until), interruption)

    def attempts(self, given: Sequence[Given], interruption: Interruption) -> list[AttemptResult]:
        """Run one attempt at each, and return what came of it, in the same order."""
        is_fifo = (self._worker.home.addresses or (self._worker.name,))[0].endswith(".fifo")
        queue = self._account.queue(ALONE + ".fifo" if is_fifo else ALONE)
        sent_before = len(self._account.enqueued)
        ids = [self._put(one, queue.url, index) for index, one in enumerate(given)]
        run = self._run([queue.url], "empty")

        def stop_after_the_last() -> None:
            if {end.attempt.message.message_id for end in run.recorder.conclusions}.issuperset(ids):
                run.stop("each attempt has ended")

        run.recorder.on_concluded.append(stop_after_the_last)
        try:
            report = self._perform(run, interruption)
        finally:
            queue.purge()
        sent = tuple(self._account.enqueued[sent_before:])
        by_id = {one.message_id: one for one in reversed(report.attempts)}
        return [_result(by_id[message_id], sent, interruption) for message_id in ids]

    def _run(self, urls: Sequence[str], until: Until) -> Run:
        return Run(
            registry=self._registry,
            raised=self._raised,
            queues=tuple(urls),
            settings=self._settings,
            service=self._account.memory.rules,
            clock=self._clock,
            open_sources=partial(self._account.sources, urls),
            places=self._places,
            until=until,
            when_stopping=self._account.end_polls,
            closes_places=False,
        )

    def _put(self, given: Given, url: str, index: int) -> str:
        """Put the message into the queue as one that has been received before, and return its id."""
        message = given.message(url)
        handler = self._registry.route(message)
        if isinstance(handler, Unroutable):
            raise JobError(f"worker {self._worker.name!r} cannot do this: {handler.reason}")
        outgoing = given.outgoing(message, counts_exactly=handler.retry == "resend")
        if url.endswith(".fifo"):
            outgoing = replace(outgoing, group=outgoing.group or "one", dedupe=f"{self._clock.now()}-{index}")

        def there(rules: QueueService) -> str:
            (sent,) = MemorySource(self._account.memory, url).put([outgoing])
            if sent.message_id is None:
                raise JobError(f"this message cannot be sent: {sent.fault}")
            for stored in rules.registry.find(url).shelves.messages.values():
                if stored.content.message_id == sent.message_id:
                    stored.receive_count = message.receive_count - 1
            return sent.message_id

        return self._account.on_rules(there)

    # ── on the caller's thread ─────────────────────────────────────────────────────────────────────────────

    def _perform(self, run: Run, interruption: Interruption) -> WorkReport:
        _refuse_in_a_coroutine()
        if self._is_left_behind:
            raise JobError(
                "code of an earlier call may still run: it did not end when it was told to. Make a new client"
            )
        return anyio.run(
            self._work, run, interruption,
            backend_options={"loop_factory": lambda: MeetingLoop(self._clock, runs_user_code=False)},
        )  # fmt: skip

    async def _work(self, run: Run, interruption: Interruption) -> WorkReport:
        loop = asyncio.get_running_loop()
        is_late = False

        def give_up() -> None:
            nonlocal is_late
            is_late = True
            run.stop_now()

        def stop() -> None:
            loop.call_soon_threadsafe(run.stop, "the test stops the worker")

        for place in self._places.values():
            place.prepare = partial(interruption.prepare, stop)
        if interruption.after_s is not None:
            loop.call_later(interruption.after_s, stop)
        patience = threading.Timer(self._patience_s, loop.call_soon_threadsafe, [give_up])
        patience.daemon = True
        patience.start()
        self._is_left_behind = True
        try:
            report = await run.work()
        finally:
            patience.cancel()
        self._is_left_behind = run.code_still_runs
        if is_late:
            counts = [self._account.queues.at(url).counts() for url in run.queues]
            left = Counts(*(sum(numbers) for numbers in zip(*counts, strict=True)))
            raise NotDrained(report, too_late(report, self._patience_s, left))
        return report


def _refuse_in_a_coroutine() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise JobError("this call would block the running event loop: write `await client.awork()` or `.arun(…)`")


def _result(end: JobAttempt, sent: tuple[EnqueuedJob, ...], interruption: Interruption) -> AttemptResult:
    told = {name: getattr(end, name) for name in JobAttempt.__slots__}
    if interruption.lease_lost:
        told |= {"settlement": "none", "delay_s": 0.0}  # A worker that has lost its lease settles nothing.
    return AttemptResult(**told, enqueued=sent)
