"""How producers send: batches, repetitions, threads, loops and forks."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.queue.wire_clients import a_client, config
from tests.queue.wire_servers import Request, answer, error, in_turn, serving

from forebay.cloud.background import InThread
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.sqs_server import SqsServer
from forebay.errors import FaultKind
from forebay.queue.port import NOT_TRIED, Outgoing, Sent
from forebay.queue.sender import Producer, close_private_loop
from forebay.queue.sink import ATTEMPTS_MAX, LANES_MAX, SqsSink
from forebay.queue.wire import SqsClient

pytestmark = pytest.mark.anyio


class Hasty(random.Random):
    """Dice that always say the smallest pause: tests need not wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def sink_of(client: SqsClient) -> SqsSink:
    return SqsSink("http://127.0.0.1/1/q", client, dice=Hasty())


def all_sent(count: int) -> bytes:
    return answer({"Successful": [{"Id": str(index), "MessageId": f"m{index}"} for index in range(count)]})


def failed(*ids: int, sent: tuple[int, ...] = (), is_sender_fault: bool = False) -> bytes:
    return answer(
        {
            "Successful": [{"Id": str(index), "MessageId": f"m{index}"} for index in sent],
            "Failed": [
                {"Id": str(index), "SenderFault": is_sender_fault, "Code": "Strange", "Message": ""} for index in ids
            ],
        }
    )


def bodies(request: Request) -> list[str]:
    entries = request.json["Entries"]
    assert isinstance(entries, list)
    return [entry["MessageBody"] for entry in entries]


async def test_many_messages_go_in_batches_of_ten_several_at_once() -> None:
    async with SqsServer() as server:
        sink = SqsSink.open(server.create_queue("jobs"), config(server.endpoint_url))
        sent = await sink.send([Outgoing(f"{number}") for number in range(255)])
        await sink.aclose()

    assert sink.client.caller.tally.requests == {"SendMessageBatch": 26}
    assert len({result.message_id for result in sent} - {None}) == 255


