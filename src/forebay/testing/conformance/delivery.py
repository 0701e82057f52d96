"""Scenarios: who gets which message, and when a poll ends."""

from __future__ import annotations

import anyio

from forebay.errors import FaultKind, QueueError
from forebay.model import Message
from forebay.queue.port import Counts, Outgoing
from forebay.testing.conformance.harness import (
    HIDDEN_S,
    Harness,
    Scenario,
    change,
    delete,
    look,
    receive,
    receive_one,
    send,
    send_one,
)


async def an_empty_queue_answers_a_short_poll_with_nothing(harness: Harness) -> None:
    key = await harness.create_queue("empty")

    assert await look(harness.source(key)) == []


async def a_long_poll_on_an_empty_queue_ends_empty_in_its_time(harness: Harness) -> None:
    key = await harness.create_queue("empty")
    started_at = harness.now()

    received = await harness.source(key).receive(count_max=10, wait_s=1, visibility_s=HIDDEN_S)

    assert list(received.messages) == []
    assert harness.now() - started_at >= 0.9


async def a_long_poll_ends_with_the_message_that_is_sent_meanwhile(harness: Harness) -> None:
    key = await harness.create_queue("awaited")
    started_at = harness.now()
    got: list[Message] = []

    async def poll() -> None:
        got.extend((await harness.source(key).receive(count_max=10, wait_s=20, visibility_s=HIDDEN_S)).messages)

    sent: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.lowlevel.checkpoint()
        sent += await send(harness, key, Outgoing("a body"))

    assert [message.message_id for message in got] == sent
    assert harness.now() - started_at < 15, "the poll slept on"


async def a_receive_brings_no_more_than_was_asked_for(harness: Harness) -> None:
    key = await harness.create_queue("several")
    sent = await send(harness, key, *(Outgoing(str(number)) for number in range(7)))

    first = (await harness.source(key).receive(count_max=3, wait_s=5, visibility_s=HIDDEN_S)).messages
    rest = await receive(harness.source(key), 7 - len(first))

    assert 1 <= len(first) <= 3
    assert sorted(message.message_id for message in [*first, *rest]) == sorted(sent)


async def a_batch_of_ten_arrives_each_message_once(harness: Harness) -> None:
    key = await harness.create_queue("several")
    sent = await send(harness, key, *(Outgoing(str(number)) for number in range(10)))

    messages = await receive(harness.source(key), 10)

    assert len(set(sent)) == 10
    assert sorted(message.message_id for message in messages) == sorted(sent)
    assert await look(harness.source(key)) == []


async def a_message_in_flight_is_hidden_from_everybody(harness: Harness) -> None:
    key = await harness.create_queue("hidden")
    await send_one(harness, key)
    await receive_one(harness.source(key))

    assert await look(harness.source(key)) == []


async def two_waiting_polls_never_get_the_same_message(harness: Harness) -> None:
    key = await harness.create_queue("shared")
    got: list[Message] = []

    async def poll() -> None:
        got.extend((await harness.source(key).receive(count_max=1, wait_s=10, visibility_s=HIDDEN_S)).messages)

    sent: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        group.start_soon(poll)
        await anyio.lowlevel.checkpoint()
        sent += await send(harness, key, Outgoing("one"), Outgoing("two"))

    assert sorted(message.message_id for message in got) == sorted(sent)


async def a_delayed_message_comes_when_its_delay_is_over(harness: Harness) -> None:
    key = await harness.create_queue("delayed")
    await send(harness, key, Outgoing("later", delay_s=2))

    early = await look(harness.source(key))
    await harness.pass_time(2)
    message = await receive_one(harness.source(key))

    assert early == []
    assert message.body == "later"
    assert message.receive_count == 1


async def a_queues_own_delay_holds_for_messages_without_one(harness: Harness) -> None:
    key = await harness.create_queue("delaying", DelaySeconds="2")
    await send_one(harness, key)

    early = await look(harness.source(key))
    await harness.pass_time(2)

    assert early == []
    assert await receive_one(harness.source(key))


async def the_counts_tell_visible_in_flight_and_delayed_apart(harness: Harness) -> None:
    key = await harness.create_queue("counted")
    await send(harness, key, Outgoing("1"), Outgoing("2"), Outgoing("3"), Outgoing("later", delay_s=900))
    await receive_one(harness.source(key))

    assert await harness.source(key).count() == Counts(visible=2, in_flight=1, delayed=1)
    assert not (await harness.source(key).count()).is_empty


async def an_emptied_queue_counts_nothing(harness: Harness) -> None:
    key = await harness.create_queue("counted")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))

    await delete(harness.source(key), message.receipt)

    assert (await harness.source(key).count()).is_empty


async def a_queue_that_does_not_exist_is_missing_whatever_is_asked(harness: Harness) -> None:
    source = harness.source(harness.missing())
    kinds: list[FaultKind] = []
    for call in (
        lambda: source.receive(count_max=1, wait_s=0, visibility_s=HIDDEN_S),
        lambda: source.delete(["no such receipt"]),
        lambda: change(source, "no such receipt", 10),
        lambda: source.count(),
        lambda: source.describe(),
    ):
        try:
            await call()
        except QueueError as error:
            kinds.append(error.fault.kind)

    assert kinds == [FaultKind.MISSING] * 5


SCENARIOS: tuple[Scenario, ...] = (
    an_empty_queue_answers_a_short_poll_with_nothing,
    a_long_poll_on_an_empty_queue_ends_empty_in_its_time,
    a_long_poll_ends_with_the_message_that_is_sent_meanwhile,
    a_receive_brings_no_more_than_was_asked_for,
    a_batch_of_ten_arrives_each_message_once,
    a_message_in_flight_is_hidden_from_everybody,
    two_waiting_polls_never_get_the_same_message,
    a_delayed_message_comes_when_its_delay_is_over,
    a_queues_own_delay_holds_for_messages_without_one,
    the_counts_tell_visible_in_flight_and_delayed_apart,
    an_emptied_queue_counts_nothing,
    a_queue_that_does_not_exist_is_missing_whatever_is_asked,
)
