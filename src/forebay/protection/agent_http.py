"""One question to the ECS agent over plain HTTP/1.1, and its answer as bytes.

A client of its own, because a general one would follow redirects, use a proxy, pool connections or retry by itself,
and each of these is wrong here. It runs on asyncio, uvloop and trio.

Rules kept here and nowhere else:

1. One connection for each question, never a proxy, never a redirect, and at most `ANSWER_TIMEOUT_S` for everything:
   the agent itself gives up after 5 s (facts/ecs-task-protection.md section 1).
2. A failure says whether the question may have been acted upon: not before its first byte was sent.
3. An answer is bounded, complete and well-formed, or it is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream

from forebay.errors import SettingsError

ANSWER_TIMEOUT_S = 6.0
HEAD_MAX_BYTES = 32 * 1024
BODY_MAX_BYTES = 1024 * 1024
"""Metadata of a task with many containers is tens of kilobytes; a protection answer is under one."""


class NoAnswer(Exception):
    """The agent did not answer properly. Stays inside this package."""

    def __init__(self, reason: str, detail: str, *, was_sent: bool) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.was_sent = was_sent
        """The question may have been acted upon all the same."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where the agent listens."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, uri: str, *, variable: str) -> Address:
        """Return the address in `uri`. Raises `SettingsError` naming the environment `variable` it came from."""
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme != "http" or not host or not uri.isascii() or any(c.isspace() for c in uri):
            raise SettingsError(
                f"{variable}={uri!r} is not an http:// address: the ECS agent sets it itself in every container; "
                "unset it to run outside ECS"
            )
        return cls(host, port or 80, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


async def ask(
    address: Address, path: str, *, method: str = "GET", body: bytes | None = None, timeout_s: float = ANSWER_TIMEOUT_S
) -> Answer:
    """Return the agent's answer to one request for `address.path + path`. Raises `NoAnswer` when there is none."""
    was_sent = False
    try:
        with anyio.fail_after(timeout_s):
            async with await anyio.connect_tcp(address.host, address.port) as stream:
                was_sent = True
                await stream.send(_request(address, path, method, body))
                return await _read(stream)
    except TimeoutError:
        raise NoAnswer("Timeout", f"no answer in {timeout_s:g} s", was_sent=was_sent) from None
    # UnicodeError: a host name that cannot be one, which only the resolver finds out.
    except (OSError, UnicodeError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        reason = "ConnectionCut" if was_sent else "ConnectionFailed"
        raise NoAnswer(reason, _words(error), was_sent=was_sent) from None


def _words(error: Exception) -> str:
    """Return the innermost cause's own words: anyio wraps what the system said."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return str(error) or type(error).__name__


def _request(address: Address, path: str, method: str, body: bytes | None) -> bytes:
    lines = [
        f"{method} {address.path}{path} HTTP/1.1",
        f"Host: {address.authority}",
        "Accept: application/json",
        "Connection: close",
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


class _Reader:
    """Bytes of one answer, taken in portions that the grammar asks for."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def line(self, *, bytes_max: int) -> bytes:
        """Return the next line without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > bytes_max:
                raise _malformed("a line without end")
            self._buffer += await self._stream.receive()
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    async def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._buffer) < count:
            self._buffer += await self._stream.receive()
        portion = bytes(self._buffer[:count])
        del self._buffer[:count]
        return portion

    async def rest(self, *, bytes_max: int) -> bytes:
        """Return everything up to the end of the connection."""
        try:
            while len(self._buffer) <= bytes_max:
                self._buffer += await self._stream.receive()
        except anyio.EndOfStream:
            return bytes(self._buffer)
        raise _malformed(f"more than {bytes_max} bytes")


async def _read(stream: ByteStream) -> Answer:
    reader = _Reader(stream)
    while True:
        status, headers = await _read_head(reader)
        if status >= 200:  # 1xx only announces the answer.
            break
    if status in (204, 304):
        return Answer(status, headers, b"")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    elif (length := headers.get("content-length")) is not None:
        if not length.isdecimal() or int(length) > BODY_MAX_BYTES:
            raise _malformed("an impossible Content-Length")
        body = await reader.exactly(int(length))
    else:
        body = await reader.rest(bytes_max=BODY_MAX_BYTES)
    return Answer(status, headers, body)


async def _read_head(reader: _Reader) -> tuple[int, dict[str, str]]:
    first = (await reader.line(bytes_max=HEAD_MAX_BYTES)).split(maxsplit=2)
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or len(first[1]) != 3 or not first[1].isdigit():
        raise _malformed("not HTTP/1.1")
    headers: dict[str, str] = {}
    read_bytes = 0
    while line := await reader.line(bytes_max=HEAD_MAX_BYTES):
        read_bytes += len(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or read_bytes > HEAD_MAX_BYTES:
            raise _malformed("malformed or too many headers")
        headers[name.strip().lower()] = value.strip()
    return int(first[1]), headers


async def _read_chunks(reader: _Reader) -> bytes:
    body = bytearray()
    while True:
        size_text = (await reader.line(bytes_max=HEAD_MAX_BYTES)).partition(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError:
            raise _malformed("a malformed chunk") from None
        if size < 0 or len(body) + size > BODY_MAX_BYTES:
            raise _malformed(f"more than {BODY_MAX_BYTES} bytes")
        if size == 0:
            return bytes(body)
        body += await reader.exactly(size)
        if await reader.line(bytes_max=HEAD_MAX_BYTES):
            raise _malformed("a malformed chunk")


def _malformed(what: str) -> NoAnswer:
    return NoAnswer("UnreadableAnswer", f"the answer is {what}", was_sent=True)
