"""Many calls at once: in full batches, several at a time, with one report of what became of each.

Rules kept here and nowhere else:

1. At most `CHUNK_CALLS` calls or `CHUNK_CHARS` of bodies are held at once, however many there are. Of a call that was
   taken only its message id is kept.
2. Calls to one queue go in their order; a chunk with calls to several queues goes to one after the other.
3. When a queue takes nothing any more, or a FIFO queue has not taken a message that others would overtake, no further
   call is read. What was read is reported all the same.
4. What the iterable itself raises loses nothing: what came before it is sent, and the report is raised from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from forebay.api.first_use import loaded
from forebay.api.generators import Steps, finished, here
from forebay.api.middleware import Underway, entered, on_private_loop
from forebay.api.queue import OPERATION, Call, id_of
from forebay.api.sending import Sender
from forebay.errors import Fault, FaultKind, QueueError
from forebay.queue.port import NOT_TRIED, Outgoing, Sent, is_fifo

CHUNK_CALLS = 1_000
"""A hundred requests: so many that the last ones, which have no others beside them, do not count."""

CHUNK_CHARS = 8 * 1_048_576
"""Of bodies. A chunk may be longer by one message."""

BREATH_CALLS = 50
"""So many calls are made on an event loop before others get a turn: a millisecond."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One call that was not taken."""

    index: int
    """Its place among the calls, from 0."""
    call: Call
    fault: Fault
    """`NO_ANSWER`: nobody can say whether it was taken. The code `NotTried`: it was surely not."""


class NotAllSent(QueueError):
    """Some messages were not taken. `sent` says what became of each call, in order; `failures` has the others' calls.

    When the iterable of the calls raised, its error is the cause of this one (`__cause__`).
    """

    def __init__(self, ids: Sequence[str | None], failures: Sequence[Failure], fault: Fault) -> None:
        self.ids = tuple(ids)
        """The message id of each call that was read, None where it was not taken."""
        self.failures = tuple(failures)
        super().__init__(fault, operation=OPERATION)
        taken = len(self.ids) - len(self.failures)
        self.args = (f"{OPERATION}: {taken:,} of {len(self.ids):,} messages were taken; the last trouble: {fault}",)

    @property
    def sent(self) -> tuple[Sent, ...]:
        """What became of each call that was read, in order."""
        results = [Sent(message_id, None) for message_id in self.ids]
        for failure in self.failures:
            results[failure.index] = Sent(None, failure.fault)
        return tuple(results)


def enqueue_many(calls: Iterable[Call]) -> list[str]:
    """Send the calls in batches and return their message ids, in order. Raises `NotAllSent`."""
    shipment = _Shipment()
    waiting = iter(calls)
    try:
        while not shipment.is_over:
            shipment.fill(waiting)
            for group in shipment.groups():
                try:
                    group.answers = group.sender.send(group.messages)
                except QueueError as error:
                    group.refuse(error.fault)
            finished(shipment.settle())
    except BaseException as error:
        finished(shipment.abandon(error))
        raise
    return shipment.result()


async def aenqueue_many(calls: Iterable[Call] | AsyncIterable[Call]) -> list[str]:
    """Send the calls in batches from a coroutine and return their message ids, in order. Raises `NotAllSent`."""
    await loaded("forebay.api.arguments", "pydantic")
    shipment = _Shipment()
    waiting = aiter(calls) if isinstance(calls, AsyncIterable) else _with_breaths(calls)
    try:
        while not shipment.is_over:
            await shipment.afill(waiting)
            for group in shipment.groups():
                try:
                    group.answers = await group.sender.asend(group.messages)
                except QueueError as error:
                    group.refuse(error.fault)
            await shipment.settle()
    except BaseException as error:
        await shipment.abandon(error)
        raise
    return shipment.result()


async def _with_breaths(calls: Iterable[Call]) -> AsyncIterator[Call]:
    for number, call in enumerate(calls, start=1):
        yield call
        if number % BREATH_CALLS == 0:
            await asyncio.sleep(0)


def _checked(call: object) -> Call:
    if not isinstance(call, Call):
        raise TypeError(f"{type(call).__name__} is no call: write job.call(…), which sends nothing yet")
    return call


class _Group:
    """The calls of one chunk that leave by one sender."""

    def __init__(self, sender: Sender, *, keeps_order: bool) -> None:
        self.sender = sender
        self.keeps_order = keeps_order
        self.places: list[int] = []
        """Where its calls stand in the chunk."""
        self.messages: list[Outgoing] = []
        self.answers: Sequence[Sent] = ()
        self._has_failed = False

    def refuse(self, fault: Fault) -> None:
        """Say that the whole of it failed: it is reported, and nothing more is sent."""
        self._has_failed = True
        self.answers = [Sent(None, fault)] + [Sent(None, NOT_TRIED)] * (len(self.messages) - 1)

    @property
    def has_ended_the_sending(self) -> bool:
        faults = [sent.fault for sent in self.answers if sent.fault is not None]
        return self._has_failed or (bool(faults) and (self.keeps_order or NOT_TRIED in faults))


