"""Scenarios: dead-letter queues, those that SQS fills and those that we fill."""

from __future__ import annotations

import json

from forebay.errors import FaultKind
from forebay.model import ERROR_ATTRIBUTE, MessageAttribute
from forebay.queue.port import Outgoing
from forebay.testing.conformance.harness import (
    Harness,
    Scenario,
    change,
    delete,
    look,
    receive_one,
    refusal,
    send,
    send_one,
)


async def _queue_with_dead_letters(harness: Harness, receives: int) -> tuple[str, str]:
    """Create a queue and its dead-letter queue; return both keys."""
    dead = await harness.create_queue("dead")
    policy = {"deadLetterTargetArn": await harness.arn(dead), "maxReceiveCount": receives}
    return await harness.create_queue("mortal", RedrivePolicy=json.dumps(policy)), dead


async def a_queue_describes_its_dead_letter_queue_and_limit(harness: Harness) -> None:
    key, dead = await _queue_with_dead_letters(harness, 5)

    description = await harness.source(key).describe()

    assert description.arn == await harness.arn(key)
    assert description.dead_letter == dead
    assert description.receive_count_max == 5
    assert not description.is_fifo
    assert description.may_renew


async def a_queue_describes_how_large_a_message_it_takes(harness: Harness) -> None:
    small = await harness.create_queue("small", MaximumMessageSize="262144")
    plain = await harness.create_queue("plain")

    assert (await harness.source(small).describe()).message_max_bytes == 262_144
    assert (await harness.source(plain).describe()).message_max_bytes == 1_048_576


async def a_queue_without_dead_letters_says_so(harness: Harness) -> None:
    key = await harness.create_queue("plain")

    description = await harness.source(key).describe()

    assert description.dead_letter is None
    assert description.receive_count_max is None


async def a_message_is_moved_at_the_receive_that_exceeds_the_limit(harness: Harness) -> None:
    key, dead = await _queue_with_dead_letters(harness, 2)
    message_id = await send_one(harness, key, "doomed")
    for count in (1, 2):
        message = await receive_one(harness.source(key))
        assert message.receive_count == count
        assert (await harness.source(dead).count()).is_empty
        await change(harness.source(key), message.receipt, 0)

    assert await look(harness.source(key)) == []
    moved = await receive_one(harness.source(dead))

    assert moved.message_id == message_id
    assert moved.body == "doomed"
    assert (await harness.source(key).count()).is_empty


async def a_moved_message_keeps_its_attributes_and_time_of_sending(harness: Harness) -> None:
    key, dead = await _queue_with_dead_letters(harness, 1)
    await send(harness, key, Outgoing("doomed", {"job": MessageAttribute("String", "thumbnail")}))
    message = await receive_one(harness.source(key))
    await change(harness.source(key), message.receipt, 0)
    await look(harness.source(key))

    moved = await receive_one(harness.source(dead))

    assert moved.job == "thumbnail"
    assert moved.sent_at_ms == message.sent_at_ms


async def a_message_deleted_in_time_is_never_moved(harness: Harness) -> None:
    key, dead = await _queue_with_dead_letters(harness, 1)
    await send_one(harness, key)
    message = await receive_one(harness.source(key))

    await delete(harness.source(key), message.receipt)
    await look(harness.source(key))

    assert (await harness.source(dead).count()).is_empty


async def a_buried_message_is_copied_whole_and_not_deleted(harness: Harness) -> None:
    key, dead = await _queue_with_dead_letters(harness, 5)
    await send(harness, key, Outgoing("poison", {"job": MessageAttribute("String", "thumbnail")}))
    message = await receive_one(harness.source(key))
    await harness.source(key).describe()

    await harness.source(key).bury(message, error='{"type": "ValueError"}')

    copy = await receive_one(harness.source(dead))
    assert copy.body == "poison"
    assert dict(copy.attributes) == {
        "job": MessageAttribute("String", "thumbnail"),
        ERROR_ATTRIBUTE: MessageAttribute("String", '{"type": "ValueError"}'),
    }
    assert (await harness.source(key).count()).in_flight == 1


async def burying_without_a_dead_letter_queue_is_an_error_and_loses_nothing(harness: Harness) -> None:
    key = await harness.create_queue("plain")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))
    await harness.source(key).describe()

    fault = await refusal(harness.source(key).bury(message, error="{}"))

    assert fault is not None
    assert fault.kind is FaultKind.MISSING
    assert (await harness.source(key).count()).in_flight == 1


SCENARIOS: tuple[Scenario, ...] = (
    a_queue_describes_its_dead_letter_queue_and_limit,
    a_queue_describes_how_large_a_message_it_takes,
    a_queue_without_dead_letters_says_so,
    a_message_is_moved_at_the_receive_that_exceeds_the_limit,
    a_moved_message_keeps_its_attributes_and_time_of_sending,
    a_message_deleted_in_time_is_never_moved,
    a_buried_message_is_copied_whole_and_not_deleted,
    burying_without_a_dead_letter_queue_is_an_error_and_loses_nothing,
)
