"""Message groups of a FIFO queue: order within each, side by side with the others.

Rules kept here and nowhere else:

1. While a message of a group is in flight, no later receive brings any of that group (facts/sqs.md section 3). One
   receive may bring several, in order.
2. A message that comes back is again before all that were sent after it.
3. A receive takes what it can from one group before it turns to the next (Developer Guide, "FIFO queue delivery
   logic"). Groups take turns: one that becomes free stands behind those that were free before. AWS promises no order
   among groups; taking turns lets a group whose first message always fails hold up nobody else.
"""

from __future__ import annotations

from collections import deque

from forebay.rules.queue_groups import Group, Groups
from forebay.rules.queue_messages import SWEEP_ABOVE, StoredMessage


class FifoGroups(Groups):
    """The groups of one FIFO queue."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = 0
        """Groups with a message in flight."""
        self._free: deque[Group] = deque()
        """Every group that waits and is not locked; also some that have ceased to be so, skipped when they come up."""

    def line_up(self, message: StoredMessage, *, is_returned: bool) -> None:
        group = message.group
        assert group is not None
        if is_returned:
            line = group.returned
            # No more come back at once than one receive has brought, so this looks at a handful.
            place = len(line)
            while place > 0 and line[place - 1].serial > message.serial:
                place -= 1
            line.insert(place, message)
        else:
            group.fresh.append(message)
        self._list(group)

    def _list(self, group: Group) -> None:
        if group.in_flight > 0 or group.is_listed:
            return
        group.is_listed = True
        self._free.append(group)
        if len(self._free) > 2 * len(self.by_name) + SWEEP_ABOVE:
            self._free = deque(other for other in self._free if other.size > 0)

    def next_one(self, before: int | None) -> StoredMessage | None:
        assert before is None, "every message of a FIFO queue has a group"
        while self._free:
            group = self._free[0]
            if group.in_flight == 0:
                message = group.first()
                if message is not None:
                    group.take_first()
                    # The group keeps its place until the whole receive has been gathered, and `leased` locks it.
                    return message
            group.is_listed = False
            self._free.popleft()
        return None

    def leased(self, group: Group) -> None:
        if group.in_flight == 0:
            self.locked += 1
            if self._free and self._free[0] is group:
                group.is_listed = False
                self._free.popleft()
        group.in_flight += 1

    def left_flight(self, group: Group) -> None:
        group.in_flight -= 1
        if group.in_flight == 0:
            self.locked -= 1
            if group.first() is not None:
                self._list(group)

    def clear(self) -> None:
        super().clear()
        self._free.clear()
