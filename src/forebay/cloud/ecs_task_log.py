"""The log stream of one task: what its process has written, line by line, as the awslogs driver would send it.

Rules kept here and nowhere else:

1. A line ends at a line feed. One that is longer than `LINE_MAX_BYTES` is handed over in pieces; nothing is lost.
2. The newest lines are kept, so many and so many bytes of them, whatever a task writes.
3. A log file that cannot be written is given up, and the stream says so; the task does not suffer.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

LINE_MAX_BYTES = 256 * 1024
"""What CloudWatch Logs takes as one event (CloudWatch Logs quotas, Event size)."""
LINES_MAX = 2_000
BYTES_MAX = 1024 * 1024


class LineSplitter:
    """Makes lines out of bytes as they come."""

    def __init__(self, *, line_max_bytes: int = LINE_MAX_BYTES) -> None:
        self._line_max_bytes = line_max_bytes
        self._rest = b""

    def feed(self, read: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their ends."""
        if b"\n" not in read and len(self._rest) + len(read) < self._line_max_bytes:
            self._rest += read
            return []
        *complete, self._rest = (self._rest + read).split(b"\n")
        lines = [piece for line in complete for piece in self._pieces(line)]
        while len(self._rest) >= self._line_max_bytes:
            lines.append(self._rest[: self._line_max_bytes])
            self._rest = self._rest[self._line_max_bytes :]
        return lines

    def end(self) -> list[bytes]:
        """Return what is left when nothing more comes."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def _pieces(self, line: bytes) -> Iterator[bytes]:
        if len(line) <= self._line_max_bytes:
            yield line
            return
        for start in range(0, len(line), self._line_max_bytes):
            yield line[start : start + self._line_max_bytes]


class TaskLog:
    """Keeps the last lines of a task, and appends all of them to a file where one is wanted."""

    def __init__(self, file: Path | None = None, *, lines_max: int = LINES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._lines: deque[bytes] = deque()
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._file = file
        self._descriptor: int | None = None

    def add(self, lines: list[bytes]) -> None:
        """Keep these lines."""
        for line in lines:
            self._keep(line)
        if self._file is not None and lines:
            self._append(self._file, b"\n".join([*lines, b""]))

    def last(self, count_max: int) -> list[str]:
        """Return the newest lines, the oldest of them first."""
        start = max(0, len(self._lines) - max(0, count_max))
        return [line.decode("utf-8", "replace") for line in islice(self._lines, start, None)]

    def close(self) -> None:
        """Close the file. The lines stay."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _keep(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        while len(self._lines) > self._lines_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._lines.popleft())

    def _append(self, file: Path, content: bytes) -> None:
        try:
            if self._descriptor is None:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError as error:
            self._file = None
            self.close()
            self._keep(f"the log file {file} is given up: {error.strerror}".encode())
