"""Isolated work in a child, in a line: one piece runs, the others have not begun and can be taken back.

Rules kept here and nowhere else:

1. Pieces begin in the order in which they came, each when every attempt of the one before it has ended.
2. What was taken back never begins.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from forebay.model import Attempt

Piece = tuple[Attempt, ...]
"""One attempt, or a batch of them."""


class Line:
    """What one child is to do. Used from any thread."""

    def __init__(self, begin: Callable[[Piece], None]) -> None:
        """`begin` is called with the lock held; it may tell at once that attempts have ended."""
        self._begin = begin
        self._lock = threading.RLock()
        self._waiting: deque[Piece] = deque()
        self._running: set[int] = set()

    def add(self, pieces: Iterable[Piece]) -> None:
        with self._lock:
            self._waiting.extend(pieces)
            self._go_on()

    def ended(self, numbers: Iterable[int]) -> None:
        """These attempts have ended, and it has been told."""
        with self._lock:
            self._running.difference_update(numbers)
            self._go_on()

    def take_back(self) -> Sequence[Attempt]:
        """Return what has not begun, and forget it."""
        with self._lock:
            attempts = [attempt for piece in self._waiting for attempt in piece]
            self._waiting.clear()
            return attempts

    def _go_on(self) -> None:
        if self._waiting and not self._running:
            piece = self._waiting.popleft()
            self._running.update(attempt.number for attempt in piece)
            self._begin(piece)
