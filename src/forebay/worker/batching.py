"""Gathers entries of batch calls for a few milliseconds, so that calls go out full.

Rules kept here and nowhere else:

1. A full batch leaves at once. A partial one leaves when its oldest entry has waited `linger_s`.
2. When the worker is stopping nothing lingers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from forebay.queue.port import BATCH_MAX
from forebay.worker.vocabulary import Entry

LINGER_S = 0.005


class Batch(NamedTuple):
    """One batch call to make: `kind` is `delete`, `release` or `renew`."""

    kind: str
    source: str
    entries: Sequence[Entry]


class Batching:
    """Entries on their way into batch calls, by kind and source."""

    def __init__(self, send: Callable[[Batch], None], *, linger_s: float = LINGER_S) -> None:
        self._send = send
        self._linger_s = linger_s
        self._pending: dict[tuple[str, str], list[Entry]] = {}
        self._due_at: dict[tuple[str, str], float] = {}

    @property
    def wake_at(self) -> float | None:
        return min(self._due_at.values(), default=None)

    def add(self, kind: str, source: str, entries: Sequence[Entry], *, now: float, linger: bool) -> None:
        """Send `entries` with what is pending, in full batches; keep the rest for a moment if it may linger."""
        key = (kind, source)
        pending = self._pending.pop(key, None)
        all_entries = [*pending, *entries] if pending else entries
        full = len(all_entries) - len(all_entries) % BATCH_MAX if linger else len(all_entries)
        for start in range(0, full, BATCH_MAX):
            self._send(Batch(kind, source, all_entries[start : start + BATCH_MAX]))
        rest = all_entries[full:]
        if rest:
            self._pending[key] = list(rest)
            if full or key not in self._due_at:
                self._due_at[key] = now + self._linger_s
        else:
            self._due_at.pop(key, None)

    def flush(self, now: float) -> None:
        """Send what has lingered long enough."""
        for key in [key for key, at in self._due_at.items() if at <= now]:
            del self._due_at[key]
            self._send(Batch(*key, self._pending.pop(key)))
