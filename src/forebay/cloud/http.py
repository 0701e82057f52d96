"""A small HTTP/1.1 server for loopback: what the local cloud's services need of the protocol, and no more.

Rules kept here and nowhere else:

1. It listens on 127.0.0.1 only, and answers only who calls it by a loopback name: a request with another Host, or with
   the Origin of another site, gets 403. Otherwise any web page could drive a developer's queues through the browser.
2. One exchange at a time on a connection, in order. An exchange is answered once, dropped, or never answered.
3. Bodies come with a length or in chunks, never both; `Expect: 100-continue` is honoured.
4. Whoever holds an open exchange is told when its client has gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

HEAD_MAX_BYTES = 64 * 1024
BODY_MAX_BYTES = 16 * 1024 * 1024
LOOPBACK = "127.0.0.1"

_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]", "::1"))
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class BadRequest(Exception):
    """The bytes are no request that this server takes. The connection ends with `status`."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


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
        self._head: _Head | None = None
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
                    self._head = _read_head(self._buffer)
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


class _Head:
    """A request whose body may still be on its way."""

    __slots__ = ("_missing", "body", "closes", "expects_continue", "headers", "is_chunked", "method", "target")

    def __init__(self, method: str, target: str, version: str, headers: dict[str, str]) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body: bytes | bytearray = b""
        connection = headers.get("connection", "").lower()
        self.closes = connection == "close" or (version == "HTTP/1.0" and connection != "keep-alive")
        self.expects_continue = headers.get("expect", "").lower() == "100-continue"
        encoding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if encoding is not None and (encoding.lower() != "chunked" or length is not None):
            raise BadRequest(400, "a body comes either with Content-Length or in chunks")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise BadRequest(400, "Content-Length is no number")
        self.is_chunked = encoding is not None
        self._missing = int(length or 0)
        if self._missing > BODY_MAX_BYTES:
            raise BadRequest(413, f"the body is longer than {BODY_MAX_BYTES} bytes")

    def read_body(self, buffer: bytearray) -> bool:
        """Take what belongs to the body out of `buffer`; True when the body is complete."""
        if self.is_chunked:
            return self._read_chunks(buffer)
        if len(buffer) < self._missing:
            return False
        if self._missing:
            self.body = buffer[: self._missing]
            del buffer[: self._missing]
        return True

    def _read_chunks(self, buffer: bytearray) -> bool:
        while (line_end := buffer.find(b"\r\n")) >= 0:
            size_text = bytes(buffer[:line_end]).partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise BadRequest(400, "a chunk without a size") from None
            if size < 0 or len(self.body) + size > BODY_MAX_BYTES:
                raise BadRequest(413, f"the body is longer than {BODY_MAX_BYTES} bytes")
            if size == 0:
                return _skip_trailers(buffer, line_end)
            chunk_at, chunk_end = line_end + 2, line_end + 2 + size
            if len(buffer) < chunk_end + 2:
                return False
            if not isinstance(self.body, bytearray):
                self.body = bytearray()
            self.body += buffer[chunk_at:chunk_end]
            del buffer[: chunk_end + 2]
        return False


def _skip_trailers(buffer: bytearray, line_end: int) -> bool:
    """Remove the last chunk and its trailers, once they are all there."""
    blank = buffer.find(b"\r\n\r\n", line_end)
    if blank < 0:
        return False
    del buffer[: blank + 4]
    return True


def _read_head(buffer: bytearray) -> _Head | None:
    """Take a request's head out of `buffer`, or return None when it is not all there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > HEAD_MAX_BYTES:
            raise BadRequest(431, f"the head is longer than {HEAD_MAX_BYTES} bytes")
        return None
    lines = buffer[:end].decode("latin-1").split("\r\n")
    del buffer[: end + 4]
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(400, "no HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "a header line without a name")
        headers[name.lower()] = value.strip()
    _check_caller(headers)
    return _Head(parts[0], parts[1], parts[2], headers)


def _check_caller(headers: Mapping[str, str]) -> None:
    """Refuse who does not mean this machine, and pages of other sites (rule 1)."""
    if _host_name(headers.get("host", "")) not in _LOOPBACK_NAMES:
        raise BadRequest(403, "this server answers to localhost, 127.0.0.1 and [::1] only")
    origin = headers.get("origin")
    if origin is not None and _host_name(origin.partition("://")[2]) not in _LOOPBACK_NAMES:
        raise BadRequest(403, "requests of other sites' pages are not served")


def _host_name(authority: str) -> str:
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0].lower()


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
