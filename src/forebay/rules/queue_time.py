"""When the queues do something by themselves, and letting them do it.

Rules kept here and nowhere else:

1. Time never goes back.
2. However far time is moved at once, what is due happens in the order of time, across all queues.
3. A call that finds nothing due pays one comparison, however many queues and messages there are.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.rules.queue_messages import NEVER
from forebay.rules.queue_store import StandardQueue


class Timeline:
    """The present time of all queues of an account, and when something is due next."""

    def __init__(self, queues: Mapping[str, StandardQueue]) -> None:
        self.due_at = NEVER
        """Nothing happens by itself before this; something may at it."""
        self._queues = queues
        self._now = -NEVER

    def next_event_at(self) -> float | None:
        """Return when something will happen by itself, or None if nothing will."""
        self.due_at = min((queue.next_event_at() for queue in self._queues.values()), default=NEVER)
        return None if self.due_at == NEVER else self.due_at

    def note(self, queue: StandardQueue) -> None:
        """Take notice of a queue that has changed."""
        self.due_at = min(self.due_at, queue.next_event_at())

    def look_again(self, now: float) -> None:
        """Let happen what has become overdue by a change."""
        self.due_at = now
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`."""
        assert now >= self._now, f"time went back from {self._now} to {now}"
        while self.due_at <= now:
            at = self.next_event_at()
            if at is None or at > now:
                break
            # What became overdue by a change of attributes happens now, not in the past.
            at = max(at, self._now)
            for queue in self._queues.values():
                queue.turn(at)
            self.due_at = at
        self._now = now
