"""Time in memory: skipped where coroutines wait for each other, for timers or for retries; real where it is due."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from forebay import Context, RetryLater, Worker
from forebay.testing import JobNotDone, WorkerClient

Client = Callable[..., WorkerClient]


def test_a_time_limit_passes_at_once_for_coroutines_that_only_wait(forebay_client: Client) -> None:
    worker = Worker("w")

    @worker.job(timeout="5m")
    async def slow(wait_s: int) -> None:
        await asyncio.sleep(wait_s)

    client = forebay_client(worker)

    assert client.run(slow, wait_s=299).lasted_s == pytest.approx(299, abs=1)
    with pytest.raises(JobNotDone, match=r"slow ended as timed_out after 300"):
        client.run(slow, wait_s=301)
    assert client.now_s == pytest.approx(599, abs=3)


def test_sleeping_coroutines_and_hidden_retries_wake_in_the_order_of_their_times(forebay_client: Client) -> None:
    worker, woke = Worker("w"), list[str]()

    @worker.job(timeout="2h")
    async def sleeper(minutes: int) -> None:
        await asyncio.sleep(minutes * 60)
        woke.append(f"slept {minutes}")

    @worker.job
    def retried(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater("20m")
        woke.append("retried after 20")

    client = forebay_client(worker)
    sleeper.enqueue(minutes=30)
    sleeper.enqueue(minutes=10)
    retried.enqueue()

    assert client.work().lasted_s == pytest.approx(1800, abs=5)
    assert woke == ["slept 10", "retried after 20", "slept 30"]


def test_time_stands_where_it_is_while_code_runs_in_a_thread(forebay_client: Client) -> None:
    worker, went_on = Worker("w"), threading.Event()

    @worker.job(timeout="60s")
    def first() -> None:
        assert went_on.wait(20)

    @worker.job
    async def second() -> None:
        await asyncio.sleep(1)
        went_on.set()

    client = forebay_client(worker)
    first.enqueue()
    second.enqueue()

    assert sorted(client.work().outcomes) == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    "way", ["asyncio.to_thread", "anyio.to_thread", "wrap_future", "socket", "event set by thread"]
)
def test_no_time_is_skipped_for_a_coroutine_that_something_outside_may_wake(forebay_client: Client, way: str) -> None:
    """Else its limit of a minute would have passed long before the thread or the socket answers."""
    worker, may_go = Worker("w"), threading.Event()

    @worker.job(timeout="1m")
    async def waits() -> None:
        await _wait_outside(way, may_go)

    client = forebay_client(worker)
    timer = threading.Timer(0.1, may_go.set)  # Stands for work that takes its time.
    timer.start()

    result = client.run(waits)
    timer.join()

    assert result.lasted_s < 30


async def _wait_outside(way: str, may_go: threading.Event) -> None:
    match way:
        case "asyncio.to_thread":
            await asyncio.to_thread(may_go.wait, 20)
        case "anyio.to_thread":
            await anyio.to_thread.run_sync(may_go.wait, 20)
        case "wrap_future":
            with ThreadPoolExecutor(1) as pool:
                await asyncio.wait_for(asyncio.wrap_future(pool.submit(may_go.wait, 20)), 30)
        case "socket":
            await _ask_a_server(may_go)
        case _:
            told = asyncio.get_running_loop().create_future()
            threading.Thread(target=_set_later, args=(may_go, asyncio.get_running_loop(), told)).start()
            await told


def _set_later(may_go: threading.Event, loop: asyncio.AbstractEventLoop, told: asyncio.Future[None]) -> None:
    may_go.wait(20)
    loop.call_soon_threadsafe(told.set_result, None)


async def _ask_a_server(may_go: threading.Event) -> None:
    ready, address = threading.Event(), list[int]()

    async def serve() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.to_thread(may_go.wait, 20)
            writer.write(b"done\n")
            writer.close()
            done.set()

        done = asyncio.Event()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            address.append(server.sockets[0].getsockname()[1])
            ready.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(20)
    reader, writer = await asyncio.open_connection("127.0.0.1", address[0])
    assert await reader.readline() == b"done\n"
    writer.close()
    await writer.wait_closed()
    await asyncio.to_thread(thread.join)


@pytest.mark.parametrize("way", ["gather", "task group", "wait_for", "event", "queue", "anyio", "timeout"])
def test_coroutines_that_wait_for_each_other_are_skipped_over(forebay_client: Client, way: str) -> None:
    worker = Worker("w")

    @worker.job(timeout="2h")
    async def waits() -> None:
        await _wait_inside(way)

    assert forebay_client(worker).run(waits).lasted_s == pytest.approx(3600, abs=1)


async def _wait_inside(way: str) -> None:
    hour = 3600.0
    match way:
        case "gather":
            await asyncio.gather(asyncio.sleep(hour), asyncio.sleep(60))
        case "task group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(hour))
        case "wait_for":
            await asyncio.wait_for(asyncio.sleep(hour), 2 * hour)
        case "event":
            event = asyncio.Event()
            asyncio.get_running_loop().call_later(hour, event.set)
            await event.wait()
        case "queue":
            queue = asyncio.Queue[int]()
            asyncio.get_running_loop().call_later(hour, queue.put_nowait, 1)
            await queue.get()
        case "anyio":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep, hour)
        case _:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(hour):
                    await asyncio.Event().wait()


@pytest.mark.forebay(time="real")
def test_in_real_time_nothing_is_skipped(forebay_client: Client) -> None:
    worker = Worker("w")

    @worker.job
    async def later(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater(1)

    client = forebay_client(worker)
    later.enqueue()

    assert 1 <= client.work().lasted_s < 20
