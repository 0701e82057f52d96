"""What CloudWatch tells of a queue: counted as things happen, and made into one point a period.

Rules kept here and nowhere else (facts/sqs.md section 5, save where another is named):

1. Sent does not count automatic moves to a dead-letter queue; received counts redeliveries; deleted counts repeats.
2. The age of the oldest message leaves out, on a standard queue, those that were received three times or more and not
   deleted (section 3, "Poison messages"). A dead letter's age counts from its move.
3. Sizes are those of body and attributes together (section 2), and have no value in a period without a send.
4. Nothing here looks through the messages, however many there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from forebay.rules.queue_latencies import Latencies
from forebay.rules.queue_messages import GONE, NEVER, POISON_RECEIVES, SWEEP_ABOVE, StoredMessage

if TYPE_CHECKING:
    from forebay.rules.queue_contents import MessageContent
    from forebay.rules.queue_store import StandardQueue


class Totals(NamedTuple):
    """What has happened to a queue since its creation, in messages."""

    sent: int = 0
    received: int = 0
    deleted: int = 0
    empty_receives: int = 0
    deduplicated: int = 0
    sent_bytes: int = 0

    def since(self, before: Totals) -> Totals:
        """Return what has happened since `before`."""
        return Totals(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """A queue at one moment."""

    visible: int
    in_flight: int
    delayed: int
    oldest_age_s: float
    locked_groups: int | None = None
    """Groups with a message in flight, of a FIFO queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A queue over one period that ended at `at`: the gauges at its end, the counts within it."""

    at: float
    """By the clock of whoever turns the rules, in seconds."""
    at_unix_ms: int
    period_s: float
    gauges: Gauges
    counts: Totals
    sent_bytes_min: int | None = None
    """Of one message; None when none was sent. So with the next."""
    sent_bytes_max: int | None = None


class Arrivals:
    """Since when each message of one queue has been there: for the age of the oldest that counts."""

    __slots__ = ("_moved", "_sent")

    def __init__(self) -> None:
        self._sent: deque[StoredMessage] = deque()
        self._moved: deque[tuple[float, StoredMessage]] = deque()

    def add(self, message: StoredMessage, live: int) -> None:
        """Note a message that was sent now. `live`: how many messages the queue holds."""
        self._sent.append(message)
        if len(self._sent) > 2 * live + SWEEP_ABOVE:
            self._sent = deque(other for other in self._sent if other.place != GONE)

    def add_moved(self, message: StoredMessage, now: float, live: int) -> None:
        """Note a message that came from another queue."""
        self._moved.append((now, message))
        if len(self._moved) > 2 * live + SWEEP_ABOVE:
            self._moved = deque(entry for entry in self._moved if entry[1].place != GONE)

    def oldest_at(self, *, receives_max: float) -> float | None:
        """Since when the oldest has been there, of those received at most `receives_max` times; None for no such.

        The number is the same at every call: a message that was passed over is not looked at again.
        """
        sent, moved = self._sent, self._moved
        while sent and (sent[0].place == GONE or sent[0].receives_here > receives_max):
            sent.popleft()
        while moved and (moved[0][1].place == GONE or moved[0][1].receives_here > receives_max):
            moved.popleft()
        times = [*([sent[0].sent_at] if sent else ()), *([moved[0][0]] if moved else ())]
        return min(times, default=None)

    def clear(self) -> None:
        self._sent.clear()
        self._moved.clear()

    def __len__(self) -> int:
        """How many entries there are, stale ones included."""
        return len(self._sent) + len(self._moved)


class Tally:
    """The counters of one queue. The queue and its operations tell it what happens."""

    __slots__ = (
        "arrivals",
        "deduplicated",
        "deleted",
        "empty_receives",
        "received",
        "sent",
        "sent_bytes",
        "sizes_max",
        "sizes_min",
        "total",
        "wait",
    )

    def __init__(self) -> None:
        self.sent = self.received = self.deleted = self.empty_receives = self.deduplicated = self.sent_bytes = 0
        self.sizes_min: int | None = None
        """In the present period; so with the next."""
        self.sizes_max: int | None = None
        self.wait = Latencies()
        """From the sending of a message to its first receive."""
        self.total = Latencies()
        """From the sending of a message to its deletion."""
        self.arrivals = Arrivals()

    @property
    def totals(self) -> Totals:
        return Totals(self.sent, self.received, self.deleted, self.empty_receives, self.deduplicated, self.sent_bytes)

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────

    def note_sent(self, message: StoredMessage, live: int) -> None:
        """A message has been sent to the queue. `live`: how many messages it holds now."""
        size = _size_bytes(message.content)
        self.sent += 1
        self.sent_bytes += size
        if self.sizes_max is None or size > self.sizes_max:
            self.sizes_max = size
        if self.sizes_min is None or size < self.sizes_min:
            self.sizes_min = size
        self.arrivals.add(message, live)

    def note_moved(self, message: StoredMessage, now: float, live: int) -> None:
        """A message has come from another queue, because it was received too often there."""
        self.arrivals.add_moved(message, now, live)

    def note_receive(self, leased: Sequence[StoredMessage], now: float, *, is_end: bool) -> None:
        """These messages are about to be delivered; their receive counts do not count this delivery yet.

        `is_end`: the receive ends with them, even when there are none. A long poll goes on waiting.
        """
        if not leased:
            self.empty_receives += is_end
            return
        self.received += len(leased)
        sent_at, count = 0.0, 0
        for message in leased:
            if message.receive_count:
                continue
            # Messages of one batch were sent at one moment: they cost one entry together.
            if message.sent_at == sent_at:
                count += 1
                continue
            if count:
                self.wait.add(now - sent_at, now, count)
            sent_at, count = message.sent_at, 1
        if count:
            self.wait.add(now - sent_at, now, count)

    def note_delete(self, message: StoredMessage | None, now: float) -> None:
        """A delete has been answered as success. `message` is what it has removed, if it has removed anything."""
        self.deleted += 1
        if message is not None:
            self.total.add(now - message.sent_at, now)

    # ── what is told ───────────────────────────────────────────────────────────────────────────────────────

    def end_period(self) -> tuple[int | None, int | None]:
        """Return the smallest and the largest message sent in the period that ends now, and begin the next."""
        sizes = self.sizes_min, self.sizes_max
        self.sizes_min = self.sizes_max = None
        return sizes


def gauges(queue: StandardQueue, now: float) -> Gauges:
    """Return what is to be seen of a queue at `now`."""
    from forebay.rules.queue_fifo import (
        FifoQueue,
    )  # Not at the top: every queue has a tally, so that would be a circle.

    visible, in_flight, delayed = queue.counts().values()
    oldest_at = queue.tally.arrivals.oldest_at(receives_max=NEVER if queue.is_fifo else POISON_RECEIVES - 1)
    return Gauges(
        visible=visible,
        in_flight=in_flight,
        delayed=delayed,
        oldest_age_s=0.0 if oldest_at is None else max(0.0, now - oldest_at),
        locked_groups=queue.locked_groups if isinstance(queue, FifoQueue) else None,
    )


def point(queue: StandardQueue, before: Totals, *, at: float, now: float, period_s: float) -> Point:
    """Return the point of the period that ended at `at`, and begin the next.

    `before`: the totals at its start.
    """
    smallest, largest = queue.tally.end_period()
    return Point(
        at=at,
        at_unix_ms=queue.unix_ms(at),
        period_s=period_s,
        gauges=gauges(queue, now),
        counts=queue.tally.totals.since(before),
        sent_bytes_min=smallest,
        sent_bytes_max=largest,
    )


def _size_bytes(content: MessageContent) -> int:
    size = _bytes(content.body)
    for name, (data_type, value) in content.attributes.items():
        size += len(name) + len(data_type) + (len(value) if isinstance(value, bytes) else _bytes(value))
    return size


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
