"""Many instants, of which the earliest matters: deadlines, renewals, retries.

Rules kept here and nowhere else:

1. A key has at most one instant; setting it again moves it.
2. Setting and cancelling are O(log n) and O(1); cancelled entries stay in the heap until they surface or
   outnumber the living ones, whereupon the heap is rebuilt. So memory follows the living.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush


class Timers:
    """Instants by integer key."""

    __slots__ = ("_at", "_heap")

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: int) -> bool:
        return key in self._at

    def set(self, key: int, at: float) -> None:
        """Let `key` be due at `at`, whatever was set before."""
        self._at[key] = at
        heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._at) + 256:
            self._heap = [(at, key) for key, at in self._at.items()]
            heapify(self._heap)

    def cancel(self, key: int) -> None:
        """Forget `key`; unknown keys are fine."""
        self._at.pop(key, None)

    @property
    def next_at(self) -> float | None:
        """The earliest instant set, or None."""
        heap = self._heap
        while heap:
            at, key = heap[0]
            if self._at.get(key) == at:
                return at
            heappop(heap)
        return None

    def due(self, now: float) -> list[int]:
        """Remove and return every key whose instant is not after `now`, earliest first."""
        keys: list[int] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, key = heappop(heap)
            if self._at.get(key) == at:
                del self._at[key]
                keys.append(key)
        return keys
