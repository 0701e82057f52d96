"""The default transport: HTTP/1.1 over asyncio connections of our own, kept alive in a small pool.

Chosen for its price: a cycle of receive and delete costs a third of what aiohttp takes (PERF.md part B).
Proxies are `queue.proxied`'s.

Rules kept here and nowhere else:

1. One request at a time on a connection; bytes that come when nobody asked close it.
2. The youngest idle connection is used first, so that surplus ones grow old and are closed.
3. At most `connections_max` requests are open; the next one waits in line, within its own time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import cast

from forebay.clock import Clock, SystemClock
from forebay.queue.http1 import AnswerReader, BadAnswer
from forebay.queue.transport import (
    ANSWER_MAX_BYTES,
    CONNECT_MAX_S,
    IDLE_MAX_S,
    IDLE_SAFE_S,
    Answer,
    Endpoint,
    Line,
    TlsContext,
    unanswered,
    unsent,
)

_NOT_YET = float("-inf")


class _ClosedUnanswered(Exception):
    """The connection ended before the first byte of an answer."""


class _Connection(asyncio.Protocol):
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
                answer.set_exception(_ClosedUnanswered(type(exc).__name__ if exc else "closed by the server"))
        self._mark_closed()

    def _mark_closed(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _finish(self, reader: AnswerReader, answer: asyncio.Future[Answer]) -> None:
        self.is_reusable = self.is_reusable and reader.is_reusable
        answer.set_result(Answer(reader.status, reader.headers, reader.body, self.first_byte_at))


class DirectTransport:
    """Requests to one endpoint over connections of our own."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connections_max: int = 64,
        tls: TlsContext = ssl.create_default_context,
        clock: Clock | None = None,
        answer_max_bytes: int = ANSWER_MAX_BYTES,
    ) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._tls_context: ssl.SSLContext | None = None
        self._clock = clock if clock is not None else SystemClock()
        self._answer_max_bytes = answer_max_bytes
        self._head = f"POST {endpoint.path} HTTP/1.1\r\nHost: {endpoint.authority}\r\n"
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        self._line = Line(connections_max)
        self._is_closed = False

    async def request(
        self, body: bytes, headers: Mapping[str, str], *, timeout_s: float, is_repeatable: bool = True
    ) -> Answer:
        """POST `body` to the endpoint's path and return the answer, whatever its status."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        request = f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        loop = asyncio.get_running_loop()
        deadline_at = loop.time() + timeout_s
        if not self._line.enter_at_once():
            await self._line.enter(timeout_s=timeout_s)
        try:
            return await self._send(request, deadline_at, is_repeatable)
        finally:
            self._line.leave()

    async def aclose(self) -> None:
        """Close every connection and wait until each is closed."""
        self._is_closed = True
        self._idle.clear()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await asyncio.wait([connection.closed for connection in self._open])

    async def _send(self, request: bytes, deadline_at: float, is_repeatable: bool) -> Answer:
        kept = self._take_idle(IDLE_MAX_S if is_repeatable else IDLE_SAFE_S)
        if kept is not None:
            try:
                return await self._exchange(kept, request, deadline_at)
            except _ClosedUnanswered as error:
                # The server closed an idle connection just as we wrote: the commonest of all network errors.
                if not is_repeatable:
                    raise unanswered("ConnectionClosed", str(error)) from error
        fresh = await self._connect(deadline_at)
        try:
            return await self._exchange(fresh, request, deadline_at)
        except _ClosedUnanswered as error:
            raise unanswered("ConnectionClosed", str(error)) from error

    async def _exchange(self, connection: _Connection, request: bytes, deadline_at: float) -> Answer:
        answer = await connection.exchange(request, deadline_at)
        if connection.is_open and not self._is_closed:
            connection.idle_since = self._clock.now()
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    def _take_idle(self, age_max_s: float) -> _Connection | None:
        now = self._clock.now()
        idle = self._idle
        while idle and now - idle[0].idle_since > IDLE_MAX_S:
            idle.popleft().abort()
        while idle and not idle[-1].is_open:
            idle.pop()
        if idle and now - idle[-1].idle_since <= age_max_s:
            return idle.pop()
        return None

    async def _connect(self, deadline_at: float) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise unsent(ConnectionError(), detail="this client has been closed")
        connection = _Connection(loop, self._clock, self._answer_max_bytes)
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        try:
            if self._endpoint.is_tls and self._tls_context is None:
                self._tls_context = await loop.run_in_executor(None, self._tls)
            async with asyncio.timeout_at(min(deadline_at, loop.time() + CONNECT_MAX_S)):
                await loop.create_connection(
                    lambda: connection, self._endpoint.host, self._endpoint.port, ssl=self._tls_context
                )
        except TimeoutError as error:
            raise unsent(error, detail=f"no connection to {self._endpoint.authority} in time") from error
        except (OSError, UnicodeError) as error:  # refused, reset, no such host, TLS
            raise unsent(error) from error
        finally:
            connection.forget_unless_made()
        return connection
