"""Scenarios: what is sent is what is received, to the byte."""

from __future__ import annotations

from forebay.errors import FaultKind, QueueError
from forebay.model import MessageAttribute
from forebay.queue.port import BODY_MAX_BYTES, Outgoing
from forebay.testing.conformance.harness import Harness, Scenario, receive, receive_one, send, send_one


async def a_message_arrives_with_its_id_body_and_source(harness: Harness) -> None:
    key = await harness.create_queue("plain")
    message_id = await send_one(harness, key, '{"n": 1}')

    message = await receive_one(harness.source(key))

    assert message.message_id == message_id
    assert message.body == '{"n": 1}'
    assert message.source == harness.source(key).key
    assert message.receipt


async def a_message_tells_when_it_was_sent_and_how_often_received(harness: Harness) -> None:
    key = await harness.create_queue("plain")
    await send_one(harness, key)

    message = await receive_one(harness.source(key))

    assert message.receive_count == 1
    assert message.sent_at_ms is not None
    assert message.first_received_at_ms is not None
    assert message.sent_at_ms <= message.first_received_at_ms


async def text_survives_whatever_its_script(harness: Harness) -> None:
    key = await harness.create_queue("plain")
    bodies = ["tab\tnewline\nreturn\r", "Grüße, Žluťoučký, 日本語", "beyond the plane: 🏞️ 𝔉", "<&>\"'\\ {}", "  "]
    await send(harness, key, *(Outgoing(body) for body in bodies))

    messages = await receive(harness.source(key), len(bodies))

    assert sorted(message.body for message in messages) == sorted(bodies)


async def attributes_keep_their_types_and_values(harness: Harness) -> None:
    key = await harness.create_queue("plain")
    attributes = {
        "job": MessageAttribute("String", "thumbnail"),
        "size": MessageAttribute("Number.int", "640"),
        "key.with-all_sorts": MessageAttribute("String.custom", "naïve 🏞️"),
        "raw": MessageAttribute("Binary", bytes(range(256))),
    }
    await send(harness, key, Outgoing("a body", attributes))

    message = await receive_one(harness.source(key))

    assert dict(message.attributes) == attributes
    assert message.job == "thumbnail"


async def a_message_without_attributes_has_none(harness: Harness) -> None:
    key = await harness.create_queue("plain")
    await send_one(harness, key)

    message = await receive_one(harness.source(key))

    assert dict(message.attributes) == {}
    assert message.job is None


async def a_body_of_one_mebibyte_travels_whole(harness: Harness) -> None:
    key = await harness.create_queue("large")
    body = "x" * BODY_MAX_BYTES
    await send_one(harness, key, body)

    message = await receive_one(harness.source(key))

    assert message.body == body


async def a_message_above_one_mebibyte_is_refused_and_the_next_one_goes(harness: Harness) -> None:
    key = await harness.create_queue("large")

    fault = None
    try:
        fault = (await harness.send(key, [Outgoing("x" * (BODY_MAX_BYTES + 1))]))[0].fault
    except QueueError as error:  # The only entry of a batch may fail as the batch or as itself.
        fault = error.fault
    await send_one(harness, key, "small")

    assert fault is not None
    assert fault.kind is FaultKind.REFUSED
    assert (await receive_one(harness.source(key))).body == "small"


async def a_group_on_a_standard_queue_is_told_to_the_receiver(harness: Harness) -> None:
    """Fair queues: MessageGroupId names a tenant (facts/sqs.md section 4)."""
    key = await harness.create_queue("fair")
    await send(harness, key, Outgoing("a body", group="tenant-1"))

    message = await receive_one(harness.source(key))

    assert message.group == "tenant-1"


SCENARIOS: tuple[Scenario, ...] = (
    a_message_arrives_with_its_id_body_and_source,
    a_message_tells_when_it_was_sent_and_how_often_received,
    text_survives_whatever_its_script,
    attributes_keep_their_types_and_values,
    a_message_without_attributes_has_none,
    a_body_of_one_mebibyte_travels_whole,
    a_message_above_one_mebibyte_is_refused_and_the_next_one_goes,
    a_group_on_a_standard_queue_is_told_to_the_receiver,
)
