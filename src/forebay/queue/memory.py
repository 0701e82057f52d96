"""An in-memory queue: a source over the same rules as the local SQS, for tests and for programs that embed a worker.

Rules kept here and nowhere else:

1. It behaves as SQS does because it turns `rules.queue_semantics`; nothing about queues is decided here.
2. All sources of one `MemoryQueues` share its rules and its clock, so a burial in one is a message in another.
3. A waiting receive sleeps until its own answer or the rules' next event, whichever is first, and looks anew when
   something may have brought that event nearer. The clock must therefore run with the event loop's time: the system's
   on asyncio, `LoopClock` under trio's mock clock.
4. A receive that is cancelled while it waits has taken nothing, unless `abandoned_polls_swallow`: then, as on AWS,
   what it would have got is hidden in vain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import anyio

from forebay.clock import Clock, SystemClock
from forebay.errors import Fault, FaultKind, QueueError
from forebay.model import Message
from forebay.queue.burial import buried_copy, read_message_max_bytes, read_redrive_policy
from forebay.queue.memory_answers import error_of, failed, fault_of, message_of
from forebay.queue.port import Counts, Description, Outgoing, Received, Sent, Visibility
from forebay.rules.queue_semantics import (
    ChangeEntry,
    DeleteEntry,
    Delivery,
    QueueService,
    SendEntry,
    ServiceFailure,
    Waiter,
)

_PREFIX = "ApproximateNumberOfMessages"


class LoopClock:
    """The event loop's own time, so that virtual time of a test is the queues' time too."""

    def __init__(self, start_utc: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start_utc = start_utc
        self._start_at = anyio.current_time()

    def now(self) -> float:
        return anyio.current_time()

    def utc(self) -> datetime:
        return self._start_utc + timedelta(seconds=self.now() - self._start_at)


class _Poll:
    """One waiting receive."""

    def __init__(self) -> None:
        self.is_answered = False
        self.stirred = anyio.Event()


class MemoryQueues:
    """An account's queues in memory."""

    def __init__(self, *, clock: Clock | None = None, seed: int = 0, abandoned_polls_swallow: bool = False) -> None:
        self.clock = clock or SystemClock()
        self.abandoned_polls_swallow = abandoned_polls_swallow
        self.polls: set[_Poll] = set()
        epoch_ms = int(self.clock.utc().timestamp() * 1000 - self.clock.now() * 1000)
        self.rules = QueueService(
            "us-east-1", "000000000000", Random(seed), endpoint="memory://queues", epoch_ms=epoch_ms
        )

    def create(self, name: str, **attributes: str) -> MemorySource:
        """Create a queue (attributes as SQS names them) and return a source for it."""
        return MemorySource(self, self.rules.create_queue(name, attributes, now=self.clock.now()))

    def settle(self) -> None:
        """Wake the receives whose answer is there."""
        for waiter in self.rules.take_answered():
            assert isinstance(waiter.tag, _Poll)
            waiter.tag.is_answered = True
            waiter.tag.stirred.set()

    def stir(self) -> None:
        """Wake every receive to look anew. Called after everything that can bring an answer, or a nearer event."""
        self.settle()
        for poll in self.polls:
            poll.stirred.set()


