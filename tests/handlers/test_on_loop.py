"""The executor of coroutines: one outcome for each attempt, whatever they do to the loop."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from tests.handlers.collecting import PATIENCE_S, Collected, attempt, must, opened, registry_of

from forebay import Reject, RetryLater
from forebay.handlers.on_loop import LoopExecutor
from forebay.model import SUCCEEDED, Attempt, Failed, Interrupted, Postponed, Rejected, TimedOut

Handler = Callable[[Attempt], Coroutine[Any, Any, object]]


@pytest.fixture(params=["uvloop", "asyncio"], autouse=True)
def loop_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs on both loops; the one is chosen by whether the other can be imported."""
    kept = sys.modules.get("uvloop")
    if request.param == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]
    else:
        pytest.importorskip("uvloop")
    yield
    sys.modules.pop("uvloop", None)
    if kept is not None:
        sys.modules["uvloop"] = kept


def executor_of(**handlers: Handler) -> LoopExecutor:
    return LoopExecutor(registry_of("loop", **handlers))


async def forever(_: Attempt) -> None:
    await asyncio.Event().wait()


async def noop(_: Attempt) -> None:
    return None


def test_a_handler_that_returns_has_succeeded_whatever_it_returned() -> None:
    async def odd(_: Attempt) -> object:
        return ValueError("returned, not raised")

    with opened(one := executor_of(noop=noop, odd=odd)) as collected:
        one.start([attempt(1, "noop"), attempt(2, "odd")])

        assert collected.outcomes(2) == {1: SUCCEEDED, 2: SUCCEEDED}


def test_a_batch_comes_back_in_far_fewer_batches() -> None:
    with opened(one := executor_of(noop=noop)) as collected:
        one.start([attempt(number, "noop") for number in range(5_000)])

        assert len(collected.outcomes(5_000)) == 5_000
        assert len(collected.batches) <= 50


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), MemoryError(), StopIteration()])
def test_no_exception_ends_the_loop(error: BaseException) -> None:
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


def test_answers_reach_the_control_loop() -> None:
    async def later(_: Attempt) -> None:
        raise RetryLater("2m")

    async def never(_: Attempt) -> None:
        raise Reject("no")

    with opened(one := executor_of(later=later, never=never)) as collected:
        one.start([attempt(1, "later"), attempt(2, "never")])

        assert collected.outcomes(2) == {1: Postponed(120.0), 2: Rejected("no")}


def test_a_task_of_the_users_own_that_exits_does_not_end_the_loop() -> None:
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


def test_a_handler_that_stops_the_loop_stops_nothing() -> None:
    async def stops(_: Attempt) -> None:
        asyncio.get_running_loop().stop()

    with opened(one := executor_of(stops=stops, noop=noop)) as collected:
        one.start([attempt(1, "stops"), attempt(2, "noop")])

        assert collected.outcomes(2) == {1: SUCCEEDED, 2: SUCCEEDED}


@pytest.mark.parametrize(("because_of_limit", "expected"), [(True, TimedOut(60.0)), (False, Interrupted())])
def test_an_interrupt_cancels_and_says_why(because_of_limit: bool, expected: object) -> None:
    with opened(one := executor_of(forever=forever)) as collected:
        one.start([attempt(1, "forever")])
        one.interrupt(1, because_of_limit=because_of_limit)

        assert collected.outcomes(1) == {1: expected}


def test_an_attempt_interrupted_before_its_first_step_never_runs() -> None:
    ran: list[int] = []

    async def holds(_: Attempt) -> None:
        # Blocks the loop, so that the next hand-over and its interrupt wait for it together.
        posted.set()
        must(go_on)

    async def notes(one: Attempt) -> None:
        ran.append(one.number)

    posted, go_on = threading.Event(), threading.Event()
    with opened(one := executor_of(holds=holds, notes=notes)) as collected:
        one.start([attempt(1, "holds")])
        must(posted)
        one.start([attempt(2, "notes")])
        one.interrupt(2, because_of_limit=False)
        go_on.set()

        outcomes = collected.outcomes(2)

    # With eager tasks the first step is part of the hand-over: it has run, and finished, before the interrupt.
    assert (outcomes[2], ran) in [(Interrupted(), []), (SUCCEEDED, [2])]


def test_a_handler_that_swallows_the_cancellation_and_returns_has_succeeded() -> None:
    async def finishes(_: Attempt) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    started = threading.Event()
    with opened(one := executor_of(finishes=finishes)) as collected:
        one.start([attempt(1, "finishes")])
        must(started)
        one.interrupt(1, because_of_limit=True)

        assert collected.outcomes(1) == {1: SUCCEEDED}


def test_a_handler_that_answers_a_cancellation_is_believed() -> None:
    async def hands_on(_: Attempt) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RetryLater(10) from None

    started = threading.Event()
    with opened(one := executor_of(hands_on=hands_on)) as collected:
        one.start([attempt(1, "hands_on")])
        must(started)
        one.interrupt(1, because_of_limit=False)

        assert collected.outcomes(1) == {1: Postponed(10.0)}


def test_an_error_that_came_from_the_cancellation_is_not_the_jobs_fault() -> None:
    async def translates(_: Attempt) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            raise ConnectionError("the library's own word for it") from cancelled

    started = threading.Event()
    with opened(one := executor_of(translates=translates)) as collected:
        one.start([attempt(1, "translates")])
        must(started)
        one.interrupt(1, because_of_limit=False)

        assert collected.outcomes(1) == {1: Interrupted()}


