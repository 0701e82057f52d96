"""The executor of coroutines: nothing that a handler does ends the loop or goes unnoticed."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextvars import ContextVar

import pytest
from tests.handlers.collecting import PATIENCE_S, Collected, Make, attempt, forever, must, noop, opened

from forebay import Reject, RetryLater
from forebay.model import SUCCEEDED, Attempt, Failed, Postponed, Rejected


def test_a_handler_that_returns_has_succeeded_whatever_it_returned(executor_of: Make) -> None:
    async def odd(_: Attempt) -> object:
        return ValueError("returned, not raised")

    with opened(one := executor_of(noop=noop, odd=odd)) as collected:
        one.start([attempt(1, "noop"), attempt(2, "odd")])

        assert collected.outcomes(2) == {1: SUCCEEDED, 2: SUCCEEDED}


def test_a_batch_comes_back_in_far_fewer_batches(executor_of: Make) -> None:
    with opened(one := executor_of(noop=noop)) as collected:
        one.start([attempt(number, "noop") for number in range(5_000)])

        assert len(collected.outcomes(5_000)) == 5_000
        assert len(collected.batches) <= 50


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), MemoryError(), StopIteration()])
def test_no_exception_ends_the_loop(executor_of: Make, error: BaseException) -> None:
    async def throw(_: Attempt) -> None:
        await asyncio.sleep(0)
        raise error

    with opened(one := executor_of(throw=throw, noop=noop)) as collected:
        one.start([attempt(1, "throw")])
        collected.outcomes(1)
        one.start([attempt(2, "noop")])

        outcomes = collected.outcomes(2)

    assert isinstance(outcomes[1], Failed)
    assert outcomes[2] == SUCCEEDED


def test_answers_reach_the_control_loop(executor_of: Make) -> None:
    async def later(_: Attempt) -> None:
        raise RetryLater("2m")

    async def never(_: Attempt) -> None:
        raise Reject("no")

    with opened(one := executor_of(later=later, never=never)) as collected:
        one.start([attempt(1, "later"), attempt(2, "never")])

        assert collected.outcomes(2) == {1: Postponed(120.0), 2: Rejected("no")}


def test_a_task_of_the_users_own_that_exits_does_not_end_the_loop(executor_of: Make) -> None:
    async def exits() -> None:
        sys.exit(3)

    async def spawns(_: Attempt) -> None:
        task = asyncio.get_running_loop().create_task(exits())
        await asyncio.wait([task])

    with opened(one := executor_of(spawns=spawns, noop=noop)) as collected:
        one.start([attempt(1, "spawns")])
        collected.outcomes(1)
        one.start([attempt(2, "noop")])

        assert collected.outcomes(2)[2] == SUCCEEDED


def test_a_handler_that_stops_the_loop_stops_nothing(executor_of: Make) -> None:
    async def stops(_: Attempt) -> None:
        asyncio.get_running_loop().stop()

    with opened(one := executor_of(stops=stops, noop=noop)) as collected:
        one.start([attempt(1, "stops"), attempt(2, "noop")])

        assert collected.outcomes(2) == {1: SUCCEEDED, 2: SUCCEEDED}


def test_contexts_are_fresh_for_each_attempt(executor_of: Make) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="fresh")
    seen: list[str] = []

    async def writes(_: Attempt) -> None:
        seen.append(variable.get())
        variable.set("left behind")

    with opened(one := executor_of(writes=writes)) as collected:
        variable.set("of the control loop")
        one.start([attempt(number, "writes") for number in range(3)])
        collected.outcomes(3)

    assert seen == ["fresh"] * 3


def test_asking_for_time_reaches_the_control_loop(executor_of: Make) -> None:
    async def asks(one: Attempt) -> None:
        assert one.signals.extend is not None
        one.signals.extend(one.number, 300.0)

    with opened(one := executor_of(asks=asks)) as collected:
        one.start([attempt(1, "asks")])
        collected.outcomes(1)

    assert collected.extensions == [(1, 300.0)]


def test_a_listener_is_told_on_the_handlers_loop(executor_of: Make) -> None:
    threads: list[int] = []

    async def listens(one: Attempt) -> None:
        risen = asyncio.Event()

        def listener() -> None:
            threads.append(threading.get_ident())
            risen.set()

        one.signals.listeners.append(listener)
        threads.append(threading.get_ident())
        started.set()
        await risen.wait()

    started = threading.Event()
    with opened(one := executor_of(listens=listens)) as collected:
        running = attempt(1, "listens")
        one.start([running])
        must(started)
        running.signals.stopping = True
        one.notify(running)
        collected.outcomes(1)

    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_a_blocked_loop_is_noticed_with_the_line_that_blocks_it(executor_of: Make) -> None:
    async def blocks(_: Attempt) -> None:
        blocked.set()
        must(go_on)

    blocked, go_on = threading.Event(), threading.Event()
    with opened(one := executor_of(blocks=blocks)) as collected:
        one.start([attempt(1, "blocks")])
        must(blocked)

        assert one.blockage(now=100.0) is None, "the ping goes out"
        assert one.blockage(now=100.5) is None, "not yet long enough"
        blockage = one.blockage(now=103.0)
        go_on.set()
        collected.outcomes(1)

    assert blockage is not None
    assert blockage.blocked_s == 3.0
    assert any(frame.endswith("blocks") and "test_on_loop.py:" in frame for frame in blockage.stack)
    assert "asyncio" not in blockage.stack[0]


def test_an_idle_loop_is_asked_nothing(executor_of: Make) -> None:
    with opened(one := executor_of(noop=noop)):
        assert [one.blockage(now=float(second)) for second in range(10)] == [None] * 10


def test_a_turning_loop_is_not_reported(executor_of: Make) -> None:
    with opened(one := executor_of(forever=forever)) as collected:
        one.start([attempt(1, "forever")])
        deadline = time.monotonic() + PATIENCE_S
        assert one.blockage(now=100.0) is None
        while one.blockage(now=102.0) is not None:
            assert time.monotonic() < deadline, "a loop that turns must answer"
        one.interrupt(1, because_of_limit=False)
        collected.outcomes(1)


def test_close_says_when_some_code_will_not_end(executor_of: Make) -> None:
    async def blocks(_: Attempt) -> None:
        must(go_on)

    go_on = threading.Event()
    collected = Collected()
    one = executor_of(blocks=blocks)
    one.open(collected)
    one.start([attempt(1, "blocks")])

    assert not one.close(wait_s=0.01)

    go_on.set()
    assert one.close(wait_s=PATIENCE_S)


def test_an_unknown_job_is_a_failure_and_not_the_end(executor_of: Make) -> None:
    with opened(one := executor_of(noop=noop)) as collected:
        one.start([attempt(1, "unheard of"), attempt(2, "noop")])

        outcomes = collected.outcomes(2)

    assert isinstance(outcomes[1], Failed)
    assert outcomes[2] == SUCCEEDED
