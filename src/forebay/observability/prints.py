"""What stands in for `sys.stdout` while a worker runs: what user code prints goes through the writer's thread.

Rules kept here and nowhere else:

1. What is printed passes through as it is, in whole lines: it never cuts a line of ours in two, nor ours one of it.
2. Printing neither blocks nor raises, whatever has become of standard output: a log that nobody reads fails no job.
3. Text without a line break waits for one, each thread's for its own; on a terminal `flush` is enough.
4. When nobody reads, what is printed is dropped and counted like any line that is no ledger (`writer`).
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any, TextIO, cast

from forebay.observability.events import Keep
from forebay.observability.writer import LineWriter

PARTIAL_MAX = 64 * 1024
"""Characters without a line break that are held back."""


class Prints(io.TextIOBase):
    """Text for standard output, handed to the writer line by line."""

    def __init__(self, writer: LineWriter, original: TextIO) -> None:
        self._writer = writer
        self.original = original
        self._partial: dict[int, str] = {}
        """Thread → what it has written since its last line break."""
        self._bytes = _Bytes(self)

    def __getattr__(self, name: str) -> Any:
        """Whatever else is asked of standard output, such as `name` or `line_buffering`."""
        return getattr(self.original, name)

    @property
    def buffer(self) -> _Bytes:
        """For those who write bytes."""
        return self._bytes

    @property
    def encoding(self) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        # Once it is closed Python's own stream raises here, and printing must not.
        return not self.original.closed and self.original.isatty()

    def fileno(self) -> int:
        return self.original.fileno()

    def reconfigure(self, **_options: object) -> None:
        """Nothing to set: lines go out whole and in UTF-8."""

    def write(self, text: str, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        thread = threading.get_ident()
        whole, line_break, rest = (self._partial.pop(thread, "") + text).rpartition("\n")
        if line_break:
            self._writer.write(whole + line_break, Keep.IMPORTANT)
        if len(rest) > PARTIAL_MAX:
            self._writer.write(rest, Keep.IMPORTANT)
        elif rest:
            self._partial[thread] = rest
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what this thread has begun, if somebody looks on."""
        if self.isatty():
            self._flush(threading.get_ident())

    def flush_all(self) -> None:
        """Write what any thread has begun."""
        for thread in list(self._partial):
            self._flush(thread)

    def _flush(self, thread: int) -> None:
        if rest := self._partial.pop(thread, ""):
            self._writer.write(rest, Keep.IMPORTANT)


class _Bytes(io.RawIOBase):
    """The bytes below: decoded, so that they keep their place among the lines."""

    def __init__(self, prints: Prints) -> None:
        self._prints = prints

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        whole = bytes(content)
        self._prints.write(whole.decode("utf-8", "backslashreplace"))
        return len(whole)

    def flush(self) -> None:
        self._prints.flush()


def take_over(writer: LineWriter) -> Prints | None:
    """Let `writer` have what is printed from now on. None when standard output is closed or somebody else's already."""
    original = cast("TextIO | None", sys.stdout)
    is_its_own = original is sys.__stdout__
    if original is None or not is_its_own:
        return None
    prints = Prints(writer, original)
    _repoint(original, prints)
    sys.stdout = prints
    return prints


def give_back(prints: Prints | None) -> None:
    """End `take_over`: what is printed from now on goes the usual way."""
    if prints is None:
        return
    prints.flush_all()
    _repoint(prints, prints.original)
    if sys.stdout is prints:
        sys.stdout = prints.original


def _repoint(old: object, new: Any) -> None:
    """Move handlers of the user's own making: they keep their format, and get the same protection."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            plain = cast("logging.StreamHandler[TextIO]", handler)
            if plain.stream is old:
                plain.setStream(new)