class _Shipment:
    """The chunk that is being filled, and what became of those before it."""

    def __init__(self) -> None:
        self.is_over = False
        self._ids: list[str | None] = []
        self._failures: list[Failure] = []
        self._chunk: list[Call] = []
        self._chunk_chars = 0
        self._underway: dict[int, Underway] = {}
        """Calls of the chunk whose middleware has been entered, by their place."""
        self._groups: list[_Group] = []
        self._broken_by: Exception | None = None

    def fill(self, calls: Iterator[Call]) -> None:
        """Take calls until the chunk is full, or until there are no more."""
        try:
            for call in calls:
                around = _checked(call).around
                if self._is_full_with(finished(self._entered(call, on_private_loop)) if around else call):
                    return
        except Exception as error:  # noqa: BLE001  (the user's code: `result` raises from it)
            self._broken_by = error
        self.is_over = True

    async def afill(self, calls: AsyncIterator[Call]) -> None:
        """Take calls until the chunk is full, or until there are no more."""
        try:
            async for call in calls:
                around = _checked(call).around
                if self._is_full_with(await self._entered(call, lambda: here) if around else call):
                    return
        except Exception as error:  # noqa: BLE001  (the user's code: `result` raises from it)
            self._broken_by = error
        self.is_over = True

    def groups(self) -> Sequence[_Group]:
        """Return the chunk by senders, each with its calls in order."""
        by_sender: dict[Sender, _Group] = {}
        for place, call in enumerate(self._chunk):
            sender = call.queue.sender
            group = by_sender.get(sender)
            if group is None:
                group = by_sender[sender] = _Group(sender, keeps_order=is_fifo(call.queue.address))
            group.places.append(place)
            group.messages.append(call.message)
        self._groups = list(by_sender.values())
        return self._groups

    async def settle(self) -> None:
        """Enter the answers of all groups into the report, in the order of the calls, and begin a new chunk."""
        first = len(self._ids)
        self._ids.extend([None] * len(self._chunk))
        for group in self._groups:
            for place, sent in zip(group.places, group.answers, strict=True):
                await self._leave(place, sent)
                try:
                    self._ids[first + place] = id_of(sent)
                except QueueError as error:
                    self._failures.append(Failure(first + place, self._chunk[place], error.fault))
            self.is_over = self.is_over or group.has_ended_the_sending
        self._chunk, self._chunk_chars, self._groups = [], 0, []

    async def _entered(self, call: Call, steps: Callable[[], Steps]) -> Call:
        underway = self._underway[len(self._chunk)] = await entered(call, steps())
        return underway.call

    async def _leave(self, place: int, sent: Sent) -> None:
        underway = self._underway.pop(place, None)
        if underway is None:
            return
        try:
            await underway.leave(sent)
        except QueueError:
            return  # It is in the report.
        except Exception as error:  # noqa: BLE001  (the user's code: `result` raises from it)
            self._broken_by = self._broken_by or error
            self.is_over = True

    async def abandon(self, error: BaseException) -> None:
        """Let the middleware of what is still under way see why none of it has been answered for."""
        while self._underway:
            _, underway = self._underway.popitem()
            await underway.abandon(error)

    def result(self) -> list[str]:
        """Return the ids. Raises `NotAllSent` when one is missing or the iterable broke."""
        if self._broken_by is not None:
            what = (
                f"the calls or their middleware raised {type(self._broken_by).__name__} after {len(self._ids):,} calls"
            )
            fault = Fault(FaultKind.REFUSED, "IterableFailed", what)
            raise NotAllSent(self._ids, self._in_order(), fault) from self._broken_by
        if self._failures:
            told = [failure for failure in self._failures if failure.fault.code != NOT_TRIED.code] or self._failures
            raise NotAllSent(self._ids, self._in_order(), told[-1].fault)
        return [message_id for message_id in self._ids if message_id is not None]

    def _in_order(self) -> Sequence[Failure]:
        return sorted(self._failures, key=lambda failure: failure.index)

    def _is_full_with(self, call: Call) -> bool:
        self._chunk.append(call)
        self._chunk_chars += len(call.message.body)
        return len(self._chunk) >= CHUNK_CALLS or self._chunk_chars >= CHUNK_CHARS
