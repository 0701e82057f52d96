"""Batches in the executors: one call for several attempts, an outcome for each, and an interrupt that is one of all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextvars import Context, ContextVar
from typing import Any

import pytest
from tests.handlers.collecting import PATIENCE_S, attempt, must, opened

from forebay.handlers.batches import Partly
from forebay.handlers.executor import Executor
from forebay.handlers.loop_thread import LoopThread
from forebay.handlers.on_loop import LoopExecutor
from forebay.handlers.on_thread import ThreadExecutor
from forebay.handlers.registry import Handler, Registry, Runs
from forebay.model import SUCCEEDED, Attempt, Failed, Interrupted, Outcome, Rejected, TimedOut

Body = Callable[[Sequence[Attempt]], Sequence[Outcome]]
PLACES: tuple[Runs, ...] = ("loop", "thread")


def batch_of(number: int, *numbers: int) -> list[Attempt]:
    return [Attempt(one, "ingest", attempt(one, "ingest").message, 60.0, batch=number) for one in numbers]


def executor_for(runs: Runs, body: Body, *, threads: int = 2) -> Executor:
    async def on_loop(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        return body(attempts)

    call: Any = on_loop if runs == "loop" else body
    registry = Registry([Handler("ingest", runs, call, limit_s=60.0)])
    return LoopExecutor(registry) if runs == "loop" else ThreadExecutor(registry, threads)


@pytest.mark.parametrize("runs", PLACES)
def test_a_batch_is_one_call_with_its_attempts_in_order_and_an_outcome_for_each(runs: Runs) -> None:
    calls: list[list[int]] = []

    def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        calls.append([one.number for one in attempts])
        return [Rejected("no") if one.number == 2 else SUCCEEDED for one in attempts]

    with opened(one := executor_for(runs, ingest)) as collected:
        one.start(batch_of(7, 3, 2, 1))

        assert collected.outcomes(3) == {3: SUCCEEDED, 2: Rejected("no"), 1: SUCCEEDED}
    assert calls == [[3, 2, 1]]


@pytest.mark.parametrize("runs", PLACES)
def test_two_batches_of_one_hand_over_are_two_calls(runs: Runs) -> None:
    calls: list[set[int]] = []

    def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        calls.append({one.number for one in attempts})
        return [SUCCEEDED] * len(attempts)

    first, second = batch_of(7, 1, 2), batch_of(8, 3)
    with opened(one := executor_for(runs, ingest, threads=1)) as collected:
        one.start([first[0], second[0], first[1]])

        collected.outcomes(3)
    assert calls == [{1, 2}, {3}]


@pytest.mark.parametrize("runs", PLACES)
def test_what_a_batch_raises_is_the_end_of_each_item_without_an_end_of_its_own(runs: Runs) -> None:
    def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        raise Partly([None, Rejected("own"), None], ValueError("the rest"))

    with opened(one := executor_for(runs, ingest)) as collected:
        one.start(batch_of(7, 1, 2, 3))

        outcomes = collected.outcomes(3)
    assert outcomes[2] == Rejected("own")
    assert all(isinstance(end := outcomes[number], Failed) and end.error == "ValueError" for number in (1, 3))


def test_an_interrupt_of_any_attempt_cancels_the_whole_batch() -> None:
    async def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise Partly([Rejected("own"), None, None], error) from None
        return []

    call: Any = ingest
    started = threading.Event()
    with opened(one := LoopExecutor(Registry([Handler("ingest", "loop", call, limit_s=60.0)]))) as collected:
        one.start(batch_of(7, 1, 2, 3))
        must(started)
        one.interrupt(2, because_of_limit=True)

        assert collected.outcomes(3) == {1: Rejected("own"), 2: TimedOut(60.0), 3: TimedOut(60.0)}


def test_a_round_of_interrupts_cancels_a_batch_once_and_another_round_once_more() -> None:
    """Its members are interrupted one by one; were each a cancellation, no clean-up would come to its end."""

    async def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        for waiting in (first, second):
            waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(1)
        return [SUCCEEDED] * len(attempts)

    call: Any = ingest
    first, second, cancelled = threading.Event(), threading.Event(), list[int]()
    loop = LoopThread()
    one = LoopExecutor(Registry([Handler("ingest", "loop", call, limit_s=60.0)]), thread=loop)
    with opened(one) as collected:
        one.start(batch_of(7, 1, 2, 3))
        must(first)
        for number in (1, 2, 3):
            one.interrupt(number, because_of_limit=True)
        must(second)
        loop.run(asyncio.sleep(0), Context())  # All interrupts of the first round have been heard.
        assert cancelled == [1]
        for number in (1, 2, 3):
            one.interrupt(number, because_of_limit=False)

        assert collected.outcomes(3) == {1: SUCCEEDED, 2: SUCCEEDED, 3: SUCCEEDED}
    assert cancelled == [1, 1]
    assert loop.close(wait_s=PATIENCE_S)


def test_an_interrupt_of_any_attempt_asks_a_batch_on_a_thread_to_stop() -> None:
    def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        risen = threading.Event()
        attempts[0].signals.listeners.append(risen.set)
        started.set()
        must(risen)
        seen.extend(one.signals.stopping for one in attempts)
        return [SUCCEEDED] * len(attempts)

    seen: list[bool] = []
    started = threading.Event()
    with opened(one := executor_for("thread", ingest)) as collected:
        one.start(batch_of(7, 1, 2))
        must(started)
        one.interrupt(2, because_of_limit=False)
        collected.outcomes(2)

        assert seen == [True, True] or seen == [True, False]  # The first wakes the code before the second is told.


def test_a_batch_that_no_thread_has_taken_ends_whole_when_one_of_it_is_interrupted() -> None:
    def ingest(attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        started.set()
        must(go_on)
        return [SUCCEEDED] * len(attempts)

    started, go_on = threading.Event(), threading.Event()
    with opened(one := executor_for("thread", ingest, threads=1)) as collected:
        one.start(batch_of(7, 1))
        must(started)
        one.start(batch_of(8, 2, 3))
        one.interrupt(3, because_of_limit=False)

        assert collected.outcomes(2) == {2: Interrupted(), 3: Interrupted()}
        go_on.set()
        collected.outcomes(3)


def test_a_thread_waits_for_steps_on_the_loop_that_share_one_context() -> None:
    async def sets() -> str:
        word.set("kept")
        return threading.current_thread().name

    async def reads() -> str:
        return word.get()

    word: ContextVar[str] = ContextVar("word", default="lost")
    loop, context = LoopThread(), Context()
    try:
        assert loop.run(sets(), context) == "forebay-handlers"
        assert loop.run(reads(), context) == "kept"
        assert loop.run(reads(), Context()) == "lost"
    finally:
        assert loop.close(wait_s=PATIENCE_S)


def test_a_thread_that_waits_for_a_step_is_let_go_when_the_loop_closes() -> None:
    async def never() -> None:
        started.set()
        await asyncio.Event().wait()

    def waits() -> None:
        try:
            loop.run(never(), Context())
        except BaseException as error:  # noqa: BLE001 - a cancellation is no Exception
            raised.append(error)

    started, raised = threading.Event(), list[BaseException]()
    loop = LoopThread()
    thread = threading.Thread(target=waits)
    thread.start()
    must(started)
    assert loop.close(wait_s=PATIENCE_S)
    thread.join(PATIENCE_S)

    assert [type(error) for error in raised] == [asyncio.CancelledError]


def test_an_executor_on_a_loop_of_somebody_else_ends_its_attempts_and_leaves_the_loop_alone() -> None:
    async def waits(_: Sequence[Attempt]) -> Sequence[Outcome]:
        started.set()
        await asyncio.Event().wait()
        return []

    async def says() -> str:
        return "still here"

    call: Any = waits
    started = threading.Event()
    loop = LoopThread()
    one = LoopExecutor(Registry([Handler("ingest", "loop", call, limit_s=60.0)]), thread=loop)
    with opened(one) as collected:
        one.start(batch_of(7, 1, 2))
        must(started)
        assert one.close(wait_s=PATIENCE_S)

        assert collected.outcomes(2) == {1: Interrupted(), 2: Interrupted()}
    assert loop.run(says(), Context()) == "still here"
    assert loop.close(wait_s=PATIENCE_S)
