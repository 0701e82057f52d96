"""Start and stop hooks within a run: a request to stop is not kept waiting, and what had started is undone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tests.handlers.collecting import PATIENCE_S, must

from forebay import Worker
from forebay.api.hosting import Hosting
from forebay.api.lifespan import HookFailed
from forebay.api.signals import Stoppable
from forebay.clock import SystemClock
from forebay.handlers.loop_thread import LoopThread
from forebay.observability.health import HealthState
from forebay.worker.vocabulary import Exit


class Told:
    """A `Recorder` that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def report(self, event: str, fields: Mapping[str, object], /) -> None:
        self.events.append((event, fields))

    def started(self, attempts: Any, /) -> None: ...
    def concluded(self, conclusions: Any, /) -> None: ...
    def tick(self) -> None: ...


def ignore(_: HookFailed) -> None:
    """Show nothing."""


def hosting_of(worker: Worker, told: Told) -> tuple[Hosting, LoopThread]:
    loop = LoopThread()
    return Hosting(worker.lifespan, loop, told, SystemClock(), show=ignore), loop


async def never(worker: Stoppable) -> None:
    await asyncio.Event().wait()


def test_a_program_that_gives_a_slow_start_up_is_left_without_anything_open() -> None:
    """The hook cannot be stopped, but when it has returned, what it has made is closed."""
    worker = Worker("shop")
    waits, goes_on, closed = threading.Event(), threading.Event(), threading.Event()

    @worker.on_start
    def slow() -> Iterator[None]:
        waits.set()
        must(goes_on)
        yield
        closed.set()

    async def stop_while_it_waits(one: Stoppable) -> None:
        await asyncio.to_thread(must, waits)
        one.stop("the program's own wish")

    hosting, loop = hosting_of(worker, Told())
    ended = asyncio.run(hosting.start_or_exit(stop_while_it_waits, HealthState(0.0)))
    goes_on.set()
    must(closed)

    assert ended == Exit(0, "the program's own wish", code_still_runs=True)
    assert loop.close(wait_s=PATIENCE_S)


def test_health_is_true_while_a_start_hook_takes_its_time() -> None:
    worker = Worker("shop")
    turned, seen = threading.Event(), list[float]()

    class Watched(HealthState):
        """Says when it has been written."""

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "last_turn_at" and value > 0.0:
                seen.append(value)
                turned.set()

    @worker.on_start
    def slow() -> None:
        must(turned)

    hosting, loop = hosting_of(worker, Told())

    assert asyncio.run(hosting.start_or_exit(never, Watched(0.0))) is None
    assert seen
    worker.lifespan.stop()
    assert loop.close(wait_s=PATIENCE_S)


def test_stop_hooks_that_fail_are_told_one_by_one_without_their_words() -> None:
    worker = Worker("shop")

    @worker.on_stop
    def first() -> None:
        raise ValueError("canary-7f3a")

    @worker.on_stop
    async def second() -> None:
        raise OSError("canary-7f3a")

    told = Told()
    hosting, loop = hosting_of(worker, told)

    async def run() -> None:
        assert await hosting.start_or_exit(never, HealthState(0.0)) is None
        await hosting.stop(never, HealthState(0.0), drain_s=1.0)

    asyncio.run(run())

    assert [(event, fields["hook"], fields["error"]) for event, fields in told.events] == [
        ("hook.failed", "stop hook 'second'", "OSError"),
        ("hook.failed", "stop hook 'first'", "ValueError"),
    ]
    assert "canary" not in repr(told.events)
    assert loop.close(wait_s=PATIENCE_S)


def test_a_second_request_to_stop_does_not_wait_for_stop_hooks() -> None:
    worker = Worker("shop")
    waits, goes_on = threading.Event(), threading.Event()

    @worker.on_stop
    def slow() -> None:
        waits.set()
        must(goes_on)

    async def twice(one: Stoppable) -> None:
        one.stop("first")
        await asyncio.to_thread(must, waits)
        one.stop_now("second")

    told = Told()
    hosting, loop = hosting_of(worker, told)

    async def run() -> None:
        assert await hosting.start_or_exit(never, HealthState(0.0)) is None
        await hosting.stop(hosting.heard_by(twice), HealthState(0.0), drain_s=10_000.0)

    asyncio.run(run())

    assert told.events == []
    goes_on.set()
    assert loop.close(wait_s=PATIENCE_S)
