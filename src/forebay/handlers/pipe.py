"""How a worker and its child processes talk: frames of a JSON header and raw bytes over one socket.

Rules kept here and nowhere else:

1. A frame is two lengths, a header and a tail. Nothing that arrives can run: there is no pickle and no code in it.
2. A frame from a child has a bound. A child that passes it is broken and is ended.
3. What was received half is kept for the other half; frames come out whole and in order.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from forebay.errors import ExecutorBroken

Header = dict[str, Any]

_LENGTHS = struct.Struct("!II")

HEADER_BYTES_MAX = 16 * 1024 * 1024
"""Header of one frame from a child: 32 outcomes are 7 MiB with the longest words, and a log record is 12 MiB."""

READ_BYTES = 256 * 1024
"""Taken from a socket at once."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def packed(header: Header, tail: bytes = b"") -> bytes:
    """Return one frame."""
    # ASCII by JSON's own escapes: a lone surrogate, which SQS lets through, is no trouble.
    head = _encode(header).encode("ascii")
    return b"".join((_LENGTHS.pack(len(head), len(tail)), head, tail))


class Frames:
    """The receiving end: bytes go in, frames come out."""

    def __init__(self, *, header_bytes_max: int = HEADER_BYTES_MAX, tail_bytes_max: int = 0) -> None:
        """`tail_bytes_max`: 0 where the other end sends none, so that one that does is found out."""
        self._header_bytes_max = header_bytes_max
        self._tail_bytes_max = tail_bytes_max
        self._received = bytearray()

    def feed(self, received: bytes) -> Iterator[tuple[Header, bytes]]:
        """Yield the frames that `received` completes. Raises `ExecutorBroken` for what is none."""
        buffer = self._received
        buffer += received
        at = 0
        try:
            while len(buffer) - at >= _LENGTHS.size:
                head_bytes, tail_bytes = _LENGTHS.unpack_from(buffer, at)
                self._check(head_bytes, tail_bytes)
                begin = at + _LENGTHS.size
                middle, end = begin + head_bytes, begin + head_bytes + tail_bytes
                if len(buffer) < end:
                    break
                header = _header(bytes(buffer[begin:middle]))
                tail = bytes(buffer[middle:end])
                at = end
                yield header, tail
        finally:
            del buffer[:at]

    def _check(self, head_bytes: int, tail_bytes: int) -> None:
        if head_bytes > self._header_bytes_max or tail_bytes > self._tail_bytes_max:
            raise ExecutorBroken(
                f"a frame of {head_bytes:,} + {tail_bytes:,} bytes on the pipe to a child process: "
                f"at most {self._header_bytes_max:,} + {self._tail_bytes_max:,} are expected"
            )


def _header(text: bytes) -> Header:
    try:
        header: Any = json.loads(text)
    except ValueError as error:
        raise ExecutorBroken(f"a header that is no JSON on the pipe to a child process: {error}") from error
    if not isinstance(header, dict):
        raise ExecutorBroken("a header that is no JSON object on the pipe to a child process")
    return header  # pyright: ignore[reportUnknownVariableType]
