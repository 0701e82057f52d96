"""Long polls that wait for messages: who stands in line, in which order, and until when.

Rules kept here and nowhere else:

1. Polls are served in the order of their arrival.
2. A poll ends exactly once: with messages, empty at its deadline, with a failure, or because its client has gone.
3. Whoever leaves early stays behind as a stale entry, skipped when its turn comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from forebay.rules.queue_messages import NEVER, SWEEP_ABOVE, Delivery

if TYPE_CHECKING:
    from forebay.rules.queue_errors import ServiceFailure
    from forebay.rules.queue_store import StandardQueue


class Waiter:
    """A long poll that waits. It ends exactly once: with messages, empty, with a failure, or cancelled."""

    __slots__ = (
        "attempt_id",
        "count_max",
        "deadline_at",
        "failure",
        "is_abandoned",
        "is_open",
        "messages",
        "queue",
        "tag",
        "visibility_s",
    )

    def __init__(
        self,
        queue: StandardQueue,
        count_max: int,
        visibility_s: int | None,
        deadline_at: float,
        tag: object,
        attempt_id: str | None = None,
    ) -> None:
        self.queue = queue
        self.count_max = count_max
        self.visibility_s = visibility_s
        self.deadline_at = deadline_at
        self.tag = tag
        """The caller's own, untouched here."""
        self.attempt_id = attempt_id
        """ReceiveRequestAttemptId, of a receive from a FIFO queue."""
        self.is_open = True
        self.is_abandoned = False
        """Its client is gone, and the service has not noticed: what it is answered with is hidden from everybody."""
        self.messages: list[Delivery] = []
        self.failure: ServiceFailure | None = None


class WaitingLine:
    """The open polls of one queue."""

    def __init__(self) -> None:
        self._line: deque[Waiter] = deque()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._number = 0
        self._open = 0

    def join(self, waiter: Waiter) -> None:
        """Put a poll at the end of the line."""
        self.first()  # Those that have ended must not pile up in front of a queue that stays empty.
        self._line.append(waiter)
        self._number += 1
        heappush(self._deadlines, (waiter.deadline_at, self._number, waiter))
        self._open += 1
        if max(len(self._deadlines), len(self._line)) > 2 * self._open + SWEEP_ABOVE:
            self._deadlines = [entry for entry in self._deadlines if entry[2].is_open]
            heapify(self._deadlines)
            self._line = deque(other for other in self._line if other.is_open)

    def leave(self, waiter: Waiter) -> None:
        """Take a poll out of the line, wherever it stands."""
        if waiter.is_open:
            waiter.is_open = False
            self._open -= 1

    def first(self) -> Waiter | None:
        """Return the poll whose turn it is, or None when nobody waits."""
        line = self._line
        while line and not line[0].is_open:
            line.popleft()
        return line[0] if line else None

    def everybody(self) -> Iterator[Waiter]:
        """Yield the open polls, in order."""
        return (waiter for waiter in list(self._line) if waiter.is_open)

    def next_deadline_at(self) -> float:
        """When the first of the open polls ends empty; infinity for never."""
        deadlines = self._deadlines
        while deadlines and not deadlines[0][2].is_open:
            heappop(deadlines)
        return deadlines[0][0] if deadlines else NEVER

    def overdue(self, now: float) -> Waiter | None:
        """Return an open poll whose deadline has come, or None."""
        return self._deadlines[0][2] if self.next_deadline_at() <= now else None
