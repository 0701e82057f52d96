"""What surrounds a job is there in memory too: hooks, dependencies, middleware, envelopes, batches."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass

import pytest

from forebay import Batch, Context, Depends, JobError, Reject, SnsNotification, Worker
from forebay.testing import JobNotDone, LocalQueue, WorkerClient

Client = Callable[..., WorkerClient]


@dataclass
class Shop:
    """Stands for a pool of connections, which belongs to the event loop that it was opened on."""

    loop: asyncio.AbstractEventLoop
    is_open: bool = True


def test_hooks_run_once_for_a_client_on_the_loop_that_its_jobs_run_on() -> None:
    worker, opened, seen = Worker("w"), list[Shop](), list[bool]()

    @worker.on_start
    async def open_shop() -> AsyncGenerator[Shop]:
        shop = Shop(asyncio.get_running_loop())
        opened.append(shop)
        yield shop
        shop.is_open = False

    @worker.job
    async def sell(ctx: Context) -> None:
        shop = ctx.shared(Shop)
        seen.append(shop.is_open and shop.loop is asyncio.get_running_loop())

    with WorkerClient(worker) as client:
        client.run(sell)
        sell.enqueue()
        client.work()

    assert seen == [True, True]
    assert [shop.is_open for shop in opened] == [False]


def test_a_start_hook_that_raises_fails_the_test_and_leaves_nothing_behind() -> None:
    worker, before = Worker("w"), set(threading.enumerate())
    worker.default(_ignore)

    @worker.on_start
    def fails() -> None:
        raise ConnectionError

    with pytest.raises(Exception, match="start hook 'fails' raised ConnectionError") as raised, WorkerClient(worker):
        pass

    assert isinstance(raised.value.__cause__, ConnectionError)
    assert set(threading.enumerate()) == before


def test_a_worker_that_declares_nothing_is_told_so_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())

    with pytest.raises(JobError, match="declares nothing"), WorkerClient(Worker("w")):
        pass

    assert set(threading.enumerate()) == before


def test_a_stand_in_for_a_dependency_counts_from_the_next_attempt(forebay_client: Client) -> None:
    worker, seen = Worker("w"), list[str]()

    def database() -> str:
        return "the real one"

    @worker.job
    async def store(number: int, db: str = Depends(database)) -> None:
        seen.append(f"{number} in {db}")

    client = forebay_client(worker)
    client.run(store, number=1)
    with worker.override(database, lambda: "a fake"):
        client.run(store, number=2)
    client.run(store, number=3)

    assert seen == ["1 in the real one", "2 in a fake", "3 in the real one"]


def test_middleware_surrounds_an_attempt(forebay_client: Client) -> None:
    worker, told = Worker("w"), list[str]()

    @worker.around_attempt
    def tell(ctx: Context) -> Generator[None]:
        told.append("before")
        try:
            yield
        finally:
            told.append("after")

    @worker.job
    def fails() -> None:
        told.append("during")
        raise Reject("no")

    assert forebay_client(worker).attempt(fails.call()).reason == "no"
    assert told == ["before", "during", "after"]


def test_an_envelope_is_read_from_the_body_that_aws_sends(forebay_client: Client) -> None:
    worker, seen = Worker("w"), list[str]()

    @worker.job(subject="paid")
    def paid(order: SnsNotification[dict[str, int]]) -> None:
        seen.append(f"{order.subject} {order.message}")

    notification = {
        "Type": "Notification",
        "MessageId": "m",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:orders",
        "Subject": "paid",
        "Message": '{"number": 7}',
        "Timestamp": "2026-01-01T00:00:00.000Z",
    }
    result = forebay_client(worker).attempt(notification)

    assert (result.job, result.outcome) == ("paid", "succeeded")
    assert seen == ["paid {'number': 7}"]


def test_a_batch_is_one_call_and_each_item_has_its_own_end(forebay_client: Client) -> None:
    worker, calls = Worker("w"), list[list[int]]()

    @worker.batch(size=10, linger="5s")
    async def ingest(items: Batch[int]) -> None:
        calls.append(list(items))
        for index, number in enumerate(items):
            if number < 0:
                items.fail(index, ValueError("a value that nobody else is to see"))

    client = forebay_client(worker)
    first, second, third = client.attempt_batch([ingest.call(number) for number in (1, -2, 3)])

    assert calls == [[1, -2, 3]]
    assert [one.outcome for one in (first, second, third)] == ["succeeded", "failed", "succeeded"]
    assert second.error == "ValueError"
    with pytest.raises(JobNotDone, match=r"ingest ended as failed .*: ValueError"):
        client.run(ingest, -4)


def test_work_fills_batches_from_the_queue(forebay_client: Client) -> None:
    worker, calls = Worker("w"), list[int]()

    @worker.batch(size=4, linger="30s")
    def ingest(items: Batch[int]) -> None:
        calls.append(len(items))

    client = forebay_client(worker)
    for number in range(10):
        ingest.enqueue(number)

    assert client.work().succeeded == 10
    assert calls == [4, 4, 2]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_isolated_jobs_run_in_the_process_of_the_test(forebay_client: Client, kind: str) -> None:
    worker, seen = Worker("w"), list[int]()

    if kind == "def":

        @worker.job(name="isolated", isolate=True)
        def on_thread() -> None:
            seen.append(os.getpid())
    else:

        @worker.job(name="isolated", isolate=True)
        async def on_loop() -> None:
            seen.append(os.getpid())

    assert forebay_client(worker).attempt({}, job="isolated").outcome == "succeeded"
    assert seen == [os.getpid()]


def test_isolated_jobs_run_there_on_the_local_cloud_too(forebay_queue: LocalQueue) -> None:
    worker, seen = Worker("w"), list[int]()

    @worker.job(isolate=True)
    def isolated() -> None:
        seen.append(os.getpid())

    isolated.enqueue()

    assert forebay_queue.work(worker).succeeded == 1
    assert seen == [os.getpid()]


def _ignore() -> None: ...
