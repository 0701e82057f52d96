"""One task on the handlers' loop, in which a plain thread has steps carried out, one after the other.

Rules kept here and nowhere else:

1. All steps are taken in one task and one context. What has been entered in one (a task group, a time limit, a context
   variable) can be left in another.
2. While the thread does something else the task waits. If it is cancelled then (by a task group, one of whose tasks has
   failed), the log says so: the thread cannot be cancelled, and what comes next finds its group cancelled.
3. When the loop closes, a step that has not ended is cancelled, and its thread is let go.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from forebay.handlers.loop_thread import LoopThread

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Step = tuple[Coroutine[Any, Any, Any], Future[Any]]


class LoopSteps:
    """The steps of one thread. `run` and `close` are for that thread, and not for the loop's own."""

    def __init__(self, thread: LoopThread, context: Context) -> None:
        self._thread = thread
        self._context = context
        self._waiting: deque[_Step | None] = deque()
        self._task: asyncio.Task[None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._has_told = False

    def run(self, step: Coroutine[Any, Any, _T]) -> _T:
        """Carry out `step` and block this thread until it has ended.

        Raises what the step raises, and `CancelledError` (of asyncio) when the loop closes before its end.
        """
        try:
            return self._thread.wait_for(lambda done: self._add((step, done)))
        finally:
            step.close()  # It has ended, or never began.

    def close(self) -> None:
        """Let the task end."""
        if self._task is not None:
            self._thread.post(self._add, None)

    # ── below, everything runs on the loop ───────────────────────────────────────────────────────────────────

    def _add(self, step: _Step | None) -> None:
        self._waiting.append(step)
        if self._task is None or self._task.done():
            self._task = self._thread.loop.create_task(self._serve(), context=self._context)
        elif self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _serve(self) -> None:
        while not self._thread.is_closing:
            if not self._waiting:
                await self._idle()
                continue
            one = self._waiting.popleft()
            if one is None:
                return
            step, done = one
            try:
                done.set_result(await step)
            except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits, whatever it is
                done.set_exception(error)

    async def _idle(self) -> None:
        self._news = self._thread.loop.create_future()
        try:
            await self._news
        except asyncio.CancelledError:
            if not self._thread.is_closing and not self._has_told:
                self._has_told = True
                _log.error("what a hook, a middleware or a dependency has left running was cancelled")
