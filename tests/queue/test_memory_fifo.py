"""FIFO queues in memory: they are told apart, keep their order, and can be buried into."""

from __future__ import annotations

import json

import pytest

from forebay.queue.memory import MemoryQueues, MemorySource
from forebay.queue.port import Outgoing, Visibility

pytestmark = pytest.mark.anyio


def _fifo(queues: MemoryQueues, name: str = "jobs.fifo", **attributes: str) -> MemorySource:
    return queues.create(name, FifoQueue="true", **attributes)


async def _bodies(source: MemorySource) -> list[str]:
    received = await source.receive(count_max=10, wait_s=0, visibility_s=30)
    return [message.body for message in received.messages]


async def test_a_fifo_queue_says_that_it_is_one() -> None:
    queues = MemoryQueues()

    assert (await _fifo(queues).describe()).is_fifo
    assert not (await queues.create("plain").describe()).is_fifo


async def test_a_message_given_back_is_the_first_of_its_group_again() -> None:
    source = _fifo(MemoryQueues())
    await source.send([Outgoing(f"{number}", group="g", dedupe=f"{number}") for number in range(3)])
    received = await source.receive(count_max=1, wait_s=0, visibility_s=30)
    assert await _bodies(source) == []

    await source.change_visibility([Visibility(received.messages[0].receipt, 0)])

    assert await _bodies(source) == ["0", "1", "2"]


async def test_a_message_can_be_buried_in_a_fifo_dead_letter_queue() -> None:
    queues = MemoryQueues()
    dead = _fifo(queues, "dead.fifo")
    policy = json.dumps({"deadLetterTargetArn": queues.rules.arn("dead.fifo"), "maxReceiveCount": 5})
    source = _fifo(queues, RedrivePolicy=policy)
    await source.send([Outgoing("body", group="g", dedupe="1")])
    (message,) = (await source.receive(count_max=1, wait_s=0, visibility_s=30)).messages

    for _ in range(2):  # A burial repeated after a lost answer makes one dead letter.
        await source.bury(message, error="{}")

    (buried,) = (await dead.receive(count_max=10, wait_s=0, visibility_s=30)).messages
    assert (buried.body, buried.group) == ("body", "g")
