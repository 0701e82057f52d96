"""The in-memory queue beyond what the conformance suite asks: cancelled polls, virtual hours, and errors as faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
import trio.testing

from forebay.clock import SystemClock
from forebay.errors import FaultKind, QueueError
from forebay.model import Message
from forebay.queue.memory import LoopClock, MemoryQueues, MemorySource
from forebay.queue.port import Outgoing, Visibility


def _in_virtual_time(test: Callable[[], Awaitable[None]]) -> None:
    trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))


def test_hours_pass_in_no_time_under_a_mock_clock() -> None:
    async def test() -> None:
        source = MemoryQueues(clock=LoopClock()).create("jobs")
        started_at = anyio.current_time()
        await source.send([Outgoing("later", delay_s=900)])
        message = await _next(source)
        first_after_s = anyio.current_time() - started_at

        await source.change_visibility([Visibility(message.receipt, 40_000)])
        again = await _next(source)

        assert first_after_s >= 900
        assert again.receive_count == 2
        assert anyio.current_time() - started_at >= 40_900

    _in_virtual_time(test)


async def _next(source: MemorySource) -> Message:
    """Poll until a message comes."""
    while True:
        received = await source.receive(count_max=1, wait_s=20, visibility_s=30)
        if received.messages:
            return received.messages[0]


def test_a_cancelled_receive_has_taken_nothing() -> None:
    async def test() -> None:
        source = MemoryQueues(clock=LoopClock()).create("jobs")
        with anyio.move_on_after(5):
            await source.receive(count_max=1, wait_s=20, visibility_s=30)

        await source.send([Outgoing("job")])

        assert (await source.count()).visible == 1

    _in_virtual_time(test)


def test_on_demand_a_cancelled_receive_swallows_messages_as_on_aws() -> None:
    async def test() -> None:
        source = MemoryQueues(clock=LoopClock(), abandoned_polls_swallow=True).create("jobs")
        with anyio.move_on_after(5):
            await source.receive(count_max=1, wait_s=20, visibility_s=30)

        await source.send([Outgoing("job")])
        at_once = await source.count()
        received = await source.receive(count_max=1, wait_s=20, visibility_s=30)
        assert received.messages == [], "hidden for thirty seconds, from second 5"
        received = await source.receive(count_max=1, wait_s=20, visibility_s=30)

        assert at_once.in_flight == 1
        assert received.messages[0].receive_count == 2

    _in_virtual_time(test)


def test_a_receive_tells_how_long_its_oldest_new_message_has_waited() -> None:
    async def test() -> None:
        source = MemoryQueues(clock=LoopClock()).create("jobs")
        await source.send([Outgoing("old")])
        await anyio.sleep(7)
        await source.send([Outgoing("young")])

        received = await source.receive(count_max=10, wait_s=0, visibility_s=1)
        await anyio.sleep(10)
        again = await source.receive(count_max=10, wait_s=0, visibility_s=1)

        assert 6.9 <= received.queue_wait_s <= 7.1
        assert again.queue_wait_s == 0.0, "only first deliveries tell of the backlog"

    _in_virtual_time(test)


def test_errors_are_faults_of_the_port() -> None:
    async def test() -> None:
        source = MemoryQueues(clock=SystemClock()).create("jobs")

        with pytest.raises(QueueError) as caught:
            await source.receive(count_max=11, wait_s=0, visibility_s=30)
        assert caught.value.fault.kind is FaultKind.REFUSED
        assert caught.value.operation == "ReceiveMessage"

        sent = await source.send([Outgoing("fine"), Outgoing("\x00")])
        assert sent[0].fault is None
        assert sent[1].fault is not None
        assert sent[1].fault.code == "InvalidMessageContents"

    anyio.run(test)


def test_deleting_the_queue_ends_a_waiting_receive() -> None:
    async def test() -> None:
        queues = MemoryQueues(clock=LoopClock())
        source = queues.create("jobs")
        kinds: list[FaultKind] = []

        async def poll() -> None:
            try:
                await source.receive(count_max=1, wait_s=20, visibility_s=30)
            except QueueError as error:
                kinds.append(error.fault.kind)

        async with anyio.create_task_group() as group:
            group.start_soon(poll)
            await anyio.sleep(1)
            queues.rules.delete_queue(source.key, now=queues.clock.now())
            queues.settle()

        assert kinds == [FaultKind.MISSING]

    _in_virtual_time(test)
