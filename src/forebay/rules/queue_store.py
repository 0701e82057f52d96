"""One standard queue: where each of its messages is, who waits for one, and what happens next by itself.

Rules kept here and nowhere else:

1. A message is ready, delayed, in flight or gone; nothing else. The counts follow from that.
2. No call looks through the messages. Ready ones stand in deques; those hidden until some time, and waiting polls,
   stand in heaps; whoever leaves early stays behind as a stale entry that is skipped, or swept when stale entries
   outnumber live ones.
3. A message received fewer than three times returns to the front when it becomes visible again; a poison one goes
   to the back (facts/sqs.md section 3, "Poison messages").
4. Waiting polls are answered in their order of arrival, as soon as there is anything for them.
5. What is due happens in the order of time, however far time is moved at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from forebay.rules.queue_contents import MessageContent
from forebay.rules.queue_receipts import write_receipt

if TYPE_CHECKING:
    from random import Random

    from forebay.rules.queue_attributes import QueueAttributes
    from forebay.rules.queue_errors import ServiceFailure

IN_FLIGHT_MAX = 120_000
POISON_RECEIVES = 3
NEVER = float("inf")

# Where a message is.
READY = 0
DELAYED = 1
IN_FLIGHT = 2
GONE = 3

_SWEEP_ABOVE = 1_024
_NOTHING = MessageContent("", "", "", {}, 0)


class StoredMessage:
    """A message and its place in one queue."""

    __slots__ = (
        "content",
        "dead_letter_source",
        "delivery",
        "first_received_at_ms",
        "place",
        "receive_count",
        "received_at",
        "receives_here",
        "sent_at",
        "serial",
        "ticket",
    )

    def __init__(self, content: MessageContent, serial: int, sent_at: float) -> None:
        self.content = content
        self.serial = serial
        self.sent_at = sent_at
        self.place = READY
        self.ticket = 0
        """Number of the heap entry that hides it now. An entry with another number is stale."""
        self.delivery = 0
        """Number of its newest delivery here; older handles have no power over it."""
        self.receive_count = 0
        """ApproximateReceiveCount, which counts across an automatic move to a dead-letter queue."""
        self.receives_here = 0
        self.received_at = 0.0
        self.first_received_at_ms = 0
        self.dead_letter_source: str | None = None


class Delivery(NamedTuple):
    """One message as a receive returns it."""

    content: MessageContent
    receipt: str
    receive_count: int
    first_received_at_ms: int
    dead_letter_source: str | None

    def __repr__(self) -> str:
        return f"Delivery({self.content.message_id}, receive_count={self.receive_count})"


@dataclass(slots=True, kw_only=True)
class QueueModes:
    """How this queue behaves where AWS leaves it open. May be changed at any time."""

    in_flight_max: int = IN_FLIGHT_MAX
    is_sampled: bool = False
    """Receives answer with fewer messages than wait, as AWS's do: SQS asks a sample of its hosts."""
    duplicates_due: int = 0
    """So many of the next messages delivered are delivered once more, while the first lease still runs."""
    duplicate_ratio: float = 0.0
    """Share of deliveries that are repeated so. 0 to 1."""
    deletes_lost: int = 0
    """So many of the next deletes are answered as success and forgotten: the message comes again."""


class Waiter:
    """A long poll that waits. It ends exactly once: with messages, empty, with a failure, or cancelled."""

    __slots__ = (
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
        self, queue: StandardQueue, count_max: int, visibility_s: int | None, deadline_at: float, tag: object
    ) -> None:
        self.queue = queue
        self.count_max = count_max
        self.visibility_s = visibility_s
        self.deadline_at = deadline_at
        self.tag = tag
        """The caller's own, untouched here."""
        self.is_open = True
        self.is_abandoned = False
        """Its client is gone, and the service has not noticed: what it is answered with is hidden from everybody."""
        self.messages: list[Delivery] = []
        self.failure: ServiceFailure | None = None