def test_an_error_of_its_own_after_an_interrupt_is_a_failure() -> None:
    async def fails(_: Attempt) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        raise ValueError

    started = threading.Event()
    with opened(one := executor_of(fails=fails)) as collected:
        one.start([attempt(1, "fails")])
        must(started)
        one.interrupt(1, because_of_limit=False)

        assert isinstance(collected.outcomes(1)[1], Failed)


def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    async def cancels_itself(_: Attempt) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with opened(one := executor_of(cancels_itself=cancels_itself)) as collected:
        one.start([attempt(1, "cancels_itself")])

        outcome = collected.outcomes(1)[1]

    assert isinstance(outcome, Failed)
    assert outcome.error == "asyncio.exceptions.CancelledError"


def test_a_handler_that_cancels_all_others_loses_none_of_them() -> None:
    async def cancels_all(_: Attempt) -> None:
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    with opened(one := executor_of(cancels_all=cancels_all, forever=forever)) as collected:
        one.start([attempt(1, "forever"), attempt(2, "cancels_all"), *(attempt(n, "forever") for n in range(3, 50))])
        collected.outcomes(1)
        for number in range(1, 50):
            one.interrupt(number, because_of_limit=False)
        # What was cancelled before its first step is found by the answer to a ping.
        one.blockage(now=0.0)

        assert len(collected.outcomes(49)) == 49


def test_contexts_are_fresh_for_each_attempt() -> None:
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


def test_asking_for_time_reaches_the_control_loop() -> None:
    async def asks(one: Attempt) -> None:
        assert one.signals.extend is not None
        one.signals.extend(one.number, 300.0)

    with opened(one := executor_of(asks=asks)) as collected:
        one.start([attempt(1, "asks")])
        collected.outcomes(1)

    assert collected.extensions == [(1, 300.0)]


def test_a_listener_is_told_on_the_handlers_loop() -> None:
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


def test_a_blocked_loop_is_noticed_with_the_line_that_blocks_it() -> None:
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


def test_an_idle_loop_is_asked_nothing() -> None:
    with opened(one := executor_of(noop=noop)):
        assert [one.blockage(now=float(second)) for second in range(10)] == [None] * 10


def test_a_turning_loop_is_not_reported() -> None:
    with opened(one := executor_of(forever=forever)) as collected:
        one.start([attempt(1, "forever")])
        deadline = time.monotonic() + PATIENCE_S
        assert one.blockage(now=100.0) is None
        while one.blockage(now=102.0) is not None:
            assert time.monotonic() < deadline, "a loop that turns must answer"
        one.interrupt(1, because_of_limit=False)
        collected.outcomes(1)


def test_a_storm_of_everything_yields_each_outcome_once() -> None:
    """Thousands of attempts that return, raise, wait, swallow and exit, interrupted at random."""
    dice = random.Random(20260101)
    release: list[asyncio.Future[None]] = []

    async def waits(_: Attempt) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        release.append(future)
        await future

    async def releases(_: Attempt) -> None:
        while release:
            future = release.pop()
            if not future.done():
                future.set_result(None)

    async def raises(one: Attempt) -> None:
        await asyncio.sleep(0)
        raise dice.choice([ValueError(one.number), SystemExit(), Reject("no"), RetryLater()])

    async def swallows(_: Attempt) -> None:
        try:
            await asyncio.sleep(0.001)  # stands for work
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    with opened(one := executor_of(noop=noop, waits=waits, releases=releases, raises=raises, swallows=swallows)) as got:
        number = 0
        while number < 6_000:
            batch = [
                attempt(number + offset, dice.choice(["noop", "waits", "releases", "raises", "swallows"]))
                for offset in range(dice.randint(1, 20))
            ]
            number += len(batch)
            one.start(batch)
            for _ in range(3):
                one.interrupt(dice.randrange(number), because_of_limit=dice.random() < 0.5)
            one.blockage(now=float(number))
        one.start([attempt(number, "releases")])
        number += 1
        got.outcomes(1)
        for each in range(number):
            one.interrupt(each, because_of_limit=False)
        one.blockage(now=float(number) + 1)

        assert set(got.outcomes(number)) == set(range(number))


def test_close_interrupts_what_is_left_and_says_whether_all_has_ended() -> None:
    collected = Collected()
    one = executor_of(forever=forever)
    one.open(collected)
    one.start([attempt(1, "forever")])

    has_ended = one.close(wait_s=PATIENCE_S)

    assert has_ended
    assert collected.outcomes(1) == {1: Interrupted()}


def test_close_says_when_some_code_will_not_end() -> None:
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


def test_what_is_started_after_close_is_interrupted() -> None:
    collected = Collected()
    one = executor_of(noop=noop)
    one.open(collected)
    one.close(wait_s=PATIENCE_S)

    one.start([attempt(1, "noop")])
    one.interrupt(1, because_of_limit=False)
    one.notify(attempt(1, "noop"))

    assert collected.outcomes(1) == {1: Interrupted()}
    assert one.blockage(now=5.0) is None


def test_an_unknown_job_is_a_failure_and_not_the_end() -> None:
    with opened(one := executor_of(noop=noop)) as collected:
        one.start([attempt(1, "unheard of"), attempt(2, "noop")])

        outcomes = collected.outcomes(2)

    assert isinstance(outcomes[1], Failed)
    assert outcomes[2] == SUCCEEDED
