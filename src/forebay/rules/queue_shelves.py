"""Where each message of a queue is, and moving it from one place to another.

All that a queue must keep of its messages is here: `messages`, each with its place, and the last `serial`.

Rules kept here and nowhere else:

1. The counts follow from the places: visible is what is neither in flight nor delayed.
2. No call looks through the messages. Ready ones stand in deques, hidden ones in a heap by the end of their hiding;
   one that leaves early stays behind as a stale entry, skipped or swept.
3. A message received fewer than three times returns to the front when it becomes visible again; a poison one goes
   to the back (facts/sqs.md section 3, "Poison messages").
4. Messages with a group stand in lines of their own, kept by `queue_groups`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from forebay.rules.queue_contents import MessageContent
from forebay.rules.queue_groups import Groups
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

_RETURNED = -(2**52)
"""Where the orders of those that came back begin: before every fresh one."""


class Shelves:
    """The messages of one queue, by place."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        self.messages: dict[int, StoredMessage] = {}
        self.in_flight = 0
        self.delayed = 0
        self.repeats: deque[StoredMessage] = deque()
        """Messages in flight that are to be delivered once more all the same."""
        self.serial = 0
        """Of the newest message; they count from 1 and never repeat."""
        self.changed: set[StoredMessage] | None = None
        """Those that have changed since somebody who keeps them last looked; None: nobody keeps them."""
        self._ticket = 0
        self._returns = 0
        self._arrivals = 0
        self._fresh: deque[StoredMessage] = deque()
        self._returned: deque[StoredMessage] = deque()
        self._hidden: list[tuple[float, int, StoredMessage]] = []

    @property
    def visible(self) -> int:
        return len(self.messages) - self.in_flight - self.delayed

    def enter(self, content: MessageContent, sent_at: float, *, visible_at: float | None = None) -> StoredMessage:
        """Take in a message: ready, or delayed until `visible_at`."""
        self.serial += 1
        message = self.messages[self.serial] = StoredMessage(content, self.serial, sent_at)
        self._note(message)
        if content.group is not None:
            self.groups.join(message)
        if visible_at is None:
            self._arrivals += 1
            message.order = self._arrivals
            if message.group is None:
                self._fresh.append(message)
            else:
                self.groups.line_up(message, is_returned=False)
        else:
            message.place = DELAYED
            self.delayed += 1
            self._delay(message, visible_at)
        return message

    def restore(self, messages: Iterable[StoredMessage], serial: int) -> None:
        """Take in what another `Shelves` held: its messages as they were, each with its place, and its last serial."""
        self.serial = serial
        for message in sorted(messages, key=lambda message: (message.ticket, message.order, message.serial)):
            # A ticket means the same after the next restart too, so they go on where they were.
            self._ticket, message.ticket = max(self._ticket, message.ticket - 1), 0
            self.messages[message.serial] = message
            if message.content.group is not None:
                self.groups.join(message)
            is_returned = message.order < 0
            self._returns = max(self._returns, message.order - _RETURNED if is_returned else 0)
            self._arrivals = max(self._arrivals, message.order)
            if message.place == READY:
                self._line_up(message, is_returned=is_returned)
            elif message.place == DELAYED:
                self.delayed += 1
                self._delay(message, message.hidden_until)
            else:
                message.place = READY
                self.lease(message, message.hidden_until)

    def next_one(self) -> StoredMessage | None:
        """Take the next visible message off its shelf, or one that is due for a repeated delivery."""
        if self.groups.by_name:
            first = self._first_without_group()
            message = self.groups.next_one(None if first is None else first.order)
            if message is not None:
                return message
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

    def _first_without_group(self) -> StoredMessage | None:
        for waiting in (self._returned, self._fresh):
            while waiting:
                message = waiting[0]
                if message.place == READY:
                    return message
                waiting.popleft()
        return None

    def lease(self, message: StoredMessage, until: float) -> None:
        """Put a message that `next_one` gave in flight, or keep one in flight, until `until`."""
        if message.place != IN_FLIGHT:
            message.place = IN_FLIGHT
            self.in_flight += 1
            if message.group is not None:
                self.groups.leased(message.group)
        self._hide(message, until)

    def show(self, message: StoredMessage) -> None:
        """Make a message visible again."""
        self._leave_hiding(message)
        self._note(message)
        message.place = READY
        if self._comes_back(message):
            self._returns += 1
            message.order = _RETURNED + self._returns
            self._line_up(message, is_returned=True)
        else:
            self._arrivals += 1
            message.order = self._arrivals
            self._line_up(message, is_returned=False)

    def _comes_back(self, message: StoredMessage) -> bool:
        """Whether a message that becomes visible goes to the front."""
        return 0 < message.receives_here < POISON_RECEIVES

    def _line_up(self, message: StoredMessage, *, is_returned: bool) -> None:
        if message.group is not None:
            self.groups.line_up(message, is_returned=is_returned)
        elif is_returned:
            self._returned.append(message)
        else:
            self._fresh.append(message)

    def _leave_hiding(self, message: StoredMessage) -> None:
        message.ticket = 0
        if message.place == IN_FLIGHT:
            self.in_flight -= 1
            if message.group is not None:
                self.groups.left_flight(message.group)
        elif message.place == DELAYED:
            self.delayed -= 1

    def forget(self, message: StoredMessage) -> None:
        """Remove a message for good."""
        self._leave_hiding(message)
        self._note(message)
        message.place = GONE
        message.content = NO_CONTENT  # Stale entries must not keep bodies alive.
        del self.messages[message.serial]
        if message.group is not None:
            self.groups.quit(message.group)

    def clear(self) -> None:
        """Remove every message."""
        for message in list(self.messages.values()):
            self.forget(message)
        for entries in (self._fresh, self._returned, self.repeats, self._hidden):
            entries.clear()
        self.groups.clear()

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

    def _note(self, message: StoredMessage) -> None:
        if self.changed is not None:
            self.changed.add(message)

    def _delay(self, message: StoredMessage, until: float) -> None:
        self._hide(message, until)

    def _hide(self, message: StoredMessage, until: float) -> None:
        self._ticket += 1
        self._note(message)
        message.hidden_until = until
        message.ticket = self._ticket
        heappush(self._hidden, (until, self._ticket, message))
        if len(self._hidden) > 2 * (self.in_flight + self.delayed) + SWEEP_ABOVE:
            self._hidden = [entry for entry in self._hidden if entry[2].ticket == entry[1]]
            heapify(self._hidden)
