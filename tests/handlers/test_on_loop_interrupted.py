"""The executor of coroutines: an interrupt asks, and what the handler does then is believed."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest
from tests.handlers.collecting import PATIENCE_S, Collected, Make, attempt, forever, must, noop, opened

from forebay import Reject, RetryLater
from forebay.model import SUCCEEDED, Attempt, Failed, Interrupted, Postponed, TimedOut


@pytest.mark.parametrize(("because_of_limit", "expected"), [(True, TimedOut(60.0)), (False, Interrupted())])
def test_an_interrupt_cancels_and_says_why(executor_of: Make, because_of_limit: bool, expected: object) -> None:
    with opened(one := executor_of(forever=forever)) as collected:
        one.start([attempt(1, "forever")])
        one.interrupt(1, because_of_limit=because_of_limit)

        assert collected.outcomes(1) == {1: expected}


def test_an_attempt_interrupted_before_its_first_step_never_runs(executor_of: Make) -> None:
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


def test_a_handler_that_swallows_the_cancellation_and_returns_has_succeeded(executor_of: Make) -> None:
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


def test_a_handler_that_answers_a_cancellation_is_believed(executor_of: Make) -> None:
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


def test_an_error_that_came_from_the_cancellation_is_not_the_jobs_fault(executor_of: Make) -> None:
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


def test_an_error_of_its_own_after_an_interrupt_is_a_failure(executor_of: Make) -> None:
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


def test_a_cancellation_that_nobody_asked_for_is_a_failure(executor_of: Make) -> None:
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


def test_a_handler_that_cancels_all_others_loses_none_of_them(executor_of: Make) -> None:
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


def test_a_storm_of_everything_yields_each_outcome_once(executor_of: Make) -> None:
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


def test_close_interrupts_what_is_left_and_says_whether_all_has_ended(executor_of: Make) -> None:
    collected = Collected()
    one = executor_of(forever=forever)
    one.open(collected)
    one.start([attempt(1, "forever")])

    has_ended = one.close(wait_s=PATIENCE_S)

    assert has_ended
    assert collected.outcomes(1) == {1: Interrupted()}


def test_what_is_started_after_close_is_interrupted(executor_of: Make) -> None:
    collected = Collected()
    one = executor_of(noop=noop)
    one.open(collected)
    one.close(wait_s=PATIENCE_S)

    one.start([attempt(1, "noop")])
    one.interrupt(1, because_of_limit=False)
    one.notify(attempt(1, "noop"))

    assert collected.outcomes(1) == {1: Interrupted()}
    assert one.blockage(now=5.0) is None
