"""A waiting receive of a queue in memory hears of what happens while it waits."""

from __future__ import annotations

import anyio
import trio.testing

from forebay.queue.memory import LoopClock, MemoryQueues
from forebay.queue.port import Outgoing, Visibility


def test_a_message_that_is_given_back_with_a_delay_reaches_the_poll_that_is_open_already() -> None:
    """The end of the delay comes before anything that the poll knew of when it began."""
    reached: list[tuple[float, int]] = []

    async def test() -> None:
        clock = LoopClock()
        queue = MemoryQueues(clock=clock).create("q")
        await queue.send([Outgoing("{}")])
        (message,) = (await queue.receive(count_max=1, wait_s=0, visibility_s=60)).messages

        async def poll() -> None:
            received = await queue.receive(count_max=1, wait_s=20, visibility_s=60)
            reached.append((clock.now() - began_at, received.messages[0].receive_count))

        began_at = clock.now()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await anyio.sleep(1)
            await queue.change_visibility([Visibility(message.receipt, 2)])

    anyio.run(test, backend="trio", backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)})

    assert reached == [(3.0, 2)]
