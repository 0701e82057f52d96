"""Which of a queue's messages is the oldest: it is the next to pass the retention period.

Rules kept here and nowhere else:

1. Age counts from the first send. A dead letter keeps it on a standard queue (facts/sqs.md section 3), so it may
   arrive older than those that are there.
2. Looking costs nothing that grows with the backlog: messages that have gone are dropped when they come to the front,
   or swept when they outnumber the rest.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush

from forebay.rules.queue_messages import GONE, SWEEP_ABOVE, StoredMessage


class Ages:
    """The messages of one queue in the order of their sending."""

    def __init__(self) -> None:
        self._sent_here: deque[StoredMessage] = deque()
        self._moved_here: list[tuple[float, int, StoredMessage]] = []

    def add(self, message: StoredMessage, live: int) -> None:
        """Note a message sent now, so none is younger. `live`: how many messages the queue holds."""
        self._sent_here.append(message)
        while self._sent_here[0].place == GONE:
            self._sent_here.popleft()
        if len(self._sent_here) > 2 * live + SWEEP_ABOVE:
            self._sent_here = deque(other for other in self._sent_here if other.place != GONE)

    def add_moved(self, message: StoredMessage, live: int) -> None:
        """Note a message that was sent to another queue, some time ago."""
        heappush(self._moved_here, (message.sent_at, message.serial, message))
        if len(self._moved_here) > 2 * live + SWEEP_ABOVE:
            self._moved_here = [entry for entry in self._moved_here if entry[2].place != GONE]
            heapify(self._moved_here)

    def oldest(self) -> StoredMessage | None:
        """Return the oldest message that is still there."""
        sent, moved = self._sent_here, self._moved_here
        while sent and sent[0].place == GONE:
            sent.popleft()
        while moved and moved[0][2].place == GONE:
            heappop(moved)
        if moved and (not sent or moved[0][0] < sent[0].sent_at):
            return moved[0][2]
        return sent[0] if sent else None

    def clear(self) -> None:
        self._sent_here.clear()
        self._moved_here.clear()
