"""One HTTP/1.1 connection of ours: a request goes out, an answer comes back, and its end is told from trouble.

Rules kept here and nowhere else:

1. One request at a time; bytes that come when nobody asked close it.
2. A connection that ends before the first byte of an answer says so in a way of its own: only then may the request be
   sent once more.
"""

from __future__ import annotations

import asyncio
from typing import cast

from forebay.clock import Clock
from forebay.queue.http1 import AnswerReader, BadAnswer
from forebay.queue.transport import (
    Answer,
    unanswered,
)

_NOT_YET = float("-inf")


class ClosedUnanswered(Exception):
    """The connection ended before the first byte of an answer."""


class Connection(asyncio.Protocol):
    """One connection, idle or carrying one request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, limit_bytes: int) -> None:
        self._loop = loop
        self._clock = clock
        self._limit = limit_bytes
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._reader: AnswerReader | None = None
        self._deadline_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.first_byte_at = _NOT_YET
        self.idle_since = 0.0
        self.is_reusable = True
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_open(self) -> bool:
        return self.is_reusable and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, deadline_at: float) -> Answer:
        """Send `request` and wait for its answer until `deadline_at` by the loop's clock."""
        assert self._transport is not None
        assert self._answer is None
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._reader = AnswerReader(limit_bytes=self._limit)
        self.first_byte_at = _NOT_YET
        self._watch(deadline_at)
        self._transport.write(request)
        try:
            return await answer
        except BaseException:
            self.abort()  # half an answer may still come: nobody else may read it
            raise
        finally:
            self._answer = self._reader = None

    def _watch(self, deadline_at: float) -> None:
        """See that the answer is not waited for past `deadline_at`.

        A timer for each request would cost as much as sending it, so one timer stays, and looks again when it rings.
        """
        self._deadline_at = deadline_at
        if self._timer is not None:
            if self._timer.when() <= deadline_at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline_at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._answer is None or self._answer.done():
            return
        if self._loop.time() < self._deadline_at:
            self._watch(self._deadline_at)
        else:
            self._answer.set_exception(unanswered("AnswerTimeout", "the server did not answer in time"))

    def abort(self) -> None:
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    def forget_unless_made(self) -> None:
        """A connection that never came about is a closed one."""
        if self._transport is None:
            self._mark_closed()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        reader, answer = self._reader, self._answer
        if reader is None or answer is None or answer.done():
            self.abort()
            return
        if self.first_byte_at == _NOT_YET:
            self.first_byte_at = self._clock.now()
        try:
            is_complete = reader.feed(data)
        except BadAnswer as error:
            answer.set_exception(unanswered("BadAnswer", str(error)))
            self.abort()
            return
        if is_complete:
            self._finish(reader, answer)

    def eof_received(self) -> None:
        reader, answer = self._reader, self._answer
        self.is_reusable = False
        if reader is not None and answer is not None and not answer.done() and reader.end():
            self._finish(reader, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_reusable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        answer = self._answer
        if answer is not None and not answer.done():
            if self.first_byte_at != _NOT_YET:
                answer.set_exception(unanswered("AnswerCutOff", "the connection ended within the answer"))
            else:
                answer.set_exception(ClosedUnanswered(type(exc).__name__ if exc else "closed by the server"))
        self._mark_closed()

    def _mark_closed(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _finish(self, reader: AnswerReader, answer: asyncio.Future[Answer]) -> None:
        self.is_reusable = self.is_reusable and reader.is_reusable
        answer.set_result(Answer(reader.status, reader.headers, reader.body, self.first_byte_at))
