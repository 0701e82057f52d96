"""Hooks, batches and dependencies in a run of the local cloud: as in production, and what fails is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from forebay import Batch, Context, Depends, Worker, enqueue_many
from forebay.api.lifespan import HookFailed
from forebay.testing import LocalQueue


def test_hooks_run_around_each_run_and_a_batch_finds_what_they_share(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")
    log: list[object] = []

    @worker.on_start
    async def loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
        log.append("start")
        yield asyncio.get_running_loop()
        log.append("stop")

    def number(ctx: Context) -> Iterator[int]:
        yield len(ctx.messages)

    @worker.batch(size=3, linger="5s", slots=3)
    async def ingest(
        items: Batch[int], shared: asyncio.AbstractEventLoop = Depends(loop), messages: int = Depends(number)
    ) -> None:
        assert shared is asyncio.get_running_loop()
        log.append((sum(items), messages))
        if len(items) == 3:
            items.fail(items.index(3), "not with the others")

    enqueue_many(ingest.call(item) for item in (1, 2, 3))

    report = forebay_queue.work(worker)
    again = forebay_queue.work(worker)

    assert sorted(report.outcomes) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert log == ["start", (6, 3), (3, 1), "stop", "start", "stop"]
    assert again.received == 0


def test_a_start_hook_that_raises_is_raised_in_the_test(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")

    @worker.on_start
    def broken() -> None:
        raise ConnectionError

    @worker.job
    def work() -> None: ...

    work.enqueue()

    with pytest.raises(HookFailed, match="start hook 'broken' raised ConnectionError"):
        forebay_queue.work(worker)
    assert forebay_queue.counts().visible == 1


def test_a_stop_hook_that_raises_is_raised_in_the_test_after_the_work(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")
    done: list[int] = []

    @worker.on_stop
    async def broken() -> None:
        raise ConnectionError

    @worker.job
    def work() -> None:
        done.append(1)

    work.enqueue()

    with pytest.raises(HookFailed, match="stop hook 'broken' raised ConnectionError"):
        forebay_queue.work(worker)
    assert done == [1]
