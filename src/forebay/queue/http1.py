"""Puts one HTTP/1.1 answer together from the bytes of a connection. Pure: bytes in, an answer out.

Rules kept here and nowhere else:

1. An answer is complete by its Content-Length, its last chunk, or (with neither) the end of the connection.
   One that ends earlier is cut off, never taken as it stands.
2. Lengths that contradict each other, and anything that is not HTTP/1.x, end the connection (RFC 9112 section 6.3).
3. A connection is kept for another request only if the server did not say `close` and sent nothing too much.
"""

from __future__ import annotations

from typing import Final

from forebay.queue.transport import ANSWER_MAX_BYTES, HEADER_MAX_BYTES

_HEAD_END: Final = b"\r\n\r\n"
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


class BadAnswer(Exception):
    """The bytes are no answer that may be believed."""


class AnswerReader:
    """Reads one answer. After `feed` or `end` has returned True, `status`, `headers` and `body` are whole."""

    __slots__ = (
        "_buffer",
        "_chunk_left",
        "_is_chunked",
        "_is_in_trailer",
        "_length",
        "_limit",
        "_parts",
        "_parts_bytes",
        "_until_end",
        "body",
        "headers",
        "is_reusable",
        "status",
    )

    def __init__(self, *, limit_bytes: int = ANSWER_MAX_BYTES) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_reusable = False
        """Whether the connection may carry another request."""
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._length = -1  # bytes of body announced; -1 until the head is complete
        self._is_chunked = False
        self._until_end = False
        self._chunk_left = 0  # bytes of the chunk that has begun
        self._is_in_trailer = False
        self._parts: list[bytes] = []
        self._parts_bytes = 0

    def feed(self, data: bytes) -> bool:
        """Take the next bytes. Returns True when the answer is complete; raises `BadAnswer` on nonsense."""
        if self.status == 0:
            if self._buffer:
                self._buffer += data
                data = bytes(self._buffer)
            return self._feed_head(data)
        self._buffer += data
        return self._feed_body()

    def end(self) -> bool:
        """The connection has ended. Returns True if that completes the answer."""
        if self.status and self._until_end:
            self.body = bytes(self._buffer)
            return True
        return False

    def _feed_head(self, data: bytes) -> bool:
        while True:
            split = data.find(_HEAD_END)
            if split < 0:
                if not b"HTTP/1.".startswith(data[:7]):
                    raise BadAnswer("not HTTP/1.x")
                if len(data) > HEADER_MAX_BYTES:
                    raise BadAnswer(f"headers of more than {HEADER_MAX_BYTES} bytes")
                self._buffer[:] = data
                return False
            self._read_head(data[:split])
            data = data[split + 4 :]
            if self.status >= 200:
                break
            self.status = 0  # 1xx: an interim answer; the real one follows
        if self._length >= 0 and len(data) == self._length:  # the whole answer in one piece: nearly always
            self.body = data
            return True
        self._buffer[:] = data
        return self._feed_body()

    def _read_head(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        start = lines[0]
        status = start[9:12]
        if not start.startswith("HTTP/1.") or start[8:9] != " " or start[12:13] not in ("", " "):
            raise BadAnswer("not HTTP/1.x")
        if not (len(status) == 3 and status.isascii() and status.isdigit() and status >= "100"):
            raise BadAnswer("no status in the first line")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name[0] in " \t":
                raise BadAnswer("a header line without a name")
            name = name.lower()
            value = value.strip(" \t")
            if name == "content-length" and headers.get(name, value) != value:
                raise BadAnswer("two different Content-Lengths")
            headers[name] = value
        self.headers = headers
        self.status = int(status)
        connection = headers.get("connection", "").lower()
        self.is_reusable = "close" not in connection and (start[7] != "0" or "keep-alive" in connection)
        self._frame()

    def _frame(self) -> None:
        """Decide where the body ends (RFC 9112 section 6.3)."""
        encoding = self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        self._length = -1
        if self.status < 200 or self.status in (204, 304):
            self._length = 0
        elif encoding:
            if encoding != "chunked":
                raise BadAnswer(f"transfer coding {encoding[:40]!r} was not asked for")
            self._is_chunked = True
        elif length is not None:
            if not (length.isascii() and length.isdigit()):
                raise BadAnswer("Content-Length is not a number")
            self._length = int(length) if len(length) < 19 else self._limit + 1
            if self._length > self._limit:
                raise BadAnswer(f"an answer of more than {self._limit} bytes")
        else:
            self._until_end = True
            self.is_reusable = False

    def _feed_body(self) -> bool:
        if self._is_chunked:
            return self._feed_chunks()
        received = len(self._buffer)
        if self._until_end:
            if received > self._limit:
                raise BadAnswer(f"an answer of more than {self._limit} bytes")
            return False
        if received < self._length:
            return False
        if received > self._length:  # bytes that nobody asked for: take the answer, not the connection
            self.is_reusable = False
        self.body = bytes(self._buffer[: self._length])
        return True

    def _feed_chunks(self) -> bool:
        while True:
            if self._chunk_left:
                if not self._take_chunk():
                    return False
                continue
            line = self._take_line()
            if line is None:
                return False
            if not self._is_in_trailer:
                self._chunk_left = self._chunk_size(line)
                self._is_in_trailer = self._chunk_left == 0
            elif not line:  # the trailer's lines are dropped; an empty one ends it
                self.body = b"".join(self._parts)
                self.is_reusable = self.is_reusable and not self._buffer
                return True

    def _take_chunk(self) -> bool:
        size = self._chunk_left
        if len(self._buffer) < size + 2:
            return False
        if not self._buffer.startswith(b"\r\n", size):
            raise BadAnswer("a chunk longer than it said")
        self._parts.append(bytes(self._buffer[:size]))
        del self._buffer[: size + 2]
        self._chunk_left = 0
        return True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > HEADER_MAX_BYTES:
                raise BadAnswer("a chunk's first line without an end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _chunk_size(self, line: bytes) -> int:
        digits = line.partition(b";")[0].strip()
        if not digits or len(digits) > 15 or not _HEX.issuperset(digits):
            raise BadAnswer("a chunk without a size")
        size = int(digits, 16)
        self._parts_bytes += size
        if self._parts_bytes > self._limit:
            raise BadAnswer(f"an answer of more than {self._limit} bytes")
        return size
