"""Scenarios: deleting, and what each entry of a batch is told."""

from __future__ import annotations

from forebay.errors import FaultKind
from forebay.queue.port import Outgoing, Visibility
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


async def a_deleted_message_never_comes_again(harness: Harness) -> None:
    key = await harness.create_queue("deleted")
    await send_one(harness, key)
    message = await receive_one(harness.source(key), visibility_s=1)

    fault = await delete(harness.source(key), message.receipt)
    await harness.pass_time(1)

    assert fault is None
    assert await look(harness.source(key)) == []


async def deleting_twice_is_no_error(harness: Harness) -> None:
    key = await harness.create_queue("deleted")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))

    faults = [await delete(harness.source(key), message.receipt) for _ in range(2)]

    assert faults == [None, None]


async def the_newest_receipt_deletes_even_after_its_lease(harness: Harness) -> None:
    """So a success is always worth a delete (facts/sqs.md section 3)."""
    key = await harness.create_queue("late")
    await send_one(harness, key)
    message = await receive_one(harness.source(key), visibility_s=1)
    await harness.pass_time(1)

    fault = await delete(harness.source(key), message.receipt)

    assert fault is None
    assert (await harness.source(key).count()).is_empty


async def an_older_receipt_deletes_nothing_and_is_told_success(harness: Harness) -> None:
    key = await harness.create_queue("late")
    await send_one(harness, key)
    first = await receive_one(harness.source(key))
    await change(harness.source(key), first.receipt, 0)
    second = await receive_one(harness.source(key))

    fault = await delete(harness.source(key), first.receipt)
    await change(harness.source(key), second.receipt, 0)

    assert fault is None
    assert (await receive_one(harness.source(key))).message_id == first.message_id


async def ten_deliveries_are_deleted_in_one_call(harness: Harness) -> None:
    key = await harness.create_queue("deleted")
    await send(harness, key, *(Outgoing(str(number)) for number in range(10)))
    messages = await receive(harness.source(key), 10)

    faults = await harness.source(key).delete([message.receipt for message in messages])

    assert dict(faults) == {}
    assert (await harness.source(key).count()).is_empty


async def a_receipt_that_nobody_gave_fails_alone_in_its_batch(harness: Harness) -> None:
    key = await harness.create_queue("mixed")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))

    faults = await harness.source(key).delete(["no such receipt", message.receipt])

    assert {index: fault.kind for index, fault in faults.items()} == {0: FaultKind.LEASE_LOST}
    assert (await harness.source(key).count()).is_empty


async def a_renewal_that_fails_leaves_the_others_of_its_batch_alone(harness: Harness) -> None:
    key = await harness.create_queue("mixed")
    await send_one(harness, key)
    message = await receive_one(harness.source(key))

    faults = await harness.source(key).change_visibility(
        [Visibility(message.receipt, 0), Visibility("no such receipt", 0)]
    )

    assert {index: fault.kind for index, fault in faults.items()} == {1: FaultKind.LEASE_LOST}
    assert (await receive_one(harness.source(key))).receive_count == 2


SCENARIOS: tuple[Scenario, ...] = (
    a_deleted_message_never_comes_again,
    deleting_twice_is_no_error,
    the_newest_receipt_deletes_even_after_its_lease,
    an_older_receipt_deletes_nothing_and_is_told_success,
    ten_deliveries_are_deleted_in_one_call,
    a_receipt_that_nobody_gave_fails_alone_in_its_batch,
    a_renewal_that_fails_leaves_the_others_of_its_batch_alone,
)