async def test_messages_for_a_fifo_queue_go_in_their_order_one_batch_after_another() -> None:
    async def answering(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(all_sent(len(bodies(request))))

    async with serving(answering) as server, a_client(server.port) as client:
        await SqsSink("http://127.0.0.1/1/q.fifo", client).send(
            [Outgoing(f"{number}", group="g") for number in range(45)]
        )

    assert [body for request in server.requests for body in bodies(request)] == [f"{number}" for number in range(45)]
    assert server.connections == 1


async def test_large_messages_go_in_batches_of_a_mebibyte() -> None:
    async with SqsServer() as server:
        sink = SqsSink.open(server.create_queue("jobs"), config(server.endpoint_url))
        sent = await sink.send([Outgoing("x" * 400_000)] * 5)
        await sink.aclose()

    assert sink.client.caller.tally.requests == {"SendMessageBatch": 3}
    assert [result.fault for result in sent] == [None] * 5


async def test_a_message_that_sqs_would_refuse_does_not_take_its_siblings_with_it() -> None:
    async with SqsServer() as server:
        sink = SqsSink.open(server.create_queue("jobs"), config(server.endpoint_url))
        first, bad, last = await sink.send([Outgoing("a"), Outgoing("\x00"), Outgoing("b")])
        await sink.aclose()

    assert (first.fault, last.fault) == (None, None)
    assert bad.fault is not None
    assert bad.fault.kind is FaultKind.REFUSED


async def test_only_the_entries_that_failed_for_a_while_are_sent_again() -> None:
    replies = in_turn(failed(1, sent=(0, 2)), all_sent(1))

    async with serving(replies) as server, a_client(server.port) as client:
        sent = await sink_of(client).send([Outgoing("a"), Outgoing("b"), Outgoing("c")])

    assert [bodies(request) for request in server.requests] == [["a", "b", "c"], ["b"]]
    assert [result.message_id for result in sent] == ["m0", "m0", "m2"]


async def test_an_entry_that_is_the_senders_fault_is_not_sent_again() -> None:
    async with serving(in_turn(failed(0, is_sender_fault=True))) as server, a_client(server.port) as client:
        (sent,) = await sink_of(client).send([Outgoing("a")])

    assert sent.fault is not None
    assert len(server.requests) == 1


@pytest.mark.parametrize("shape", ["RequestThrottled", "ServiceUnavailable"])
async def test_a_service_in_trouble_is_asked_again_and_in_the_end_reported(shape: str) -> None:
    async with serving(in_turn(error(shape, status=503))) as server, a_client(server.port) as client:
        (sent,) = await sink_of(client).send([Outgoing("a")])

    assert sent.fault is not None
    assert sent.fault.kind.is_transient
    assert len(server.requests) == ATTEMPTS_MAX


@pytest.mark.parametrize(("dedupe", "requests"), [(None, 1), ("d", 2)])
async def test_what_may_have_been_sent_is_sent_again_only_if_sqs_will_notice(dedupe: str | None, requests: int) -> None:
    async def cut_off_once(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 1:
            writer.close()
        else:
            writer.write(all_sent(1))

    async with serving(cut_off_once) as server, a_client(server.port) as client:
        (sent,) = await sink_of(client).send([Outgoing("a", dedupe=dedupe)])

    assert len(server.requests) == requests
    assert (sent.fault is None) is (dedupe is not None)


@pytest.mark.parametrize("shape", ["QueueDoesNotExist", "AccessDenied", "ServiceUnavailable"])
async def test_a_queue_that_takes_nothing_is_not_asked_for_each_of_a_thousand(shape: str) -> None:
    async with serving(in_turn(error(shape, status=400))) as server, a_client(server.port) as client:
        sent = await sink_of(client).send([Outgoing("x")] * 1000)

    assert len(server.requests) <= LANES_MAX * ATTEMPTS_MAX
    assert sent[-1].fault == NOT_TRIED
    assert sent[0].fault is not None
    assert sent[0].fault.code == shape


async def test_one_lost_answer_does_not_end_the_sending_but_many_do() -> None:
    async def cut_off_once(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.close() if len(server.requests) == 1 else writer.write(all_sent(len(bodies(request))))

    async def cut_off(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(cut_off_once) as server, a_client(server.port) as client:
        once = await sink_of(client).send([Outgoing("x")] * 1000)
    async with serving(cut_off) as server, a_client(server.port) as client:
        always = await sink_of(client).send([Outgoing("x")] * 1000)

    assert Counter(sent.fault is None for sent in once) == {True: 990, False: 10}
    assert NOT_TRIED not in [sent.fault for sent in once]
    assert Counter(sent.fault == NOT_TRIED for sent in always)[True] >= 1000 - 2 * LANES_MAX * 10


async def test_nothing_overtakes_what_a_fifo_queue_has_not_taken() -> None:
    """Of one group the first failed and the second was taken: sent again, the first would come after the second."""
    replies = in_turn(failed(0, 2, sent=(1,)), all_sent(1))

    async with serving(replies) as server, a_client(server.port) as client:
        sink = SqsSink("http://127.0.0.1/1/q.fifo", client, dice=Hasty())
        sent = await sink.send(
            [
                Outgoing("a", group="g"),
                Outgoing("b", group="g"),
                Outgoing("c", group="g"),
                *[Outgoing("d", group="h")] * 9,
            ]
        )

    assert [bodies(request) for request in server.requests][1:] == [["c"]]
    assert sent[0].fault is not None
    assert sent[0].fault.code == "Strange"
    assert [one.fault for one in sent[10:]] == [NOT_TRIED] * 2


@pytest.fixture
def local() -> Iterator[InThread[SqsServer]]:
    with SqsServer.in_thread() as running:
        yield running
    close_private_loop()


def producer_of(local: InThread[SqsServer]) -> tuple[Producer, str]:
    url = local.call(lambda service: service.create_queue("jobs"))
    return Producer(url, config(local.call(lambda service: service.endpoint_url))), url


def visible(local: InThread[SqsServer], url: str) -> int:
    stats = local.call(lambda service: service.stats())
    return int(stats["queues"][url]["visible"])


def ids(results: list[Sent]) -> set[str | None]:
    return {result.message_id for result in results}


def test_plain_threads_share_one_private_loop(local: InThread[SqsServer]) -> None:
    producer, _ = producer_of(local)
    results: list[Sent] = []
    threads = [threading.Thread(target=lambda: results.extend(producer.send([Outgoing("x")] * 3))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids(results) - {None}) == 24
    assert Counter(thread.name for thread in threading.enumerate())["forebay producer"] == 1


def test_the_private_loop_can_be_closed_and_comes_back(local: InThread[SqsServer]) -> None:
    producer, _ = producer_of(local)
    first = producer.send([Outgoing("x")])
    close_private_loop()

    second = producer.send([Outgoing("x")])

    assert None not in ids([*first, *second])


def test_each_event_loop_has_connections_of_its_own_and_closes_them(local: InThread[SqsServer]) -> None:
    """Warnings are errors here: a connection left open by a loop that has ended would fail this test."""
    producer, _ = producer_of(local)

    async def send_twice() -> list[Sent]:
        return [*await producer.asend([Outgoing("a")]), *await producer.asend([Outgoing("b")])]

    results = [*asyncio.run(send_twice()), *asyncio.run(send_twice())]

    assert len(ids(results) - {None}) == 4


def test_a_loop_that_has_ended_is_not_kept(local: InThread[SqsServer]) -> None:
    """A script may call `asyncio.run` a thousand times."""
    producer, _ = producer_of(local)
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def send() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await producer.asend([Outgoing("x")])

    asyncio.run(send())
    asyncio.run(send())
    gc.collect()

    assert [loop() for loop in loops] == [None, None]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_sends_over_connections_of_its_own(local: InThread[SqsServer]) -> None:
    producer, url = producer_of(local)
    producer.send([Outgoing("before")])
    sys.stdout.flush()

    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if producer.send([Outgoing("in the child")])[0].fault is None else 2
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    (after,) = producer.send([Outgoing("after")])

    assert os.waitstatus_to_exitcode(ended) == 0
    assert after.fault is None
    assert visible(local, url) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_a_child_that_is_forked_from_a_running_loop_sends_from_a_loop_of_its_own(
    local: InThread[SqsServer],
) -> None:
    """Servers fork wherever they stand: the child has its parent's loop in memory and must leave it alone."""
    producer, url = producer_of(local)
    await producer.asend([Outgoing("before")])

    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.events._set_running_loop(None)  # type: ignore[attr-defined, unused-ignore]  # as uvicorn's children do
            of_the_loop = asyncio.run(producer.asend([Outgoing("in the child")]))[0].fault
            of_a_thread = producer.send([Outgoing("in the child's thread")])[0].fault
            status = 0 if of_the_loop is None and of_a_thread is None else 2
        finally:
            os._exit(status)
    _, ended = await asyncio.to_thread(os.waitpid, child, 0)
    (after,) = await producer.asend([Outgoing("after")])

    assert os.waitstatus_to_exitcode(ended) == 0
    assert after.fault is None
    assert visible(local, url) == 4


def test_a_thread_is_told_what_went_wrong(local: InThread[SqsServer]) -> None:
    producer, _ = producer_of(local)
    local.call(lambda service: service.chaos.add(ChaosRule(effect=Effect.DENY)))

    (sent,) = producer.send([Outgoing("x")])

    assert sent.fault is not None
    assert sent.fault.kind is FaultKind.DENIED


def test_making_a_producer_starts_nothing(local: InThread[SqsServer]) -> None:
    producer_of(local)

    assert "forebay producer" not in {thread.name for thread in threading.enumerate()}
