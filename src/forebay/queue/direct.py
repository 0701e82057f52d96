"""The default transport: HTTP/1.1 over asyncio connections of our own, kept alive in a small pool.

Chosen for its price: a cycle of receive and delete costs a third of what aiohttp takes (PERF.md part B).
Proxies are `queue.proxied`'s.

Rules kept here and nowhere else:

1. The youngest idle connection is used first, so that surplus ones grow old and are closed.
2. At most `connections_max` requests are open; the next one waits in line, within its own time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping

from forebay.clock import Clock, SystemClock
from forebay.queue.connection import ClosedUnanswered, Connection
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
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
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
            except ClosedUnanswered as error:
                # The server closed an idle connection just as we wrote: the commonest of all network errors.
                if not is_repeatable:
                    raise unanswered("ConnectionClosed", str(error)) from error
        fresh = await self._connect(deadline_at)
        try:
            return await self._exchange(fresh, request, deadline_at)
        except ClosedUnanswered as error:
            raise unanswered("ConnectionClosed", str(error)) from error

    async def _exchange(self, connection: Connection, request: bytes, deadline_at: float) -> Answer:
        answer = await connection.exchange(request, deadline_at)
        if connection.is_open and not self._is_closed:
            connection.idle_since = self._clock.now()
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    def _take_idle(self, age_max_s: float) -> Connection | None:
        now = self._clock.now()
        idle = self._idle
        while idle and now - idle[0].idle_since > IDLE_MAX_S:
            idle.popleft().abort()
        while idle and not idle[-1].is_open:
            idle.pop()
        if idle and now - idle[-1].idle_since <= age_max_s:
            return idle.pop()
        return None

    async def _connect(self, deadline_at: float) -> Connection:
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise unsent(ConnectionError(), detail="this client has been closed")
        connection = Connection(loop, self._clock, self._answer_max_bytes)
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
            raise unsent(error, host=self._endpoint.host) from error
        finally:
            connection.forget_unless_made()
        return connection
