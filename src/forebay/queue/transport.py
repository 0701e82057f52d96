"""The port between the wire client and the network: one signed request out, one answer back.

Rules kept here and nowhere else:

1. A transport answers with whatever the server said, of any status, or raises `QueueError`; nothing else escapes it
   but cancellation. It never reads what a body means.
2. `UNAVAILABLE` says that the request cannot have been carried out (nothing was sent); `NO_ANSWER` says that it
   may have been.
3. A request that was sent over a reused connection which the server closed without a byte of an answer is sent once
   more over a fresh one, if the caller says that it is repeatable. There is no other repetition in a transport.
4. A request that is cancelled or runs out of time takes its connection with it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from forebay.errors import Fault, FaultKind, QueueError, SettingsError

ANSWER_MAX_BYTES = 80 * 1024 * 1024
"""Ten bodies of 1 MiB, each byte of which JSON may write as six, and room for attributes."""

CONNECT_MAX_S = 5.0
"""The longest wait for a connection: name, TCP and TLS together. A black hole must not eat a whole lease."""

IDLE_MAX_S = 60.0
"""A connection unused for longer is closed, not reused: a NAT gateway may have forgotten it without a word."""

IDLE_SAFE_S = 4.0
"""A request that must not be repeated reuses only connections younger than this: servers keep idle ones for 5 s
or more, so such a one is not about to be closed."""

HEADER_MAX_BYTES = 64 * 1024


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case. Of repeated headers the last one counts."""
    body: bytes
    first_byte_at: float
    """Monotonic instant at which the first byte arrived here."""


class Transport(Protocol):
    """Carries requests to one endpoint. Used on one event loop only."""

    async def request(
        self, body: bytes, headers: Mapping[str, str], *, timeout_s: float, is_repeatable: bool = True
    ) -> Answer:
        """POST `body` to the endpoint's path. `timeout_s` covers everything, waiting for a connection included."""
        ...

    async def aclose(self) -> None:
        """Close every connection. Requests still open end with `UNAVAILABLE` or `NO_ANSWER`."""
        ...


class Line:
    """Lets at most `connections_max` requests through at once; the others wait in the order they came.

    A turn that is given back goes to the first in line, so nobody overtakes: turns are free only while nobody waits.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, connections_max: int) -> None:
        assert connections_max >= 1, connections_max
        self._free = connections_max
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter_at_once(self) -> bool:
        """Take a turn if one is free. Each turn taken must be given back by `leave`."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def enter(self, *, timeout_s: float) -> None:
        """Wait for a turn. Each turn taken must be given back by `leave`."""
        if self.enter_at_once():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # The turn came in the very moment of giving up.
            if isinstance(error, TimeoutError):
                raise unsent(error, detail="every connection was busy") from error
            raise

    def leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


TlsContext = Callable[[], ssl.SSLContext]
"""Makes the TLS settings when the first connection needs them: reading the CA certificates takes tens of ms."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the service listens."""

    scheme: str
    host: str
    port: int
    path: str = "/"

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read an endpoint URL. Raises `SettingsError` when it is not one."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingsError(f"the endpoint {url!r} is not a URL: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise SettingsError(f"the endpoint {url!r} must look like https://sqs.eu-west-1.amazonaws.com")
        if parts.username or parts.query or parts.fragment:
            raise SettingsError("the endpoint URL may hold a scheme, a host, a port and a path, nothing else")
        path = quote(parts.path or "/", safe="/~%")
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The `Host` header: the port stands in it only when it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def unsent(error: BaseException, *, detail: str = "", host: str = "") -> QueueError:
    """Return the error of a request that never left: refused, no such `host`, TLS not agreed on."""
    if isinstance(error, socket.gaierror):
        # The system's words do not say which name it was.
        return QueueError(Fault(FaultKind.UNAVAILABLE, "HostNotFound", f"{host or 'the host'}: {error.strerror}"))
    return QueueError(Fault(FaultKind.UNAVAILABLE, type(error).__name__, detail or _words(error)))


def unanswered(code: str, detail: str) -> QueueError:
    """Return the error of a request that left and got no whole answer."""
    return QueueError(Fault(FaultKind.NO_ANSWER, code, detail))


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"{error.verify_message}. If the endpoint has a certificate of your own authority, name its file in "
            "AWS_CA_BUNDLE"
        )
    return str(error)
