"""Message groups of a queue: what each has in line and in flight.

Rules kept here and nowhere else:

1. A group exists for as long as the queue holds a message of it, and no longer.
2. In a group's line those that came back stand before the fresh ones.
3. One that leaves the line early stays behind as a stale entry, skipped or swept.

Whose turn it is, is decided by the two kinds of groups: `queue_fifo_groups` and `queue_fair`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from forebay.rules.queue_messages import READY, SWEEP_ABOVE, StoredMessage


class Group:
    """What one message group has in a queue."""

    __slots__ = ("entry", "fresh", "in_flight", "is_listed", "name", "returned", "size")

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        """Its messages, wherever they are."""
        self.in_flight = 0
        self.is_listed = False
        """Whether it stands among the groups that may be served next. Used by FIFO queues."""
        self.entry = 0
        """Number of its newest entry among the heads; others are stale. Used by fair queues."""
        self.fresh: deque[StoredMessage] = deque()
        self.returned: deque[StoredMessage] = deque()

    def first(self) -> StoredMessage | None:
        """Return the message at the front of its line, which stays there."""
        for line in (self.returned, self.fresh):
            while line:
                message = line[0]
                if message.place == READY:
                    return message
                line.popleft()
        return None

    def take_first(self) -> None:
        """Take the message that `first` has just returned out of the line."""
        (self.returned or self.fresh).popleft()

    def sweep(self) -> None:
        """Drop stale entries when they outnumber the messages."""
        if len(self.fresh) + len(self.returned) > 2 * self.size + SWEEP_ABOVE:
            self.fresh = deque(message for message in self.fresh if message.place == READY)
            self.returned = deque(message for message in self.returned if message.place == READY)

    def __repr__(self) -> str:
        return f"Group(size={self.size}, in_flight={self.in_flight})"


class Groups(ABC):
    """The groups of one queue, and whose turn it is."""

    def __init__(self) -> None:
        self.by_name: dict[str, Group] = {}

    def join(self, message: StoredMessage) -> None:
        """Count a message that has come to the queue. It stands in no line yet."""
        name = message.content.group
        assert name is not None, "only a message with a group joins one"
        group = self.by_name.get(name)
        if group is None:
            group = self.by_name[name] = Group(name)
        group.size += 1
        message.group = group

    def quit(self, group: Group) -> None:
        """Count a message out that is gone for good."""
        group.size -= 1
        if group.size == 0:
            del self.by_name[group.name]
        else:
            group.sweep()

    @abstractmethod
    def line_up(self, message: StoredMessage, *, is_returned: bool) -> None:
        """Put a ready message into its group's line."""

    @abstractmethod
    def next_one(self, before: int | None) -> StoredMessage | None:
        """Take the message whose turn it is out of its line.

        `before` is the order of a message without a group that waits too: None is returned when that one should go
        first.
        """

    @abstractmethod
    def leased(self, group: Group) -> None:
        """One more message of the group is in flight."""

    @abstractmethod
    def left_flight(self, group: Group) -> None:
        """One message of the group is not in flight any more. If it has come back, it is lined up after this."""

    def clear(self) -> None:
        """Forget what stands in line; the messages are gone already."""
        assert not self.by_name, "groups without messages do not exist"
