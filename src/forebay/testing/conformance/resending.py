"""Scenarios: a worker puts a message back into its own queue, changed, and deletes the original afterwards."""

from __future__ import annotations

from forebay.errors import FaultKind
from forebay.model import MessageAttribute
from forebay.queue.port import BODY_MAX_BYTES, Outgoing
from forebay.testing.conformance.harness import (
    Harness,
    Scenario,
    delete,
    look,
    receive_one,
    refusal,
    send_one,
)

_COUNT = {"forebay.attempt": MessageAttribute("Number", "2")}


async def a_resent_message_is_a_new_one_beside_the_original(harness: Harness) -> None:
    key = await harness.create_queue("again")
    sent = await send_one(harness, key, '{"a": 1}')
    original = await receive_one(harness.source(key))

    await harness.source(key).resend(Outgoing('{"a": 2}', _COUNT))
    copy = await receive_one(harness.source(key))

    assert original.message_id == sent
    assert copy.message_id != sent
    assert (copy.body, copy.receive_count, dict(copy.attributes)) == ('{"a": 2}', 1, _COUNT)


async def deleting_the_original_leaves_the_resent_message(harness: Harness) -> None:
    key = await harness.create_queue("again")
    await send_one(harness, key)
    original = await receive_one(harness.source(key))
    await harness.source(key).resend(Outgoing("the copy"))

    assert await delete(harness.source(key), original.receipt) is None

    assert (await receive_one(harness.source(key))).body == "the copy"


async def a_resent_message_may_be_delayed(harness: Harness) -> None:
    key = await harness.create_queue("again")

    await harness.source(key).resend(Outgoing("later", delay_s=2))

    assert await look(harness.source(key)) == []
    assert (await harness.source(key).count()).delayed == 1
    await harness.pass_time(2.5)
    assert (await receive_one(harness.source(key))).body == "later"


async def a_resend_that_is_not_taken_is_an_error(harness: Harness) -> None:
    key = await harness.create_queue("again")

    too_large = await refusal(harness.source(key).resend(Outgoing("x" * (BODY_MAX_BYTES + 1))))
    nowhere = await refusal(harness.source(harness.missing()).resend(Outgoing("x")))

    assert too_large is not None
    assert too_large.kind is FaultKind.REFUSED
    assert nowhere is not None
    assert nowhere.kind is FaultKind.MISSING
    assert await look(harness.source(key)) == []


SCENARIOS: tuple[Scenario, ...] = (
    a_resent_message_is_a_new_one_beside_the_original,
    deleting_the_original_leaves_the_resent_message,
    a_resent_message_may_be_delayed,
    a_resend_that_is_not_taken_is_an_error,
)
