"""Sending: one by one, in batches, and by name from where the job's code is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.calling import CANARY, Outbox, outcome, worker_with_outbox

from forebay import Call, JobError, NotAllSent, Queue, QueueError, SettingsError, aenqueue_many, enqueue_many
from forebay.api.sending import SqsSender
from forebay.errors import Fault, FaultKind
from forebay.model import SUCCEEDED
from forebay.queue.contents import size_bytes
from forebay.queue.port import Outgoing, Sent


def calls(queue: Queue, count: int, *, body_bytes: int = 10) -> Iterator[Call]:
    return (queue.call("thumbnail", number=number, padding="x" * body_bytes) for number in range(count))


def numbers(outbox: Outbox) -> list[int]:
    return [json.loads(message.body)["number"] for message in outbox.messages]


def test_a_producer_needs_no_more_than_an_address_and_a_name() -> None:
    outbox = Outbox()
    queue = Queue("https://sqs.eu-west-1.amazonaws.com/1/thumbnails", sender=outbox)

    message_id = queue.enqueue("thumbnail", key="a.png", width=640)

    assert message_id == "id-0"
    assert outbox.messages[0].attributes == {"job": ("String", "thumbnail")}
    assert json.loads(outbox.messages[0].body) == {"key": "a.png", "width": 640}


def test_what_is_sent_by_name_fits_the_job_that_is_declared() -> None:
    worker, outbox = worker_with_outbox()
    got: list[object] = []

    @worker.job
    def thumbnail(key: UUID, at: datetime, price: Decimal, raw: bytes) -> None:
        got.extend([key, at, price, raw])

    given = [UUID(int=7), datetime(2026, 11, 23, tzinfo=UTC), Decimal("9.90"), b"\x00\xff"]
    queue = Queue("shop", sender=outbox)
    asyncio.run(queue.aenqueue("thumbnail", key=given[0], at=given[1], price=given[2], raw=given[3]))

    assert outcome(worker, outbox.messages[0].body, job="thumbnail") == SUCCEEDED
    assert got == given


def test_what_json_cannot_carry_is_refused_without_its_value() -> None:
    class Opaque:
        def __repr__(self) -> str:
            return CANARY

    with pytest.raises(JobError, match="'thumbnail'") as error:
        Queue("shop", sender=Outbox()).enqueue("thumbnail", key=Opaque())

    assert CANARY not in str(error.value)


def test_a_parameter_may_be_called_job() -> None:
    outbox = Outbox()

    Queue("shop", sender=outbox).enqueue("thumbnail", job="x", self="y")

    assert json.loads(outbox.messages[0].body) == {"job": "x", "self": "y"}


@pytest.mark.parametrize("address", ["", "   "])
def test_an_empty_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError):
        Queue(address)


def test_many_go_in_batches_of_ten_in_order() -> None:
    outbox = Outbox()

    ids = enqueue_many(calls(Queue("shop", sender=outbox), 25))

    assert ids == [f"id-{number}" for number in range(25)]
    assert [len(batch) for batch in outbox.batches] == [10, 10, 5]
    assert numbers(outbox) == list(range(25))


def test_coroutines_send_many_alike() -> None:
    outbox = Outbox()

    ids = asyncio.run(aenqueue_many(calls(Queue("shop", sender=outbox), 11)))

    assert len(ids) == 11
    assert numbers(outbox) == list(range(11))


def test_no_batch_is_larger_than_sqs_takes() -> None:
    outbox = Outbox()

    enqueue_many(calls(Queue("shop", sender=outbox), 9, body_bytes=400_000))

    assert [len(batch) for batch in outbox.batches] == [2, 2, 2, 2, 1]
    assert all(sum(size_bytes(message) for message in batch) <= 1_048_576 for batch in outbox.batches)


def test_calls_to_several_queues_keep_their_queue() -> None:
    first, second = Outbox(), Outbox()
    mixed = [
        queue.call("thumbnail", number=number)
        for number in range(6)
        for queue in (Queue("first", sender=first), Queue("second", sender=second))
    ]

    enqueue_many(mixed)

    assert numbers(first) == numbers(second) == list(range(6))


def test_only_one_batch_is_made_ahead() -> None:
    """A generator of a million calls is not read into memory."""
    outbox = Outbox()
    made: list[int] = []

    def lazily() -> Iterator[Call]:
        for call in calls(Queue("shop", sender=outbox), 100):
            made.append(len(outbox.messages))
            yield call

    enqueue_many(lazily())

    assert all(number - sent <= 11 for number, sent in enumerate(made))


def test_nothing_to_send_sends_nothing() -> None:
    assert enqueue_many([]) == []


@given(st.frozensets(st.integers(0, 24)))
def test_each_refused_message_is_reported_in_its_place(refused: frozenset[int]) -> None:
    outbox = Outbox(refuses=refused)

    try:
        enqueue_many(calls(Queue("shop", sender=outbox), 25))
        sent: Sequence[Sent] = ()
    except NotAllSent as error:
        sent = error.sent

    assert {number for number, one in enumerate(sent) if one.fault is not None} == refused
    assert len(outbox.messages) == 25, "the others are sent all the same"
    assert not refused or all(one.message_id for number, one in enumerate(sent) if number not in refused)


def test_a_call_that_fails_as_a_whole_ends_the_sending_and_says_how_far_it_came() -> None:
    class Gone(Outbox):
        def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
            if self.batches:
                raise QueueError(Fault(FaultKind.MISSING, "QueueDoesNotExist"), operation="SendMessageBatch")
            return super().send(messages)

    with pytest.raises(NotAllSent, match=r"10 of 20 messages tried were taken.*QueueDoesNotExist") as error:
        enqueue_many(calls(Queue("shop", sender=Gone()), 40))

    assert [one.fault is None for one in error.value.sent] == [True] * 10 + [False] * 10
    assert error.value.fault.kind is FaultKind.MISSING


def test_nothing_is_opened_before_the_first_message() -> None:
    queue = Queue("https://sqs.eu-west-1.amazonaws.com/1/thumbnails")

    assert cast("SqsSender", queue.sender).is_open is False
