"""Scenarios: how long a delivery is ours, and how that is changed (facts/sqs.md section 3)."""

from __future__ import annotations

from forebay.errors import FaultKind
from forebay.queue.port import VISIBILITY_MAX_S, Outgoing, Visibility
from forebay.testing.conformance.harness import (
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


async def a_message_comes_again_when_its_visibility_has_ended(harness: Harness) -> None:
    key = await harness.create_queue("leased")
    message_id = await send_one(harness, key)
    first = await receive_one(harness.source(key), visibility_s=1)

    await harness.pass_time(1)
    second = await receive_one(harness.source(key))

    assert second.message_id == message_id
    assert second.receive_count == 2
    assert second.receipt != first.receipt
    assert second.first_received_at_ms == first.first_received_at_ms


async def a_released_message_comes_again_at_once(harness: Harness) -> None:
    key = await harness.create_queue("released")
    message_id = await send_one(harness, key)
    first = await receive_one(harness.source(key))

    fault = await change(harness.source(key), first.receipt, 0)
    second = await receive_one(harness.source(key))

    assert fault is None
    assert second.message_id == message_id
    assert second.receive_count == 2


async def a_message_released_with_a_delay_comes_after_it(harness: Harness) -> None:
    key = await harness.create_queue("released")
    await send_one(harness, key)
    first = await receive_one(harness.source(key))

    await change(harness.source(key), first.receipt, 1)
    early = await look(harness.source(key))
    await harness.pass_time(1)

    assert early == []
    assert (await receive_one(harness.source(key))).receive_count == 2


async def a_renewed_message_stays_hidden_past_its_first_visibility(harness: Harness) -> None:
    """The new end is counted from the call, not added to the old one."""
    key = await harness.create_queue("renewed")
    await send_one(harness, key)
    message = await receive_one(harness.source(key), visibility_s=2)

    fault = await change(harness.source(key), message.receipt, 60)
    await harness.pass_time(2)

    assert fault is None
    assert await look(harness.source(key)) == []


async def a_renewal_may_also_shorten_a_lease(harness: Harness) -> None:
    key = await harness.create_queue("shortened")
    await send_one(harness, key)
    message = await receive_one(harness.source(key), visibility_s=600)

    await change(harness.source(key), message.receipt, 1)
    await harness.pass_time(1)

    assert (await receive_one(harness.source(key))).receive_count == 2


async def ten_deliveries_are_renewed_in_one_call(harness: Harness) -> None:
    key = await harness.create_queue("renewed")
    await send(harness, key, *(Outgoing(str(number)) for number in range(10)))
    messages = await receive(harness.source(key), 10)

    faults = await harness.source(key).change_visibility([Visibility(message.receipt, 0) for message in messages])

    assert dict(faults) == {}
    assert len(await receive(harness.source(key), 10)) == 10


async def the_ceiling_of_twelve_hours_counts_from_the_receive(harness: Harness) -> None:
    key = await harness.create_queue("ceiling")
    await send_one(harness, key)
    await harness.pass_time(3)
    message = await receive_one(harness.source(key))

    assert await change(harness.source(key), message.receipt, VISIBILITY_MAX_S - 2) is None


async def a_renewal_beyond_the_ceiling_is_refused_and_changes_nothing(harness: Harness) -> None:
    key = await harness.create_queue("ceiling")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))
    await harness.pass_time(2)

    fault = await change(harness.source(key), message.receipt, VISIBILITY_MAX_S)

    assert fault is not None
    assert fault.kind is FaultKind.REFUSED
    assert await look(harness.source(key)) == []
    assert await change(harness.source(key), message.receipt, 60) is None


async def a_message_that_is_visible_again_cannot_be_renewed(harness: Harness) -> None:
    key = await harness.create_queue("too-late")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))
    await change(harness.source(key), message.receipt, 0)

    fault = await change(harness.source(key), message.receipt, 60)

    assert fault is not None
    assert fault.kind is FaultKind.LEASE_LOST


async def an_older_receipt_cannot_renew(harness: Harness) -> None:
    key = await harness.create_queue("too-late")
    await send_one(harness, key)
    first = await receive_one(harness.source(key))
    await change(harness.source(key), first.receipt, 0)
    await receive_one(harness.source(key))

    fault = await change(harness.source(key), first.receipt, 0)

    assert fault is not None
    assert fault.kind is FaultKind.LEASE_LOST
    assert await look(harness.source(key)) == []


async def a_deleted_message_cannot_be_renewed(harness: Harness) -> None:
    key = await harness.create_queue("too-late")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))
    await delete(harness.source(key), message.receipt)

    fault = await change(harness.source(key), message.receipt, 60)

    assert fault is not None
    assert fault.kind is FaultKind.LEASE_LOST


SCENARIOS: tuple[Scenario, ...] = (
    a_message_comes_again_when_its_visibility_has_ended,
    a_released_message_comes_again_at_once,
    a_message_released_with_a_delay_comes_after_it,
    a_renewed_message_stays_hidden_past_its_first_visibility,
    a_renewal_may_also_shorten_a_lease,
    ten_deliveries_are_renewed_in_one_call,
    the_ceiling_of_twelve_hours_counts_from_the_receive,
    a_renewal_beyond_the_ceiling_is_refused_and_changes_nothing,
    a_message_that_is_visible_again_cannot_be_renewed,
    an_older_receipt_cannot_renew,
    a_deleted_message_cannot_be_renewed,
)
