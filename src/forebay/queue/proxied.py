"""The second transport: aiohttp, used where a proxy stands between us and the endpoint.

aiohttp is imported when the first request is made, so that those who have no proxy never pay for it.
It makes the same promises as `queue.direct`, and one suite tests both.

Rules kept here and nowhere else:

1. Requests that must not be repeated never share a connection, because aiohttp cannot say how long one was idle.
2. `first_byte_at` is when the headers were read, a little after the first byte.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

from forebay.clock import Clock, SystemClock
from forebay.errors import QueueError
from forebay.queue.transport import (
    ANSWER_MAX_BYTES,
    CONNECT_MAX_S,
    HEADER_MAX_BYTES,
    IDLE_MAX_S,
    Answer,
    Endpoint,
    Line,
    TlsContext,
    unanswered,
    unsent,
)

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, TraceConnectionReuseconnParams, TraceRequestHeadersSentParams


class _ClosedUnanswered(Exception):
    """The connection ended before the first byte of an answer."""


@dataclass(slots=True)
class _Use:
    """How far one request has come; aiohttp's traces note it."""

    is_reused: bool = False
    is_sent: bool = False


class ProxiedTransport:
    """Requests to one endpoint through `proxy`, or straight when it is None."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        proxy: str | None,
        connections_max: int = 64,
        tls: TlsContext = ssl.create_default_context,
        clock: Clock | None = None,
        answer_max_bytes: int = ANSWER_MAX_BYTES,
    ) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._line = Line(connections_max)
        self._tls = tls
        self._tls_context: ssl.SSLContext | None = None
        self._clock = clock if clock is not None else SystemClock()
        self._answer_max_bytes = answer_max_bytes
        self._sessions: dict[bool, ClientSession] = {}  # by whether connections are kept
        self._is_closed = False

    async def request(
        self, body: bytes, headers: Mapping[str, str], *, timeout_s: float, is_repeatable: bool = True
    ) -> Answer:
        """POST `body` to the endpoint's path and return the answer, whatever its status."""
        deadline_at = asyncio.get_running_loop().time() + timeout_s
        session = await self._session(keeps=is_repeatable)
        headers = {**headers, "Host": self._endpoint.authority}
        await self._line.enter(timeout_s=timeout_s)
        try:
            while True:
                use = _Use()
                try:
                    return await self._send(session, body, headers, deadline_at, use)
                except _ClosedUnanswered as error:
                    # Each failure uses up one stale connection, so this ends with a fresh one.
                    if not use.is_reused:
                        raise unanswered("ConnectionClosed", str(error)) from error
        finally:
            self._line.leave()

    async def aclose(self) -> None:
        """Close every connection."""
        self._is_closed = True
        for session in self._sessions.values():
            await session.close()
        await asyncio.sleep(0)  # the sockets are closed on the loop's next turn

    async def _session(self, *, keeps: bool) -> ClientSession:
        if self._is_closed:
            raise unsent(ConnectionError(), detail="this client has been closed")
        if keeps not in self._sessions:
            if self._endpoint.is_tls and self._tls_context is None:
                try:
                    self._tls_context = await asyncio.to_thread(self._tls)
                except OSError as error:
                    raise unsent(error) from error
            if keeps not in self._sessions:
                self._sessions[keeps] = self._new_session(keeps=keeps)
        return self._sessions[keeps]

    def _new_session(self, *, keeps: bool) -> ClientSession:
        import aiohttp

        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        trace.on_request_headers_sent.append(_note_sent)
        tls = self._tls_context if self._tls_context is not None else True
        if keeps:
            connector = aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=IDLE_MAX_S)
        else:
            connector = aiohttp.TCPConnector(limit=0, ssl=tls, force_close=True)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[trace],
            max_line_size=HEADER_MAX_BYTES,
            max_field_size=HEADER_MAX_BYTES,
        )

    async def _send(
        self,
        session: ClientSession,
        body: bytes,
        headers: Mapping[str, str],
        deadline_at: float,
        use: _Use,
    ) -> Answer:
        import aiohttp

        left_s = max(0.001, deadline_at - asyncio.get_running_loop().time())
        try:
            async with session.post(
                self._endpoint.url,
                data=body,
                headers=headers,
                proxy=self._proxy,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=left_s, sock_connect=min(left_s, CONNECT_MAX_S)),
                trace_request_ctx=use,
            ) as response:
                first_byte_at = self._clock.now()
                whole = await self._read(response)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, names, whole, first_byte_at)
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            raise _translated(error, is_sent=use.is_sent) from error

    async def _read(self, response: ClientResponse) -> bytes:
        limit = self._answer_max_bytes
        if (response.content_length or 0) > limit:
            raise unanswered("BadAnswer", f"an answer of more than {limit} bytes")
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > limit:
                raise unanswered("BadAnswer", f"an answer of more than {limit} bytes")
            parts.append(part)
        return b"".join(parts)


async def _note_reuse(
    session: ClientSession,  # noqa: ARG001
    context: SimpleNamespace,
    params: TraceConnectionReuseconnParams,  # noqa: ARG001
) -> None:
    context.trace_request_ctx.is_reused = True


async def _note_sent(
    session: ClientSession,  # noqa: ARG001
    context: SimpleNamespace,
    params: TraceRequestHeadersSentParams,  # noqa: ARG001
) -> None:
    context.trace_request_ctx.is_sent = True


def _translated(error: Exception, *, is_sent: bool) -> QueueError | _ClosedUnanswered:
    """Return what an error of aiohttp means here."""
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError():
            return unsent(error.certificate_error)
        case aiohttp.ClientHttpProxyError():
            return unsent(error, detail=f"the proxy refused: HTTP status {error.status}")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL():
            return unsent(error)
        case aiohttp.ClientPayloadError():
            return unanswered("AnswerCutOff", "the connection ended within the answer")
        case aiohttp.ClientResponseError():
            return unanswered("BadAnswer", "not HTTP/1.x")
        case aiohttp.ServerDisconnectedError() if not isinstance(error.message, str):
            return unanswered("AnswerCutOff", "the connection ended within the answer")
        case TimeoutError() if not is_sent:
            return unsent(error, detail="no connection in time")
        case TimeoutError():
            return unanswered("AnswerTimeout", "the server did not answer in time")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return _ClosedUnanswered(type(error).__name__)
        case _:
            return unanswered(type(error).__name__, "the request was cut off")
