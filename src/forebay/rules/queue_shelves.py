"""Where each message of a queue is, and moving it from one place to another.

Rules kept here and nowhere else:

1. The counts follow from the places: visible is what is neither in flight nor delayed.
2. No call looks through the messages. Ready ones stand in deques, hidden ones in a heap by the end of their hiding;
   one that leaves early stays behind as a stale entry, skipped or swept.
3. A message received fewer than three times returns to the front when it becomes visible again; a poison one goes
   to the back (facts/sqs.md section 3, "Poison messages").
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush

from forebay.rules.queue_contents import MessageContent
from forebay.rules.queue_messages import (
    DELAYED,
    GONE,
    IN_FLIGHT,
    NEVER,
    NO_CONTENT,
    POISON_RECEIVES,
    READY,
    SWEEP_ABOVE,
    StoredMessage,
)


class Shelves:
    """The messages of one queue, by place."""

    def __init__(self) -> None:
        self.messages: dict[int, StoredMessage] = {}
        self.in_flight = 0
        self.delayed = 0
        self.repeats: deque[StoredMessage] = deque()
        """Messages in flight that are to be delivered once more all the same."""
        self._serial = 0
        self._ticket = 0
        self._fresh: deque[StoredMessage] = deque()
        self._returned: deque[StoredMessage] = deque()
        self._hidden: list[tuple[float, int, StoredMessage]] = []

    @property
    def visible(self) -> int:
        return len(self.messages) - self.in_flight - self.delayed

    def enter(self, content: MessageContent, sent_at: float, *, visible_at: float | None = None) -> StoredMessage:
        """Take in a message: ready, or delayed until `visible_at`."""
        self._serial += 1
        message = self.messages[self._serial] = StoredMessage(content, self._serial, sent_at)
        if visible_at is None:
            self._fresh.append(message)
        else:
            message.place = DELAYED
            self.delayed += 1
            self._hide(message, visible_at)
        return message

    def next_one(self) -> StoredMessage | None:
        """Take the next visible message off its shelf, or one that is due for a repeated delivery."""
        for waiting in (self._returned, self._fresh):
            while waiting:
                message = waiting.popleft()
                if message.place == READY:
                    return message
        while self.repeats:
            message = self.repeats.popleft()
            if message.place == IN_FLIGHT:
                return message
        return None

    def lease(self, message: StoredMessage, until: float) -> None:
        """Put a message that `next_one` gave in flight, or keep one in flight, until `until`."""
        if message.place != IN_FLIGHT:
            message.place = IN_FLIGHT
            self.in_flight += 1
        self._hide(message, until)

    def show(self, message: StoredMessage) -> None:
        """Make a message visible again."""
        if message.place == IN_FLIGHT:
            self.in_flight -= 1
        elif message.place == DELAYED:
            self.delayed -= 1
        message.place = READY
        message.ticket = 0
        if 0 < message.receives_here < POISON_RECEIVES:
            self._returned.append(message)
        else:
            self._fresh.append(message)

    def forget(self, message: StoredMessage) -> None:
        """Remove a message for good."""
        if message.place == IN_FLIGHT:
            self.in_flight -= 1
        elif message.place == DELAYED:
            self.delayed -= 1
        message.place = GONE
        message.ticket = 0
        message.content = NO_CONTENT  # Stale entries must not keep bodies alive.
        del self.messages[message.serial]

    def clear(self) -> None:
        """Remove every message."""
        for message in list(self.messages.values()):
            self.forget(message)
        for entries in (self._fresh, self._returned, self.repeats, self._hidden):
            entries.clear()

    def next_wake_at(self) -> float:
        """When the next hidden message becomes visible; infinity for never."""
        hidden = self._hidden
        while hidden and hidden[0][2].ticket != hidden[0][1]:
            heappop(hidden)
        return hidden[0][0] if hidden else NEVER

    def wake(self, now: float) -> None:
        """Show every message whose hiding ends by `now`."""
        hidden = self._hidden
        while hidden and hidden[0][0] <= now:
            _, ticket, message = heappop(hidden)
            if message.ticket == ticket:
                self.show(message)

    def _hide(self, message: StoredMessage, until: float) -> None:
        self._ticket += 1
        message.ticket = self._ticket
        heappush(self._hidden, (until, self._ticket, message))
        if len(self._hidden) > 2 * (self.in_flight + self.delayed) + SWEEP_ABOVE:
            self._hidden = [entry for entry in self._hidden if entry[2].ticket == entry[1]]
            heapify(self._hidden)
