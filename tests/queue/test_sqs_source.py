"""The SQS source against servers: ours, with its policies and its clock, and moto as an outside witness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from tests.queue.wire_clients import a_source, config
from tests.queue.wire_servers import answer, in_turn, serving

from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.sqs_server import SqsServer
from forebay.errors import FaultKind, QueueError
from forebay.model import ERROR_ATTRIBUTE, MessageAttribute
from forebay.queue.port import BODY_MAX_BYTES, Counts, Outgoing, Visibility
from forebay.queue.sink import SqsSink
from forebay.queue.sqs import SqsSource

pytestmark = pytest.mark.anyio

ATTRIBUTES = {
    "job": MessageAttribute("String", "resize é"),
    "size": MessageAttribute("Number.int", "320"),
    "raw": MessageAttribute("Binary.png", bytes(range(256))),
}


def with_redrive(server: SqsServer) -> str:
    """Create `jobs` and its dead-letter queue, and return the URL of `jobs`."""
    server.create_queue("jobs-dead")
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:jobs-dead", "maxReceiveCount": "3"}
    return server.create_queue("jobs", RedrivePolicy=json.dumps(redrive))


@asynccontextmanager
async def working(server: SqsServer, queue_url: str, **options: str) -> AsyncIterator[tuple[SqsSource, SqsSink]]:
    """A source and a sink of one queue of `server`."""
    sink = SqsSink.open(queue_url, config(server.endpoint_url))
    try:
        async with a_source(server.endpoint_url, queue_url, dead_letter_url=options.get("dead_letter_url")) as source:
            yield source, sink
    finally:
        await sink.aclose()


async def receive(source: SqsSource, *, wait_s: float = 0, visibility_s: int = 30) -> list[str]:
    received = await source.receive(count_max=10, wait_s=wait_s, visibility_s=visibility_s)
    return [message.receipt for message in received.messages]


async def test_a_message_arrives_as_it_was_sent() -> None:
    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        (sent,) = await sink.send([Outgoing("a bödy \U0001f600", ATTRIBUTES)])
        (message,) = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages

    assert (message.message_id, message.body, message.source) == (sent.message_id, "a bödy \U0001f600", source.key)
    assert message.attributes == ATTRIBUTES
    assert message.receive_count == 1
    assert message.sent_at_ms is not None


async def test_a_body_of_a_mebibyte_goes_both_ways() -> None:
    body = "€" * (BODY_MAX_BYTES // 3) + "x"

    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        (sent,) = await sink.send([Outgoing(body)])
        (message,) = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages

    assert sent.fault is None
    assert message.body == body
    assert message.body_bytes == BODY_MAX_BYTES


async def test_a_long_poll_is_answered_when_a_message_comes() -> None:
    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        poll = asyncio.create_task(source.receive(count_max=10, wait_s=20, visibility_s=30))
        await sink.send([Outgoing("x")])
        received = await poll

    assert [message.body for message in received.messages] == ["x"]
    assert received.answered_at > 0


async def test_a_deleted_message_is_gone_and_a_released_one_is_back() -> None:
    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        await sink.send([Outgoing("a"), Outgoing("b")])
        received = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages
        kept, done = sorted(received, key=lambda message: message.body)
        assert await source.delete([done.receipt]) == {}
        assert await source.change_visibility([Visibility(kept.receipt, 0)]) == {}
        again = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages

    assert [(message.body, message.receive_count) for message in again] == [("a", 2)]


async def test_each_entry_of_a_batch_has_its_own_fate() -> None:
    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        await sink.send([Outgoing("a")])
        (good,) = await receive(source)

        renewed = await source.change_visibility([Visibility("bogus", 30), Visibility(good, 30)])
        deleted = await source.delete(["bogus", good])

    assert {index: fault.kind for index, fault in renewed.items()} == {0: FaultKind.LEASE_LOST}
    assert {index: fault.kind for index, fault in deleted.items()} == {0: FaultKind.LEASE_LOST}


async def test_counts_are_the_queues() -> None:
    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        await sink.send([*[Outgoing("x")] * 12, Outgoing("later", delay_s=60)])
        await receive(source)

        assert await source.count() == Counts(2, 10, 1)


async def test_a_description_names_the_dead_letter_queue_and_the_limit() -> None:
    async with SqsServer() as server:
        url = with_redrive(server)
        async with working(server, url) as (source, _):
            description = await source.describe()

    assert description.arn == "arn:aws:sqs:us-east-1:000000000000:jobs"
    assert description.dead_letter == url + "-dead"
    assert (description.receive_count_max, description.notes, description.may_renew) == (3, (), True)


async def test_a_dead_letter_queue_that_is_given_wins() -> None:
    async with SqsServer() as server:
        url = with_redrive(server)
        async with working(server, url, dead_letter_url="http://other/1/q") as (source, _):
            assert (await source.describe()).dead_letter == "http://other/1/q"


async def test_a_dead_letter_queue_that_is_gone_is_a_note() -> None:
    async with SqsServer() as server:
        url = with_redrive(server)
        server.chaos.add(ChaosRule(effect=Effect.MISSING, operations=("GetQueueUrl",)))
        async with working(server, url) as (source, _):
            description = await source.describe()

    assert description.dead_letter is None
    assert "jobs-dead, which does not exist" in description.notes[0]


async def test_when_its_url_may_not_be_asked_for_a_dead_letter_queue_is_found_beside_ours() -> None:
    async with SqsServer() as server:
        url = with_redrive(server)
        server.deny("GetQueueUrl")
        async with working(server, url) as (source, _):
            assert (await source.describe()).dead_letter == url + "-dead"


@pytest.mark.parametrize(
    ("denied", "may_renew", "words"),
    [
        (["GetQueueAttributes"], True, ["sqs:GetQueueAttributes"]),
        (["GetQueueAttributes", "ChangeMessageVisibility"], False, ["sqs:ChangeMessageVisibility"]),
    ],
)
async def test_a_queue_that_denies_questions_is_described_with_what_to_grant(
    denied: list[str], may_renew: bool, words: list[str]
) -> None:
    """Copilot's queues grant neither (facts/sqs.md section 8)."""
    async with SqsServer() as server:
        url = with_redrive(server)
        server.deny(*denied)
        async with working(server, url) as (source, _):
            description = await source.describe()

    assert (description.dead_letter, description.receive_count_max) == (None, None)
    assert description.may_renew is may_renew
    assert all(word in description.notes[0] for word in [*words, '"Effect": "Allow"', ":000000000000:jobs"])


