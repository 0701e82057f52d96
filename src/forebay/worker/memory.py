"""Remembers the newest messages by their key, and forgets the oldest.

Rules kept here and nowhere else:

1. Between `AT_LEAST` and twice as many keys are remembered. Two generations make forgetting one assignment; a dict
   whose oldest key is deleted each time searches longer and longer for the next one.
"""

from __future__ import annotations

AT_LEAST = 10_000


class Memory:
    """Message keys (source and id), the newest ones."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._new or key in self._old

    def add(self, key: tuple[str, str]) -> None:
        self._new.add(key)
        if len(self._new) >= AT_LEAST:
            self._old = self._new
            self._new = set()
