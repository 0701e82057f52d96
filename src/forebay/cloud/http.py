"""A small HTTP/1.1 server for loopback: what the local cloud's services need of the protocol, and no more.

Rules kept here and nowhere else:

1. It listens on 127.0.0.1 only, and serves only who calls it by a loopback name (`http_requests`).
2. One exchange at a time on a connection, in order. An exchange is answered once, dropped, or never answered.
3. `Expect: 100-continue` is honoured, as some clients wait for it.
4. Whoever holds an open exchange is told when its client has gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from forebay.cloud.http_requests import BadRequest, RequestHead, read_head

LOOPBACK = "127.0.0.1"

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Exchange:
    """One request, and the right to answer it."""

    __slots__ = ("_connection", "body", "headers", "is_gone", "method", "on_gone", "path", "query")

    def __init__(
        self, connection: HttpConnection, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        self._connection = connection
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        """Names in lower case."""
        self.body = body
        self.is_gone = False
        """The client has left, or the exchange is over."""
        self.on_gone: Callable[[], None] | None = None
        """Called once if the client leaves before an answer."""

    def answer(self, status: int, body: bytes = b"", *, content_type: str = "", headers: str = "") -> None:
        """Send the answer. `headers`: further lines, each ended by CR LF. Nothing happens if the client has gone."""
        if not self.is_gone:
            self.is_gone = True
            self._connection.send(status, body, content_type, headers)

    def answer_in_part(self, status: int, body: bytes) -> None:
        """Send the head of an answer and half of its body, then end the connection."""
        if not self.is_gone:
            self.is_gone = True
            self._connection.send_in_part(status, body)

    def drop(self) -> None:
        """Cut the connection without an answer, as a broken network does."""
        if not self.is_gone:
            self.is_gone = True
            self._connection.abort()


Handler = Callable[[Exchange], None]


class HttpConnection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, handler: Handler, connections: set[HttpConnection], clock_ahead_s: Callable[[], float]) -> None:
        self._handler = handler
        self._connections = connections
        self._clock_ahead_s = clock_ahead_s
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._head: RequestHead | None = None
        self._exchange: Exchange | None = None
        self._is_paused = False
        self._closes = False

    # ── asyncio's side ─────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._connections.discard(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not exchange.is_gone:
            exchange.is_gone = True
            if exchange.on_gone is not None:
                exchange.on_gone()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._read_on()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read_on()

    # ── requests ───────────────────────────────────────────────────────────────────────────────────────────

    def _read_on(self) -> None:
        """Hand over the next request if it is complete, its predecessor answered, and the client reads."""
        while self._exchange is None and self._buffer and not self._is_paused and self._transport is not None:
            try:
                if self._head is None:
                    self._head = read_head(self._buffer)
                    if self._head is None:
                        return
                    if self._head.expects_continue:
                        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if not self._head.read_body(self._buffer):
                    return
            except BadRequest as bad:
                self._closes = True
                self.send(bad.status, f"{bad}\n".encode(), "text/plain", "")
                return
            head, self._head = self._head, None
            self._closes = head.closes
            exchange = self._exchange = Exchange(self, head.method, head.target, head.headers, bytes(head.body))
            self._handler(exchange)

    def send(self, status: int, body: bytes, content_type: str, headers: str) -> None:
        """Write one answer and go on to the next request."""
        self._exchange = None
        if self._transport is None:
            return
        lines = [_STATUS_LINES.get(status, f"HTTP/1.1 {status} Unknown\r\n"), headers]
        if content_type:
            lines.append(f"Content-Type: {content_type}\r\n")
        if self._closes:
            lines.append("Connection: close\r\n")
        lines.append(f"Content-Length: {len(body)}\r\nDate: {_http_date(self._clock_ahead_s())}\r\n\r\n")
        self._transport.write("".join(lines).encode("latin-1") + body)
        if self._closes:
            self._transport.close()
        elif self._buffer:
            # Not from here: a client that sends ahead would make this recursive.
            asyncio.get_running_loop().call_soon(self._read_on)

    def send_in_part(self, status: int, body: bytes) -> None:
        """Promise all of `body`, send half of it, and close."""
        self._exchange = None
        if self._transport is not None:
            head = f"{_STATUS_LINES[status]}Content-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body[: len(body) // 2])
            self._transport.close()

    def abort(self) -> None:
        """End the connection now, unsent bytes included."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()


_date_cache: tuple[int, str] = (0, "")


def _http_date(ahead_s: float) -> str:
    """Return the Date header, made once a second."""
    global _date_cache
    second = int(time.time() + ahead_s)
    if _date_cache[0] != second:
        _date_cache = (second, formatdate(second, usegmt=True))
    return _date_cache[1]


class LoopbackServer:
    """Listens on a loopback port and hands every request to `handler`."""

    def __init__(self, handler: Handler, *, port: int = 0) -> None:
        self.port = port
        """0 lets the system choose; the real one stands here after `start()`."""
        self.clock_ahead_s = 0.0
        """How far the Date header is ahead of the machine's clock."""
        self._handler = handler
        self._connections: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        assert self._server is None, "started twice"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, LOOPBACK, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def _connect(self) -> HttpConnection:
        return HttpConnection(self._handler, self._connections, lambda: self.clock_ahead_s)

    async def aclose(self) -> None:
        """Stop listening and cut every connection."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._connections):
            connection.abort()
        await server.wait_closed()

    @property
    def endpoint_url(self) -> str:
        assert self._server is not None, "not started"
        return f"http://{LOOPBACK}:{self.port}"