class MemorySource:
    """One queue in memory. Implements `queue.port.Source` and `queue.port.Sink`."""

    def __init__(self, queues: MemoryQueues, url: str) -> None:
        self._queues = queues
        self._rules = queues.rules
        self._url = url

    @property
    def key(self) -> str:
        """The queue's URL, of the scheme `memory:`."""
        return self._url

    async def describe(self) -> Description:
        """Ask for the queue's ARN, dead-letter queue and limits."""
        attributes = self._attributes(
            "GetQueueAttributes", "QueueArn", "RedrivePolicy", "FifoQueue", "MaximumMessageSize"
        )
        arn, receive_count_max, notes = read_redrive_policy(attributes.get("RedrivePolicy"))
        target = self._rules.registry.by_arn.get(arn) if arn is not None else None
        dead_letter = self._rules.registry.url(target.name) if target is not None else None
        is_fifo = attributes.get("FifoQueue") == "true"
        arn, most_bytes = attributes["QueueArn"], read_message_max_bytes(attributes.get("MaximumMessageSize"))
        return Description(
            arn, dead_letter, receive_count_max, is_fifo=is_fifo, message_max_bytes=most_bytes, notes=notes
        )

    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        """Wait up to `wait_s` for up to `count_max` messages, hidden from others for `visibility_s`."""
        try:
            answer = self._rules.receive(
                self._url,
                now=self._now,
                count_max=count_max,
                wait_s=wait_s,
                visibility_s=visibility_s,
                tag=_Poll(),
            )
        except ServiceFailure as failure:
            raise error_of(failure, "ReceiveMessage") from failure
        self._queues.settle()
        if isinstance(answer, Waiter):
            answer = await self._wait(answer)
        messages = [message_of(delivery, self._url, self._rules.account) for delivery in answer]
        return Received(messages, self._now, self._queue_wait_s(messages))

    async def _wait(self, waiter: Waiter) -> list[Delivery]:
        """Turn the rules until the poll has ended; on cancellation, end it."""
        poll = waiter.tag
        assert isinstance(poll, _Poll)
        self._queues.polls.add(poll)
        try:
            while not poll.is_answered:
                poll.stirred = anyio.Event()
                next_at = self._rules.next_event_at()
                assert next_at is not None, "an open poll has a deadline"
                with anyio.move_on_after(max(0.0, next_at - self._now)):
                    await poll.stirred.wait()
                self._rules.advance(self._now)
                self._queues.settle()
        except BaseException:
            if waiter.is_open:
                self._rules.cancel(waiter, swallow=self._queues.abandoned_polls_swallow)
            raise
        finally:
            self._queues.polls.discard(poll)
        if waiter.failure is not None:
            raise error_of(waiter.failure, "ReceiveMessage")
        return waiter.messages

    async def change_visibility(self, entries: Sequence[Visibility]) -> Mapping[int, Fault]:
        """Hide deliveries for so many seconds from now; 0 gives them back."""
        changes = [ChangeEntry(str(index), *entry) for index, entry in enumerate(entries)]
        try:
            results = self._rules.change_visibility_batch(self._url, changes, now=self._now)
        except ServiceFailure as failure:
            raise error_of(failure, "ChangeMessageVisibilityBatch") from failure
        self._queues.stir()
        return failed(results)

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, Fault]:
        """Delete deliveries for good."""
        deletes = [DeleteEntry(str(index), receipt) for index, receipt in enumerate(receipts)]
        try:
            results = self._rules.delete_batch(self._url, deletes, now=self._now)
        except ServiceFailure as failure:
            raise error_of(failure, "DeleteMessageBatch") from failure
        self._queues.stir()
        return failed(results)

    async def bury(self, message: Message, *, error: str) -> None:
        """Send a copy to the dead-letter queue, body unchanged, with attribute `forebay.error`."""
        dead_letter = (await self.describe()).dead_letter
        if dead_letter is None:
            detail = "the queue has none: set a RedrivePolicy"
            raise QueueError(Fault(FaultKind.MISSING, "NoDeadLetterQueue", detail), operation="bury")
        copy = buried_copy(message, error, is_fifo=dead_letter.endswith(".fifo"))
        await MemorySource(self._queues, dead_letter).resend(copy)

    async def resend(self, message: Outgoing) -> None:
        """Send one message to this queue."""
        (sent,) = await self.send([message])
        if sent.fault is not None:
            raise QueueError(sent.fault, operation="SendMessageBatch")

    async def count(self) -> Counts:
        """Ask for the queue's numbers."""
        names = (_PREFIX, _PREFIX + "NotVisible", _PREFIX + "Delayed")
        attributes = self._attributes("GetQueueAttributes", *names)
        return Counts(*(int(attributes[name]) for name in names))

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send up to ten messages; the answer has one `Sent` for each, in order."""
        sent = self.put(messages)
        self._queues.stir()
        return sent

    def put(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send without waking those who wait for a message: `MemoryQueues.stir` does that."""
        entries = [
            SendEntry(
                body=message.body,
                attributes=message.attributes,
                delay_s=message.delay_s or None,
                group=message.group,
                dedupe=message.dedupe,
                entry_id=str(index),
                trace_header=message.trace_header,
            )
            for index, message in enumerate(messages)
        ]
        try:
            results = self._rules.send_batch(self._url, entries, now=self._now)
        except ServiceFailure as failure:
            raise error_of(failure, "SendMessageBatch") from failure
        return [
            Sent(None, fault_of(result)) if isinstance(result, ServiceFailure) else Sent(result.message_id, None)
            for result in results
        ]

    async def aclose(self) -> None:
        """Nothing is open: the queue stays, for the other sources of it."""

    @property
    def _now(self) -> float:
        return self._queues.clock.now()

    def _attributes(self, operation: str, *names: str) -> dict[str, str]:
        try:
            return self._rules.get_queue_attributes(self._url, names, now=self._now)
        except ServiceFailure as failure:
            raise error_of(failure, operation) from failure

    def _queue_wait_s(self, messages: Sequence[Message]) -> float:
        sent_ms = [m.sent_at_ms for m in messages if m.receive_count == 1 and m.sent_at_ms is not None]
        return max(0.0, self._queues.clock.utc().timestamp() - min(sent_ms) / 1000) if sent_ms else 0.0
