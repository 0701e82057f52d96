"""Reading HTTP/1.1 requests out of bytes, as they come.

Rules kept here and nowhere else:

1. Only who calls the server by a loopback name is served: a request with another Host, or with the Origin of another
   site, gets 403. Otherwise any web page could drive a developer's queues through the browser.
2. Bodies come with a length or in chunks, never both. Heads and bodies have a largest size.
"""

from __future__ import annotations

from collections.abc import Mapping

HEAD_MAX_BYTES = 64 * 1024
BODY_MAX_BYTES = 16 * 1024 * 1024

_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]", "::1"))


class BadRequest(Exception):
    """The bytes are no request that this server takes. The connection ends with `status`."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class RequestHead:
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


def read_head(buffer: bytearray) -> RequestHead | None:
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
    return RequestHead(parts[0], parts[1], parts[2], headers)


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
