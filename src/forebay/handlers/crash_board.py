"""Which thread of a child does which attempt, written where it outlives the child.

When a process dies, Python tells the thread in which it happened. With several attempts in one process only a note of
who was where says whose doing it was. The notes stand at the beginning of the file that the death is written into.

Rules kept here and nowhere else:

1. A note costs a store into memory: no call of the system, no lock. Each thread has a place of its own.
2. A thread that runs several attempts at once (an event loop) leaves no note of one of them: it could be any.
"""

from __future__ import annotations

import mmap
import struct
import threading
from collections.abc import Callable, Iterator

_NOTE = struct.Struct("=QQ")
BOARD_BYTES = 16 * 1024
_PLACES = BOARD_BYTES // _NOTE.size


class CrashBoard:
    """The notes of one child, as the child writes them."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, BOARD_BYTES)
        self._places = threading.local()
        self._taken = iter(range(_PLACES))
        self._taking = threading.Lock()

    def noting(self, number: int) -> Callable[[], None]:
        """Note that the calling thread does attempt `number`; return what takes the note back."""
        at = self._place()
        if at is None:
            return _nothing
        _NOTE.pack_into(self._memory, at, threading.get_ident(), number)
        return lambda: _NOTE.pack_into(self._memory, at, 0, 0)

    def _place(self) -> int | None:
        at: int | None = getattr(self._places, "at", -1)
        if at == -1:
            with self._taking:
                place = next(self._taken, None)
            at = self._places.at = None if place is None else place * _NOTE.size
        return at


def _nothing() -> None:
    """A thread for which there was no place left."""


def noted(board: bytes) -> Iterator[tuple[int, int]]:
    """Yield (thread, attempt) for each note that a dead child has left."""
    for at in range(0, len(board) - _NOTE.size + 1, _NOTE.size):
        thread, number = _NOTE.unpack_from(board, at)
        if thread:
            yield thread, number
