"""Fair queues: message groups of a standard queue, where a noisy group yields to quiet ones.

Rules kept here and nowhere else (facts/sqs.md section 4; Developer Guide, "Amazon SQS fair queues"):

1. A group is noisy while its share of what is in flight is disproportionate. AWS does not publish from which share on;
   here: two messages or more in flight, and more than twice the mean of the other groups that the queue holds.
2. Messages of quiet groups, and those without a group, go before those of noisy groups. When nothing else waits, noisy
   ones flow as before.
3. Among quiet groups, and among noisy ones, the order is the queue's usual one, as though there were no groups.
4. Who is noisy is judged anew for every message taken, by what was in flight when the receive began.

Cost: groups are kept by how many messages they have in flight, each number with a heap of its groups' first messages.
120,000 messages in flight allow fewer than 500 different numbers, and usually there are a few; nothing else is looked
through.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

from forebay.rules.queue_groups import Group, Groups
from forebay.rules.queue_messages import SWEEP_ABOVE, StoredMessage

NOISY_FROM = 2
NOISY_RATIO = 2

_Heads = list[tuple[int, int, Group]]


class FairGroups(Groups):
    """The groups of one standard queue."""

    def __init__(self) -> None:
        super().__init__()
        self.in_flight = 0
        """Messages in flight that have a group."""
        self._heads: dict[int, _Heads] = {}
        """By messages in flight: the order of each group's first message. A group that waits has an entry under its
        present number, not behind its true place; entries may be stale."""
        self._entries = 0
        self._number = 0

    def is_noisy(self, in_flight: int) -> bool:
        """Whether a group with so many messages in flight is noisy now."""
        if in_flight < NOISY_FROM:
            return False
        others = len(self.by_name) - 1
        return others > 0 and in_flight * others > NOISY_RATIO * (self.in_flight - in_flight)

    def line_up(self, message: StoredMessage, *, is_returned: bool) -> None:
        group = message.group
        assert group is not None
        first = group.first()
        (group.returned if is_returned else group.fresh).append(message)
        if first is None or message.order < first.order:
            self._announce(group, message)

    def _announce(self, group: Group, first: StoredMessage) -> None:
        """Enter a group under its present number of messages in flight."""
        self._number += 1
        group.entry = self._number
        heappush(self._heads.setdefault(group.in_flight, []), (first.order, self._number, group))
        self._entries += 1
        if self._entries > 2 * len(self.by_name) + SWEEP_ABOVE:
            self._heads.clear()
            self._entries = 0
            for other in self.by_name.values():
                self._announce_again(other)

    def _announce_again(self, group: Group) -> None:
        first = group.first()
        if first is not None:
            self._announce(group, first)

    def next_one(self, before: int | None) -> StoredMessage | None:
        quiet: StoredMessage | None = None
        noisy: StoredMessage | None = None
        for in_flight in list(self._heads):
            first = self._first_of(in_flight)
            if first is None:
                continue
            if self.is_noisy(in_flight):
                noisy = first if noisy is None or first.order < noisy.order else noisy
            else:
                quiet = first if quiet is None or first.order < quiet.order else quiet
        chosen = quiet or noisy
        if before is not None and (quiet is None or before < quiet.order):
            return None
        if chosen is not None:
            assert chosen.group is not None
            chosen.group.take_first()
        return chosen

    def _first_of(self, in_flight: int) -> StoredMessage | None:
        """Return the first message of all groups with so many in flight, mending entries on the way."""
        heads = self._heads[in_flight]
        while heads:
            order, number, group = heads[0]
            first = group.first() if group.entry == number and group.in_flight == in_flight else None
            if first is None:
                heappop(heads)
                self._entries -= 1
            elif first.order != order:
                heapreplace(heads, (first.order, number, group))
            else:
                return first
        del self._heads[in_flight]
        return None

    def leased(self, group: Group) -> None:
        self._flies(group, 1)

    def left_flight(self, group: Group) -> None:
        self._flies(group, -1)

    def _flies(self, group: Group, change: int) -> None:
        group.in_flight += change
        self.in_flight += change
        self._announce_again(group)

    def clear(self) -> None:
        super().clear()
        self._heads.clear()
        self._entries = 0
