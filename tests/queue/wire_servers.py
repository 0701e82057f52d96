"""Servers for the tests of the wire client: they answer byte by byte as a test says, and note what was asked.

Nothing here waits for a time to pass: what happens happens on request or on an event.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from forebay.queue.transport import Transport


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    reader: asyncio.StreamReader

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


Connect = Callable[..., AbstractAsyncContextManager[Transport]]
"""Opens a transport to a loopback port; closes it in the end. The fixture `connect` gives it, once for each kind."""

LOOPS = [
    pytest.param(("asyncio", {}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]
"""The event loops that a worker may run on: uvloop calls back at other moments than asyncio does."""

Answering = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A listening server and what it has seen."""

    port: int
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)


async def read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    """Read one request, or None when the client has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(lines[0].split(" ")[1], headers, body, connection, reader)


@asynccontextmanager
async def serving(answering: Answering, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a loopback port; `answering` is given each request and writes what it likes."""
    server = Server(0)
    is_over = False
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        server.open_connections += 1
        number = server.connections
        try:
            while (request := await read_request(reader, number)) is not None:
                server.requests.append(request)
                server.asked.set()
                await answering(request, writer)
                if writer.is_closing():
                    break
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away in the middle: that is what some tests are about
        except asyncio.CancelledError:
            if not is_over:
                raise
        finally:
            writer.close()
            server.open_connections -= 1
            if server.open_connections == 0:
                server.all_closed.set()
            tasks.discard(task)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        is_over = True  # asyncio reports a connection's task that ends by being cancelled
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def answer(
    body: bytes | object = b"{}",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    reason: str = "Whatever",
) -> bytes:
    """Return the bytes of a whole answer."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/x-amz-json-1.0", "Content-Length": str(len(payload)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + payload


def error(shape: str, *, status: int = 400, message: str = "", query: str = "", date: float | None = None) -> bytes:
    """Return an error of SQS."""
    headers = {"x-amzn-query-error": f"{query};Sender"} if query else {}
    if date is not None:
        headers["Date"] = formatdate(date, usegmt=True)
    return answer({"__type": f"com.amazonaws.sqs#{shape}", "message": message}, status=status, headers=headers)


def always(data: bytes) -> Answering:
    """Answer every request with these bytes."""

    async def answering(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answering


def in_turn(*answers: bytes) -> Answering:
    """Answer the first request with the first bytes, and so on; the last for all that follow."""
    left = list(answers)

    async def answering(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answering


async def never(request: Request, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing until the client closes the connection."""
    await request.reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off: the client sees a reset."""
    import socket
    import struct

    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, with a certificate for 127.0.0.1."""

    ca_file: Path
    server: ssl.SSLContext
    client: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """Make a self-signed certificate in `folder`, and the TLS settings of both sides."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "forebay tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca_file, key_file = folder / "ca.pem", folder / "key.pem"
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ca_file, key_file)
    return Authority(ca_file, server, ssl.create_default_context(cafile=str(ca_file)))
