"""The executor of `async def` handlers: a second event loop in a thread of its own.

Rules kept here and nowhere else:

1. A batch costs one hand-over each way: one `call_soon_threadsafe` in, one `Deliver.ended` a loop turn out.
2. Nothing that user code raises, cancels or stops ends the loop: not `SystemExit`, not `loop.stop()`.
3. An interrupt cancels the task. What the handler does next is believed: it returned, so it succeeded; it raised an
   answer, so it answered; it raised anything that came from the cancellation, so it was interrupted (or timed out);
   it raised something of its own, so it failed. A handler that swallows the cancellation keeps its attempt open.
4. An attempt whose cancellation reaches it before its first step never runs the user's code.
5. A handler that forks and comes back in the child ends there: a second copy of this worker must not go on.
6. Nothing is asked of an idle loop. While attempts run, one ping a second tells whether it still turns.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, cast

from forebay.handlers.executor import Blockage, Deliver, Ended
from forebay.handlers.failure import Answer, came_from_cancelling, outcome_of
from forebay.handlers.frames import places_of_running, told
from forebay.handlers.registry import Registry
from forebay.model import SUCCEEDED, Attempt, Interrupted, Outcome, TimedOut
from forebay.observability.current import CURRENT_ATTEMPT
from forebay.platform import leave_now, process_id

BLOCKED_AFTER_S = 1.0
"""A ping unanswered for this long means that some handler keeps the loop from turning."""

_start_task = cast("Callable[..., asyncio.Task[None]]", asyncio.Task)
if sys.version_info >= (3, 12):
    # The first step runs at once: a handler that never waits costs no turn of the loop.
    _start_task = partial(_start_task, eager_start=True)
_log = logging.getLogger(__name__)


_Call = Callable[[Attempt], Coroutine[Any, Any, object]]


class _Running:
    """An attempt on this loop, from its hand-over to its end."""

    __slots__ = ("asked_to_end", "attempt", "has_begun", "is_limit", "task")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.task: asyncio.Task[None] | None = None
        self.has_begun = False
        self.asked_to_end = False
        self.is_limit = False

    def interrupted(self) -> Outcome:
        return TimedOut(self.attempt.limit_s) if self.is_limit else Interrupted()

    def outcome_of(self, error: BaseException) -> Outcome:
        if self.asked_to_end and came_from_cancelling(error) and not isinstance(error, Answer):
            return self.interrupted()
        return outcome_of(error)


class LoopExecutor:
    """Runs coroutine handlers on an event loop of their own. Implements `handlers.executor.Executor`."""

    def __init__(self, registry: Registry, *, make_loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        """`make_loop` makes the event loop: uvloop's where it is installed, when left out."""
        self._make_loop = make_loop or _new_loop
        self._calls = {handler.name: cast("_Call", handler.call) for handler in registry}
        self._running: dict[int, _Running] = {}
        self._ended: list[Ended] = []
        self._closing = False
        self._process_id = process_id()
        self._pinged_at: float | None = None
        # An empty context: what the control loop keeps in its own must not be seen by handlers.
        self._context = Context()

    @property
    def can_kill(self) -> bool:
        return False

    def open(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._extend = deliver.extend
        self._loop = self._make_loop()
        self._thread = threading.Thread(target=self._turn, name="forebay-handlers", daemon=True)
        self._thread.start()

    def start(self, attempts: Sequence[Attempt]) -> None:
        if self._closing:
            self._deliver.ended([Ended(attempt.number, Interrupted(), 0.0) for attempt in attempts])
        else:
            self._loop.call_soon_threadsafe(self._begin, attempts, context=self._context)

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        self._post(self._interrupt, number, because_of_limit)

    def notify(self, attempt: Attempt) -> None:
        # The flag has risen before this look, and a waiter looks at the flag after it has put itself on the list:
        # one of the two sees the other.
        if attempt.signals.listeners:
            self._post(_wake, attempt)

    def blockage(self, *, now: float) -> Blockage | None:
        pinged_at = self._pinged_at
        if pinged_at is None:
            if self._running:
                self._pinged_at = now
                self._post(self._answer_ping)
            return None
        if now - pinged_at < BLOCKED_AFTER_S or not self._thread.is_alive():
            return None
        frame = sys._current_frames().get(self._thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
        return Blockage(now - pinged_at, told(places_of_running(frame)))

    def close(self, *, wait_s: float) -> bool:
        if not self._closing:
            self._closing = True
            self._post(self._loop.stop)
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _post(self, callback: Callable[..., object], *arguments: object) -> None:
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(callback, *arguments, context=self._context)
            except RuntimeError:
                # It closed since we looked. There is nobody left to tell.
                assert self._closing

    # ── below, everything runs on the handlers' loop ─────────────────────────────────────────────────────────

    def _begin(self, attempts: Sequence[Attempt]) -> None:
        loop, extend, running, run = self._loop, self._extend, self._running, self._run
        for attempt in attempts:
            attempt.signals.extend = extend
            record = running[attempt.number] = _Running(attempt)
            record.task = _start_task(run(record), loop=loop, name=attempt.job)

    async def _run(self, record: _Running) -> None:
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
        self._end(attempt.number, outcome, monotonic() - began_at)

    def _end(self, number: int, outcome: Outcome, lasted_s: float) -> None:
        if self._running.pop(number, None) is None:
            return
        if not self._ended:
            self._loop.call_soon(self._flush, context=self._context)
        self._ended.append(Ended(number, outcome, lasted_s))

    def _flush(self) -> None:
        ended, self._ended = self._ended, []
        if ended:
            self._deliver.ended(ended)

    def _interrupt(self, number: int, because_of_limit: bool) -> None:
        record = self._running.get(number)
        if record is None:
            return
        if not record.asked_to_end:
            record.asked_to_end = True
            record.is_limit = because_of_limit
        # Before its first step a task would be cancelled without `_run` ever seeing it; that one looks by itself.
        if record.has_begun and record.task is not None:
            record.task.cancel()

    def _answer_ping(self) -> None:
        self._pinged_at = None
        # On Python 3.11 a handler that cancels every task it can find may hit one before its first step: that one
        # never came to run, and nobody but us can say so.
        for number, record in list(self._running.items()):
            if record.task is not None and record.task.done():
                self._end(number, record.interrupted(), 0.0)

    def _turn(self) -> None:
        """Turn the loop until `close`, then end everything on it."""
        asyncio.set_event_loop(self._loop)
        while not self._closing:
            _survive(self._loop.run_forever)
        ending = self._loop.create_task(self._end_everything())
        while not ending.done():
            _survive(self._loop.run_until_complete, ending)
        self._loop.close()

    async def _end_everything(self) -> None:
        for record in self._running.values():
            record.asked_to_end = True
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        self._answer_ping()
        self._flush()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


def _survive(turn: Callable[..., object], *arguments: object) -> None:
    """Turn the loop. `SystemExit` or `KeyboardInterrupt` out of a task of the user's own comes through here."""
    try:
        turn(*arguments)
    except BaseException as error:  # noqa: BLE001 - whatever it is, other handlers go on
        _log.error("a task started by a handler raised %s: the handlers' loop goes on", type(error).__qualname__)


def _wake(attempt: Attempt) -> None:
    for listener in tuple(attempt.signals.listeners):
        listener()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())
