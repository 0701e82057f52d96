"""Sending many: order, limits, memory, and one report of what became of each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.calling import Outbox, worker_with_outbox

from forebay import Call, NotAllSent, Queue, QueueError, aenqueue_many, enqueue_many
from forebay.api.many import CHUNK_CALLS, CHUNK_CHARS
from forebay.errors import Fault, FaultKind
from forebay.queue.port import NOT_TRIED, Outgoing, Sent

GONE = Fault(FaultKind.MISSING, "QueueDoesNotExist")


class Gone(Outbox):
    """A queue that is deleted after it has taken one call of `send`."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        if self.batches:
            raise QueueError(GONE, operation="SendMessageBatch")
        return super().send(messages)


def calls(queue: Queue, count: int, *, body_chars: int = 10) -> Iterator[Call]:
    return (queue.call("thumbnail", number=number, padding="x" * body_chars) for number in range(count))


async def acalls(queue: Queue, count: int) -> AsyncIterator[Call]:
    for call in calls(queue, count):
        yield call


def numbers(outbox: Outbox) -> list[int]:
    return [json.loads(message.body)["number"] for message in outbox.messages]


def test_many_go_in_order_and_their_ids_come_back_in_order() -> None:
    outbox = Outbox()

    ids = enqueue_many(calls(Queue("shop", sender=outbox), 2 * CHUNK_CALLS + 5))

    assert ids == [f"id-{number}" for number in range(2 * CHUNK_CALLS + 5)]
    assert numbers(outbox) == list(range(2 * CHUNK_CALLS + 5))


def test_coroutines_send_many_alike() -> None:
    outbox = Outbox()

    ids = asyncio.run(aenqueue_many(calls(Queue("shop", sender=outbox), 111)))

    assert len(ids) == 111
    assert numbers(outbox) == list(range(111))


def test_coroutines_may_make_their_calls_as_they_come() -> None:
    outbox = Outbox()

    ids = asyncio.run(aenqueue_many(acalls(Queue("shop", sender=outbox), 11)))

    assert len(ids) == 11
    assert numbers(outbox) == list(range(11))


def test_others_on_the_event_loop_have_their_turns_while_calls_are_made() -> None:
    turns: list[int] = []

    async def main() -> None:
        async def other() -> None:
            while True:
                turns.append(len(turns))
                await asyncio.sleep(0)

        neighbour = asyncio.ensure_future(other())
        await aenqueue_many(calls(Queue("shop", sender=Outbox()), CHUNK_CALLS))
        neighbour.cancel()

    asyncio.run(main())

    assert len(turns) >= CHUNK_CALLS // 50


def test_calls_to_several_queues_keep_their_queue_and_their_places() -> None:
    first, second = Outbox(), Outbox(refuses=frozenset({4}))
    mixed = [
        queue.call("thumbnail", number=number)
        for number in range(6)
        for queue in (Queue("first", sender=first), Queue("second", sender=second))
    ]

    with pytest.raises(NotAllSent) as error:
        enqueue_many(mixed)

    assert numbers(first) == numbers(second) == list(range(6))
    assert [failure.index for failure in error.value.failures] == [9]
    assert error.value.failures[0].call is mixed[9]


@pytest.mark.parametrize(("count", "body_chars", "ahead_max"), [(3_000, 10, CHUNK_CALLS), (100, CHUNK_CHARS // 40, 40)])
def test_no_more_than_a_chunk_is_in_memory(count: int, body_chars: int, ahead_max: int) -> None:
    """A generator of a million calls is not read into memory, and large ones are not a thousand at a time."""
    outbox = Outbox()
    ahead: list[int] = []

    def lazily() -> Iterator[Call]:
        for number, call in enumerate(calls(Queue("shop", sender=outbox), count, body_chars=body_chars)):
            ahead.append(number - len(outbox.messages))
            yield call

    enqueue_many(lazily())

    assert max(ahead) < ahead_max


def test_nothing_to_send_sends_nothing() -> None:
    assert enqueue_many([]) == []
    assert asyncio.run(aenqueue_many([])) == []


@given(st.frozensets(st.integers(0, 24)))
def test_each_refused_message_is_reported_in_its_place(refused: frozenset[int]) -> None:
    outbox = Outbox(refuses=refused)
    given_ = list(calls(Queue("shop", sender=outbox), 25))

    try:
        enqueue_many(given_)
        sent: Sequence[Sent] = ()
        failed: Sequence[Call] = []
    except NotAllSent as error:
        sent = error.sent
        failed = [failure.call for failure in error.failures]

    assert {number for number, one in enumerate(sent) if one.fault is not None} == refused
    assert failed == [given_[index] for index in sorted(refused)]
    assert len(outbox.messages) == 25, "the others are sent all the same"
    assert not refused or all(one.message_id for number, one in enumerate(sent) if number not in refused)


def test_a_queue_that_takes_nothing_any_more_ends_the_sending_and_the_report_says_how_far_it_came() -> None:
    waiting = calls(Queue("shop", sender=Gone()), 5 * CHUNK_CALLS)

    with pytest.raises(NotAllSent, match=r"1,000 of 2,000 messages were taken.*QueueDoesNotExist") as error:
        enqueue_many(waiting)

    faults = [sent.fault for sent in error.value.sent]
    assert faults == [None] * CHUNK_CALLS + [GONE] + [NOT_TRIED] * (CHUNK_CALLS - 1)
    assert error.value.fault.kind is FaultKind.MISSING
    assert len(list(waiting)) == 3 * CHUNK_CALLS, "the rest has not been read"


def test_what_a_fifo_queue_has_not_taken_is_not_overtaken_by_the_next_chunk() -> None:
    outbox = Outbox(refuses=frozenset({3}))
    queue = Queue("shop.fifo", sender=outbox)

    with pytest.raises(NotAllSent) as error:
        enqueue_many(queue.options(group="g").call("thumbnail", number=number) for number in range(2 * CHUNK_CALLS))

    assert [failure.index for failure in error.value.failures] == [3]
    assert len(outbox.messages) == CHUNK_CALLS


def test_an_iterable_that_breaks_loses_neither_what_came_before_nor_the_report() -> None:
    outbox = Outbox()

    def breaking() -> Iterator[Call]:
        yield from calls(Queue("shop", sender=outbox), 1_003)
        raise LookupError("no such user")

    with pytest.raises(NotAllSent, match=r"1,003 of 1,003 .*LookupError after 1,003 calls") as error:
        enqueue_many(breaking())

    assert len(outbox.messages) == len(error.value.ids) == 1_003
    assert error.value.failures == ()
    assert isinstance(error.value.__cause__, LookupError)
    assert "no such user" not in str(error.value)


def test_what_has_been_sent_already_is_no_call_and_the_error_says_what_is() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def resize(width: int) -> None: ...

    with pytest.raises(NotAllSent) as error:
        enqueue_many(cast("Any", [resize.enqueue(1), resize.enqueue(2)]))

    assert str(error.value.__cause__) == "str is no call: write job.call(…), which sends nothing yet"
    assert len(outbox.messages) == 2


def test_an_asynchronous_iterable_that_breaks_is_reported_alike() -> None:
    outbox = Outbox()

    async def breaking() -> AsyncIterator[Call]:
        async for call in acalls(Queue("shop", sender=outbox), 3):
            yield call
        raise LookupError

    with pytest.raises(NotAllSent, match="3 of 3") as error:
        asyncio.run(aenqueue_many(breaking()))

    assert isinstance(error.value.__cause__, LookupError)