class StandardQueue:
    """The state of one standard queue. `bury` moves a message to the dead-letter queue, or says that it cannot."""

    def __init__(
        self,
        name: str,
        arn: str,
        attributes: QueueAttributes,
        *,
        seal: int,
        rng: Random,
        epoch_ms: int,
        bury: Callable[[StandardQueue, StoredMessage, float], bool],
    ) -> None:
        self.name = name
        self.arn = arn
        self.attributes = attributes
        self.modes = QueueModes()
        self.tags: dict[str, str] = {}
        self.seal = seal
        self.messages: dict[int, StoredMessage] = {}
        self.in_flight = 0
        self.delayed = 0
        self.swallowed_count = 0
        """Messages that went to abandoned polls, so far."""
        self.answered: list[Waiter] = []
        """Waiters that have ended and wait to be told so by whoever turns the rules."""
        self._rng = rng
        self._epoch_ms = epoch_ms
        self._bury = bury
        self._serial = 0
        self._ticket = 0
        self._fresh: deque[StoredMessage] = deque()
        self._returned: deque[StoredMessage] = deque()
        self._repeats: deque[StoredMessage] = deque()
        self._hidden: list[tuple[float, int, StoredMessage]] = []
        self._ages: deque[StoredMessage] = deque()
        """Messages in the order of their sending; those that came from elsewhere stand in `_moved_ages`."""
        self._moved_ages: list[tuple[float, int, StoredMessage]] = []
        self._waiters: deque[Waiter] = deque()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._waiting = 0

    @property
    def visible(self) -> int:
        return len(self.messages) - self.in_flight - self.delayed

    # ── in ─────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, content: MessageContent, now: float, delay_s: int) -> StoredMessage:
        """Take in a new message, hidden for `delay_s`."""
        message = self._enter(content, now)
        self._ages.append(message)
        while self._ages[0].place == GONE:
            self._ages.popleft()
        if len(self._ages) > 2 * len(self.messages) + _SWEEP_ABOVE:
            self._ages = deque(old for old in self._ages if old.place != GONE)
        if delay_s > 0:
            message.place = DELAYED
            self.delayed += 1
            self._hide(message, now + delay_s)
        else:
            self._fresh.append(message)
        return message

    def add_dead_letter(self, dead: StoredMessage, source_arn: str) -> None:
        """Take in a message from another queue: same id and send time, its receive count carried on."""
        message = self._enter(dead.content, dead.sent_at)
        message.receive_count = dead.receive_count
        message.first_received_at_ms = dead.first_received_at_ms
        message.dead_letter_source = source_arn
        heappush(self._moved_ages, (message.sent_at, message.serial, message))
        if len(self._moved_ages) > 2 * len(self.messages) + _SWEEP_ABOVE:
            self._moved_ages = [entry for entry in self._moved_ages if entry[2].place != GONE]
            heapify(self._moved_ages)
        self._fresh.append(message)

    def _enter(self, content: MessageContent, sent_at: float) -> StoredMessage:
        self._serial += 1
        message = self.messages[self._serial] = StoredMessage(content, self._serial, sent_at)
        return message

    # ── out ────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, now: float, count_max: int, visibility_s: int | None, *, may_be_none: bool = True) -> list[Delivery]:
        """Lease up to `count_max` visible messages. `may_be_none`: a sampled short poll may miss every one."""
        count_max = min(count_max, self.modes.in_flight_max - self.in_flight)
        if self.modes.is_sampled and self.visible > 0 and count_max > 0:
            count_max = self._rng.randint(0 if may_be_none else 1, min(count_max, self.visible))
        if visibility_s is None:
            visibility_s = self.attributes.visibility_s
        leased: list[StoredMessage] = []
        redrive = self.attributes.redrive
        while len(leased) < count_max:
            message = self._next()
            if message is None:
                break
            if redrive is None or message.receives_here < redrive.receive_count_max:
                leased.append(message)
            elif message.place == IN_FLIGHT:
                continue  # A repeated delivery may not pass the limit, nor move what somebody works on.
            elif self._bury(self, message, now):
                self.forget(message)
            else:  # Its dead-letter queue does not exist any more: better delivered too often than lost.
                leased.append(message)
        return [self._lease(message, now, visibility_s) for message in leased]

    def _next(self) -> StoredMessage | None:
        """Take the next visible message out of its deque, or one that is due for a repeated delivery."""
        for waiting in (self._returned, self._fresh):
            while waiting:
                message = waiting.popleft()
                if message.place == READY:
                    return message
        while self._repeats:
            message = self._repeats.popleft()
            if message.place == IN_FLIGHT:
                return message
        return None

    def _lease(self, message: StoredMessage, now: float, visibility_s: int) -> Delivery:
        message.receive_count += 1
        message.receives_here += 1
        message.delivery += 1
        message.received_at = now
        if message.first_received_at_ms == 0:
            message.first_received_at_ms = self.unix_ms(now)
        is_repeat = message.place == IN_FLIGHT
        if not is_repeat:
            message.place = IN_FLIGHT
            self.in_flight += 1
        if visibility_s > 0:
            self._hide(message, now + visibility_s)
        else:
            self._show(message)
        if not is_repeat and self._is_due_again():
            self._repeats.append(message)
        return Delivery(
            message.content,
            write_receipt(message.serial, message.delivery, self.seal),
            message.receive_count,
            message.first_received_at_ms,
            message.dead_letter_source,
        )

    def _is_due_again(self) -> bool:
        modes = self.modes
        if modes.duplicates_due > 0:
            modes.duplicates_due -= 1
            return True
        return modes.duplicate_ratio > 0.0 and self._rng.random() < modes.duplicate_ratio

    # ── settling ───────────────────────────────────────────────────────────────────────────────────────────

    def reveal(self, message: StoredMessage) -> None:
        """Make a hidden message visible at once."""
        assert message.place in (DELAYED, IN_FLIGHT), message.place
        self._show(message)

    def hide_until(self, message: StoredMessage, until: float) -> None:
        """Set a new end to the lease of a message in flight."""
        assert message.place == IN_FLIGHT, message.place
        self._hide(message, until)

    def forget(self, message: StoredMessage) -> None:
        """Remove a message for good. Its stale entries are skipped when their turn comes."""
        if message.place == IN_FLIGHT:
            self.in_flight -= 1
        elif message.place == DELAYED:
            self.delayed -= 1
        message.place = GONE
        message.ticket = 0
        message.content = _NOTHING  # Stale entries must not keep bodies alive.
        del self.messages[message.serial]

    def forget_all(self) -> None:
        """Remove every message, in flight or not."""
        for message in list(self.messages.values()):
            self.forget(message)
        for entries in (self._fresh, self._returned, self._repeats, self._hidden, self._ages, self._moved_ages):
            entries.clear()

    def _hide(self, message: StoredMessage, until: float) -> None:
        self._ticket += 1
        message.ticket = self._ticket
        heappush(self._hidden, (until, self._ticket, message))
        if len(self._hidden) > 2 * (self.in_flight + self.delayed) + _SWEEP_ABOVE:
            self._hidden = [entry for entry in self._hidden if entry[2].ticket == entry[1]]
            heapify(self._hidden)

    def _show(self, message: StoredMessage) -> None:
        if message.place == IN_FLIGHT:
            self.in_flight -= 1
        else:
            self.delayed -= 1
        message.place = READY
        message.ticket = 0
        if 0 < message.receives_here < POISON_RECEIVES:
            self._returned.append(message)
        else:
            self._fresh.append(message)

    # ── polls ──────────────────────────────────────────────────────────────────────────────────────────────

    def wait(self, waiter: Waiter) -> None:
        """Let a long poll stand in line until there is something for it, or its time is up."""
        while self._waiters and not self._waiters[0].is_open:
            self._waiters.popleft()
        self._waiters.append(waiter)
        self._ticket += 1
        heappush(self._deadlines, (waiter.deadline_at, self._ticket, waiter))
        self._waiting += 1
        if max(len(self._deadlines), len(self._waiters)) > 2 * self._waiting + _SWEEP_ABOVE:
            self._deadlines = [entry for entry in self._deadlines if entry[2].is_open]
            heapify(self._deadlines)
            self._waiters = deque(other for other in self._waiters if other.is_open)

    def end(self, waiter: Waiter) -> None:
        """Take a waiter out without an answer."""
        if waiter.is_open:
            waiter.is_open = False
            self._waiting -= 1

    def dispatch(self, now: float) -> None:
        """Answer waiting polls for as long as there is anything for them."""
        waiters = self._waiters
        while waiters and (self.visible > 0 or self._repeats):
            waiter = waiters[0]
            if not waiter.is_open:
                waiters.popleft()
                continue
            messages = self.take(now, waiter.count_max, waiter.visibility_s, may_be_none=False)
            if not messages:
                break
            waiters.popleft()
            self._answer(waiter, messages)

    def fail_waiters(self, failure: ServiceFailure) -> None:
        """End every waiting poll with `failure`: the queue is gone."""
        for waiter in self._waiters:
            if waiter.is_open:
                waiter.failure = failure
                self._answer(waiter, [])

    def _answer(self, waiter: Waiter, messages: list[Delivery]) -> None:
        self.end(waiter)
        if waiter.is_abandoned:
            self.swallowed_count += len(messages)
            return
        waiter.messages = messages
        self.answered.append(waiter)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def next_event_at(self) -> float:
        """When something happens here by itself; infinity for never."""
        hidden, deadlines = self._hidden, self._deadlines
        while hidden and hidden[0][2].ticket != hidden[0][1]:
            heappop(hidden)
        while deadlines and not deadlines[0][2].is_open:
            heappop(deadlines)
        at = self._next_expiry_at()
        if hidden and hidden[0][0] < at:
            at = hidden[0][0]
        if deadlines and deadlines[0][0] < at:
            at = deadlines[0][0]
        return at

    def _next_expiry_at(self) -> float:
        ages, moved = self._ages, self._moved_ages
        while ages and ages[0].place == GONE:
            ages.popleft()
        while moved and moved[0][2].place == GONE:
            heappop(moved)
        sent_at = ages[0].sent_at if ages else NEVER
        if moved and moved[0][0] < sent_at:
            sent_at = moved[0][0]
        return sent_at + self.attributes.retention_s

    def turn(self, now: float) -> None:
        """Let happen what is due at `now`: messages expire, become visible, polls are answered or end empty."""
        while self._next_expiry_at() <= now:
            oldest = self._ages[0] if self._ages else None
            if self._moved_ages and (oldest is None or self._moved_ages[0][0] < oldest.sent_at):
                oldest = self._moved_ages[0][2]
            assert oldest is not None
            self.forget(oldest)
        hidden = self._hidden
        while hidden and hidden[0][0] <= now:
            _, ticket, message = heappop(hidden)
            if message.ticket == ticket:
                self._show(message)
        self.dispatch(now)
        while self._deadlines and self._deadlines[0][0] <= now:
            waiter = heappop(self._deadlines)[2]
            if waiter.is_open:
                self._answer(waiter, [])

    def unix_ms(self, now: float) -> int:
        return self._epoch_ms + int(now * 1000)

    def counts(self) -> Mapping[str, int]:
        return {
            "ApproximateNumberOfMessages": self.visible,
            "ApproximateNumberOfMessagesNotVisible": self.in_flight,
            "ApproximateNumberOfMessagesDelayed": self.delayed,
        }
