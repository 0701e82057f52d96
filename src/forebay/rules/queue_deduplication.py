"""Which messages a FIFO queue has taken in within the last five minutes, so that each is taken in once.

Rules kept here and nowhere else (API reference, SendMessage, MessageDeduplicationId; facts/sqs.md section 2):

1. A second send with the same id within 300 s of the first is a duplicate, be the first one waiting, in flight, deleted
   or moved to a dead-letter queue. At 300 s sharp it is a new message: AWS says "5 minutes" and no more.
2. An id made from the body is its SHA-256, as hexadecimal digits. It counts as one that the caller gave.
3. With the scope `messageGroup` ids of different groups are different ones; with `queue` they are not.

Unknown, and so our choice: a purge does not forget the ids (the API reference says only that they outlive deletes), and
after a change of scope the ids from before it count for nothing.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

WINDOW_S = 300.0

Key = tuple[str, str]
"""The group (empty when the scope is the whole queue) and the deduplication id."""


class FirstSend(NamedTuple):
    """The message that a deduplication id stands for."""

    message_id: str
    serial: int
    sent_at: float


class Deduplication:
    """What one FIFO queue remembers of sends."""

    def __init__(self) -> None:
        self.seen: OrderedDict[Key, FirstSend] = OrderedDict()
        """In the order of sending. Those older than the window may still be there, and count for nothing."""
        self.changed: set[Key] | None = None
        """Those noted or forgotten since somebody who keeps them last looked; None: nobody keeps them."""

    def first(self, key: Key, now: float) -> FirstSend | None:
        """Return the send of which one with this key would be a duplicate."""
        self._forget_old(now)
        return self.seen.get(key)

    def note(self, key: Key, first: FirstSend) -> None:
        """Remember a send that is none."""
        assert key not in self.seen, "a duplicate is not noted as a first send"
        self.seen[key] = first
        if self.changed is not None:
            self.changed.add(key)

    def _forget_old(self, now: float) -> None:
        seen = self.seen
        while seen:
            key = next(iter(seen))
            if now - seen[key].sent_at < WINDOW_S:
                break
            del seen[key]
            if self.changed is not None:
                self.changed.add(key)


def id_of_body(body: str) -> str:
    """Return the deduplication id that content-based deduplication gives."""
    return hashlib.sha256(body.encode()).hexdigest()