async def test_a_denied_call_says_what_to_grant() -> None:
    async with SqsServer() as server:
        url = server.create_queue("jobs")
        server.deny("ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes")
        async with working(server, url) as (source, _):
            for call, action in (
                (source.receive(count_max=1, wait_s=0, visibility_s=30), "sqs:ReceiveMessage"),
                (source.change_visibility([Visibility("r", 1)]), "sqs:ChangeMessageVisibility"),
                (source.delete(["r"]), "sqs:DeleteMessage"),
                (source.count(), "sqs:GetQueueAttributes"),
            ):
                with pytest.raises(QueueError, match=action) as caught:
                    await call
                assert caught.value.fault.kind is FaultKind.DENIED


async def test_a_missing_queue_is_missing() -> None:
    async with SqsServer() as server, a_source(server.endpoint_url, f"{server.endpoint_url}/000000000000/no") as source:
        with pytest.raises(QueueError) as caught:
            await source.receive(count_max=1, wait_s=0, visibility_s=30)

    assert caught.value.fault.kind is FaultKind.MISSING


async def test_a_buried_message_lies_in_the_dead_letter_queue_with_the_reason() -> None:
    async with SqsServer() as server:
        url = with_redrive(server)
        async with working(server, url) as (source, sink), a_source(server.endpoint_url, url + "-dead") as dead:
            await source.describe()
            await sink.send([Outgoing("unchanged é", ATTRIBUTES)])
            (message,) = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages
            await source.bury(message, error='{"type":"ValueError"}')
            (copy,) = (await dead.receive(count_max=10, wait_s=0, visibility_s=30)).messages

    assert copy.body == "unchanged é"
    assert dict(copy.attributes) == {**ATTRIBUTES, ERROR_ATTRIBUTE: MessageAttribute("String", '{"type":"ValueError"}')}


async def test_without_a_dead_letter_queue_a_burial_fails() -> None:
    async with SqsServer() as server, working(server, server.create_queue("jobs")) as (source, sink):
        await sink.send([Outgoing("x")])
        (message,) = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages
        with pytest.raises(QueueError, match="NoDeadLetterQueue"):
            await source.bury(message, error="{}")


async def test_a_burial_that_is_refused_raises() -> None:
    async with SqsServer() as server:
        url = with_redrive(server)
        async with working(server, url) as (source, sink):
            await source.describe()
            await sink.send([Outgoing("x")])
            (message,) = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages
            server.chaos.add(ChaosRule(effect=Effect.FAIL_ENTRIES, operations=("SendMessageBatch",), entries=1))
            with pytest.raises(QueueError) as caught:
                await source.bury(message, error="{}")

    assert caught.value.fault.kind is FaultKind.UNAVAILABLE


async def test_a_service_whose_clock_is_an_hour_ahead_is_worked_all_the_same() -> None:
    """The signer is corrected, and so is the queue wait, which would be an hour otherwise."""
    async with SqsServer() as server:
        server.clock_ahead_s = 3_600.0
        async with working(server, server.create_queue("jobs")) as (source, sink):
            (sent,) = await sink.send([Outgoing("x")])
            assert sent.fault is None
            assert await source.count()


def delivered(sent_at_ms: int, count: int) -> Mapping[str, object]:
    system = {"SentTimestamp": str(sent_at_ms), "ApproximateReceiveCount": str(count)}
    return {"MessageId": f"m{count}", "ReceiptHandle": "r", "Body": "b", "Attributes": system}


async def test_the_queue_wait_is_the_longest_of_the_first_deliveries_by_the_services_clock() -> None:
    """The service is a day behind this machine; redelivered messages do not count."""
    date = "Mon, 23 Nov 2020 12:00:10 GMT"
    now_ms = 1_606_132_810_000
    reply = answer(
        {"Messages": [delivered(now_ms - 500_000, 2), delivered(now_ms - 8_000, 1), delivered(now_ms - 3_000, 1)]},
        headers={"Date": date},
    )

    async with serving(in_turn(reply)) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with a_source(url, url + "/1/q") as source:
            received = await source.receive(count_max=10, wait_s=0, visibility_s=30)

    assert 7.0 <= received.queue_wait_s <= 10.5


async def test_a_corrupt_message_is_reported_and_not_delivered() -> None:
    told: list[tuple[str, Mapping[str, object]]] = []
    corrupt = {**delivered(1, 1), "MD5OfBody": "0" * 32}
    reply = answer({"Messages": [corrupt, delivered(1, 2)]})

    async with serving(in_turn(reply)) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with a_source(url, url + "/1/q", notify=lambda event, fields: told.append((event, fields))) as source:
            received = await source.receive(count_max=10, wait_s=0, visibility_s=30)

    assert [message.message_id for message in received.messages] == ["m2"]
    ((event, fields),) = told
    assert event == "message.corrupt"
    assert (fields["message_id"], fields["queue"]) == ("m1", "q")
