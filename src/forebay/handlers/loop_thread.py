"""An event loop that turns in a daemon thread: where asynchronous user code runs, away from the control loop.

Rules kept here and nowhere else:

1. Nothing that user code raises, cancels or stops ends the loop: not `SystemExit`, not `loop.stop()`.
2. The thread begins when it is first needed. Once closed, everything that is still on the loop is cancelled and waited
   for.
3. A plain thread may wait for a step on the loop (`loop_steps`). It is let go when the loop closes, whatever became of
   the step.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from types import FrameType
from typing import Any, TypeVar, cast

from forebay.handlers.loop_steps import LoopSteps

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class LoopThread:
    """One event loop and its thread. May be used from any thread; `run` not from the loop's own."""

    def __init__(self, *, make_loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        """`make_loop` makes the event loop: uvloop's where it is installed, when left out."""
        self._make_loop = make_loop or _new_loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closing = False
        self._awaited: set[Future[Any]] = set()
        """What plain threads wait for."""
        # An empty context: what the control loop keeps in its own must not be seen by user code.
        self._context = Context()
        self.on_ending: Callable[[], None] = _nothing
        """Called on the loop before all that is on it is cancelled."""
        self.on_ended: Callable[[], None] = _nothing
        """Called on the loop when nothing runs on it any more."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop. Only once it has been started."""
        assert self._loop is not None
        return self._loop

    @property
    def is_closing(self) -> bool:
        """Whether the loop has been told to end."""
        return self._is_closing

    @property
    def is_alive(self) -> bool:
        """Whether the loop still turns."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Let the loop turn. Repeats change nothing."""
        with self._starting:
            if self._thread is None and not self._is_closing:
                self._loop = self._make_loop()
                self._thread = threading.Thread(target=self._turn, name="forebay-handlers", daemon=True)
                self._thread.start()

    def post(self, callback: Callable[..., object], *arguments: object) -> None:
        """Have `callback` called on the loop, in an empty context. Passed over once the loop has closed."""
        if self._loop is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(callback, *arguments, context=self._context)
            except RuntimeError:
                # It closed since we looked. There is nobody left to tell.
                assert self._is_closing

    def run(self, step: Coroutine[Any, Any, _T], context: Context) -> _T:
        """Carry out one step alone on the loop, in `context`, and block this thread until it has ended."""
        steps = LoopSteps(self, context)
        try:
            return steps.run(step)
        finally:
            steps.close()

    def wait_for(self, begin: Callable[[Future[_T]], None]) -> _T:
        """Call `begin` on the loop and block this thread until its future is done. Starts the loop if need be.

        Raises `CancelledError` (of asyncio) when the loop is closed before that.
        """
        assert threading.current_thread() is not self._thread, "the loop would wait for itself"
        self.start()
        done: Future[_T] = Future()
        # First into the set: who closes the loop after this looks into it, and who has closed it before refuses.
        self._awaited.add(done)
        try:
            if self._is_closing:
                raise RuntimeError("closing")
            self.loop.call_soon_threadsafe(begin, done, context=self._context)
        except RuntimeError:
            self._awaited.discard(done)
            raise asyncio.CancelledError("the handlers' loop has been closed") from None
        try:
            return done.result()
        finally:
            self._awaited.discard(done)

    def frame(self) -> FrameType | None:
        """Return the innermost frame of what the thread is doing at the moment."""
        ident = None if self._thread is None else self._thread.ident
        return sys._current_frames().get(ident or 0)  # pyright: ignore[reportPrivateUsage]

    def close(self, *, wait_s: float) -> bool:
        """Cancel what is on the loop and end the thread. False if some code would not end in `wait_s`."""
        with self._starting:
            is_first, self._is_closing = not self._is_closing, True
            thread = self._thread
        if thread is None:
            return True
        if is_first:
            self.post(self.loop.stop)
        thread.join(wait_s)
        return not thread.is_alive()

    # ── below, everything runs on the thread ─────────────────────────────────────────────────────────────────

    def _turn(self) -> None:
        """Turn the loop until `close`, then end everything on it."""
        loop = self.loop
        asyncio.set_event_loop(loop)
        while not self._is_closing:
            _survive(loop.run_forever)
        ending = loop.create_task(self._end_everything())
        while not ending.done():
            _survive(loop.run_until_complete, ending)
        loop.close()
        for done in tuple(self._awaited):
            if not done.done():
                done.set_exception(asyncio.CancelledError("the handlers' loop has been closed"))

    async def _end_everything(self) -> None:
        self.on_ending()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        self.on_ended()
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()


def _survive(turn: Callable[..., object], *arguments: object) -> None:
    """Turn the loop. `SystemExit` or `KeyboardInterrupt` out of a task of the user's own comes through here."""
    try:
        turn(*arguments)
    except BaseException as error:  # noqa: BLE001 - whatever it is, other handlers go on
        _log.error("a task started by a handler raised %s: the handlers' loop goes on", type(error).__qualname__)


def _nothing() -> None:
    return None


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())
