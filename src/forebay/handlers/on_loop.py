"""The executor of `async def` handlers: tasks on an event loop in a thread of its own (`loop_thread`).

Rules kept here and nowhere else:

1. A hand-over costs one `call_soon_threadsafe` in, and one `Deliver.ended` a loop turn out, however many attempts.
2. A batch of messages is one task; an interrupt of any of its attempts is one of all.
3. An interrupt cancels the task. What the handler does next is believed: it returned, so it succeeded; it raised an
   answer, so it answered; it raised anything that came from the cancellation, so it was interrupted (or timed out);
   it raised something of its own, so it failed. A handler that swallows the cancellation keeps its attempt open.
4. An attempt whose cancellation reaches it before its first step never runs the user's code.
5. A handler that forks and comes back in the child ends there: a second copy of this worker must not go on.
6. Nothing is asked of an idle loop. While attempts run, one ping a second tells whether it still turns.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, cast

from forebay.handlers.batches import ends_of, gathered
from forebay.handlers.executor import Blockage, Deliver, Ended
from forebay.handlers.frames import places_awaited, places_of_running, told
from forebay.handlers.loop_running import Running
from forebay.handlers.loop_thread import LoopThread
from forebay.handlers.registry import Registry
from forebay.model import SUCCEEDED, Attempt, Interrupted, Outcome
from forebay.observability.current import CURRENT_ATTEMPT
from forebay.platform import leave_now, process_id

BLOCKED_AFTER_S = 1.0
"""A ping unanswered for this long means that some handler keeps the loop from turning."""

_start_task = cast("Callable[..., asyncio.Task[None]]", asyncio.Task)
if sys.version_info >= (3, 12):
    # The first step runs at once: a handler that never waits costs no turn of the loop.
    _start_task = partial(_start_task, eager_start=True)

_Call = Callable[[Attempt], Coroutine[Any, Any, object]]
_BatchCall = Callable[[Sequence[Attempt]], Coroutine[Any, Any, Sequence[Outcome]]]


class LoopExecutor:
    """Runs coroutine handlers on an event loop of their own. Implements `handlers.executor.Executor`."""

    def __init__(
        self,
        registry: Registry,
        *,
        thread: LoopThread | None = None,
        make_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        """`thread` has the event loop, which others may use as well: it is started here, and closed by its owner. Left
        out, it is a new one (made by `make_loop`, uvloop's if there is one), which is closed together with this.
        """
        self._owns_thread = thread is None
        self._thread = thread if thread is not None else LoopThread(make_loop=make_loop)
        self._all_ended = threading.Event()
        self._thread.on_ending = self._ask_all_to_end
        self._thread.on_ended = self._tell_the_rest
        self._calls = {handler.name: cast("_Call", handler.call) for handler in registry}
        self._running: dict[int, Running] = {}
        self._ended: list[Ended] = []
        self._closing = False
        self._process_id = process_id()
        self._pinged_at: float | None = None
        self._context = Context()

    @property
    def can_kill(self) -> bool:
        return False

    def open(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._extend = deliver.extend
        self._thread.start()
        self._loop = self._thread.loop

    def start(self, attempts: Sequence[Attempt]) -> None:
        if self._closing:
            self._deliver.ended([Ended(attempt.number, Interrupted(), 0.0) for attempt in attempts])
        else:
            self._thread.post(self._begin, attempts)

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        self._thread.post(self._interrupt, number, because_of_limit)

    def notify(self, attempt: Attempt) -> None:
        # The flag has risen before this look, and a waiter looks at the flag after it has put itself on the list:
        # one of the two sees the other.
        if attempt.signals.listeners:
            self._thread.post(_wake, attempt)

    def blockage(self, *, now: float) -> Blockage | None:
        pinged_at = self._pinged_at
        if pinged_at is None:
            if self._running:
                self._pinged_at = now
                self._thread.post(self._answer_ping)
            return None
        if now - pinged_at < BLOCKED_AFTER_S or not self._thread.is_alive:
            return None
        return Blockage(now - pinged_at, told(places_of_running(self._thread.frame())))

    def stack_of(self, number: int) -> tuple[str, ...]:
        record = self._running.get(number)
        if record is None:
            return ()
        coroutine = record.task.get_coro() if record.task is not None else None
        if coroutine is None or getattr(coroutine, "cr_running", False):
            # It is in its first step, or in another that does not end: it is what the loop's thread does.
            return told(places_of_running(self._thread.frame()))
        return told(places_awaited(coroutine))

    def close(self, *, wait_s: float) -> bool:
        self._closing = True
        if self._owns_thread:
            return self._thread.close(wait_s=wait_s)
        if not self._thread.is_alive:
            return True
        self._thread.post(self._end_attempts)
        return self._all_ended.wait(wait_s)

    # ── below, everything runs on the handlers' loop ─────────────────────────────────────────────────────────

    def _begin(self, attempts: Sequence[Attempt]) -> None:
        loop, extend, running, run = self._loop, self._extend, self._running, self._run
        singles, batches = gathered(attempts)
        for attempt in singles:
            attempt.signals.extend = extend
            record = running[attempt.number] = Running(attempt)
            record.task = _start_task(run(record), loop=loop, name=attempt.job)
        for batch in batches:
            record = Running(batch[0])
            for attempt in batch:
                attempt.signals.extend = extend
                running[attempt.number] = record
            record.task = _start_task(self._run_batch(record, batch), loop=loop, name=batch[0].job)

    async def _run(self, record: Running) -> None:
        attempt = record.attempt
        began_at = monotonic()
        record.has_begun = True
        CURRENT_ATTEMPT.set(attempt)  # In the task's own copy of the context.
        outcome: Outcome = SUCCEEDED
        if record.asked_to_end:
            outcome = record.interrupted()
        else:
            try:
                await self._calls[attempt.job](attempt)
            except BaseException as error:  # noqa: BLE001 - user code may raise anything, and the loop must go on
                outcome = record.outcome_of(error)
            if process_id() != self._process_id:
                leave_now(0 if outcome is SUCCEEDED else 1)
        self._end(attempt, outcome, monotonic() - began_at)

    async def _run_batch(self, record: Running, batch: Sequence[Attempt]) -> None:
        began_at = monotonic()
        record.has_begun = True
        CURRENT_ATTEMPT.set(record.attempt)
        if record.asked_to_end:
            outcomes: Sequence[Outcome] = [record.interrupted()] * len(batch)
        else:
            try:
                outcomes = await cast("_BatchCall", self._calls[record.attempt.job])(batch)
                assert len(outcomes) == len(batch), (len(outcomes), len(batch))
            except BaseException as error:  # noqa: BLE001 - user code may raise anything, and the loop must go on
                outcomes = ends_of(error, batch, record.outcome_of)
            if process_id() != self._process_id:
                leave_now(0 if all(outcome is SUCCEEDED for outcome in outcomes) else 1)
        lasted_s = monotonic() - began_at
        for attempt, outcome in zip(batch, outcomes, strict=True):
            self._end(attempt, outcome, lasted_s)

    def _end(self, attempt: Attempt, outcome: Outcome, lasted_s: float) -> None:
        if self._running.pop(attempt.number, None) is None:
            return
        if not self._ended:
            self._loop.call_soon(self._flush, context=self._context)
        self._ended.append(Ended(attempt.number, outcome, lasted_s, attempt.signals.checkpoint))

    def _flush(self) -> None:
        ended, self._ended = self._ended, []
        if ended:
            self._deliver.ended(ended)
        if self._closing and not self._running:
            self._all_ended.set()

    def _interrupt(self, number: int, because_of_limit: bool) -> None:
        record = self._running.get(number)
        if record is None:
            return
        if not record.asked_to_end:
            record.asked_to_end = True
            record.is_limit = because_of_limit
        # Before its first step a task would be cancelled without `_run` ever seeing it; that one looks by itself.
        if record.has_begun and record.task is not None and record.is_asked_again(number):
            record.task.cancel()

    def _answer_ping(self) -> None:
        self._pinged_at = None
        # On Python 3.11 a handler that cancels every task it can find may hit one before its first step: that one
        # never came to run, and nobody but us can say so.
        for record in list(self._running.values()):
            if record.task is not None and record.task.done():
                self._end(record.attempt, record.interrupted(), 0.0)

    def _end_attempts(self) -> None:
        self._ask_all_to_end()
        for record in tuple(self._running.values()):
            if record.has_begun and record.task is not None:
                record.task.cancel()
        self._flush()

    def _ask_all_to_end(self) -> None:
        for record in self._running.values():
            record.asked_to_end = True

    def _tell_the_rest(self) -> None:
        self._answer_ping()
        self._flush()


def _wake(attempt: Attempt) -> None:
    for listener in tuple(attempt.signals.listeners):
        listener()
