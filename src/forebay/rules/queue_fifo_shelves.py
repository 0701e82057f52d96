"""Where each message of a FIFO queue is.

Rules kept here and nowhere else:

1. The queue's delay is retroactive: a change of it changes when messages that are still delayed become visible
   (Developer Guide, "Amazon SQS delay queues"). They become visible in the order in which they were sent.
2. Whatever comes back goes to the front of its group, however often it was received: the rule for poison messages is
   about standard queues (facts/sqs.md section 3).
"""

from __future__ import annotations

from collections import deque

from forebay.rules.queue_fifo_groups import FifoGroups
from forebay.rules.queue_messages import DELAYED, NEVER, SWEEP_ABOVE, StoredMessage
from forebay.rules.queue_shelves import Shelves


class FifoShelves(Shelves):
    """The messages of one FIFO queue, by place."""

    def __init__(self) -> None:
        self.fifo_groups = FifoGroups()
        super().__init__(self.fifo_groups)
        self._held: deque[StoredMessage] = deque()
        """The delayed ones, in the order of their sending; some may have gone."""

    def _comes_back(self, message: StoredMessage) -> bool:
        return message.receives_here > 0

    def _delay(self, message: StoredMessage, until: float) -> None:
        message.hidden_until = until
        self._held.append(message)
        if len(self._held) > 2 * self.delayed + SWEEP_ABOVE:
            self._held = deque(other for other in self._held if other.place == DELAYED)

    def next_held_until(self, delay_s: float) -> float:
        """When the next delayed message becomes visible if the delay is `delay_s`; infinity for never."""
        while self._held and self._held[0].place != DELAYED:
            self._held.popleft()
        return self._held[0].sent_at + delay_s if self._held else NEVER

    def let_go(self, now: float, delay_s: float) -> None:
        """Show every delayed message whose delay is over by `now`."""
        while self.next_held_until(delay_s) <= now:
            self.show(self._held.popleft())

    def clear(self) -> None:
        super().clear()
        self._held.clear()
