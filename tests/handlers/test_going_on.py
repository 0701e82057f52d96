"""A job that goes on elsewhere: `ctx.checkpoint` ends its attempt in either executor, whatever stands around it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from tests.handlers.collecting import Collected, Make, attempt, must, opened, registry_of

from forebay import Context, Reject, RetryLater
from forebay.handlers.failure import GoingOn, outcome_of
from forebay.handlers.on_thread import ThreadExecutor
from forebay.model import CONTINUED, SUCCEEDED, Attempt, Failed, Interrupted, Outcome, Postponed, Rejected, TimedOut


def checkpoint_of(collected: Collected, number: int = 1) -> str | None:
    (found,) = [one.checkpoint for batch in collected.batches for one in batch if one.number == number]
    return found


def told_to_hand_on(number: int = 1) -> Attempt:
    one = attempt(number, "job")
    one.signals.hand_on = True
    return one


def test_a_coroutine_ends_at_its_checkpoint_and_the_state_is_told(executor_of: Make) -> None:
    cleaned: list[str] = []

    async def job(one: Attempt) -> None:
        try:
            await asyncio.sleep(0)
            Context(one).checkpoint({"page": 3})
        except Exception:  # noqa: BLE001 - what users write around a step
            cleaned.append("swallowed")
        finally:
            cleaned.append("finally")

    with opened(executor := executor_of(job=job)) as collected:
        executor.start([told_to_hand_on()])

        assert collected.outcomes(1) == {1: CONTINUED}
    assert checkpoint_of(collected) == '{"page":3}'
    assert cleaned == ["finally"]


def test_a_checkpoint_in_a_task_group_or_in_a_thread_of_the_handler_is_an_answer_too(executor_of: Make) -> None:
    async def group(one: Attempt) -> None:
        async def child() -> None:
            await asyncio.sleep(0)
            Context(one).checkpoint(1)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
            tasks.create_task(asyncio.Event().wait())

    async def thread(one: Attempt) -> None:
        await asyncio.to_thread(Context(one).checkpoint, 2)

    with opened(executor := executor_of(group=group, thread=thread)) as collected:
        for number, job in ((1, "group"), (2, "thread")):
            one = attempt(number, job)
            one.signals.hand_on = True
            executor.start([one])

        assert collected.outcomes(2) == {1: CONTINUED, 2: CONTINUED}
    assert (checkpoint_of(collected, 1), checkpoint_of(collected, 2)) == ("1", "2")


def test_a_cancelled_coroutine_may_checkpoint_on_its_way_out(executor_of: Make) -> None:
    async def job(one: Attempt) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            Context(one).checkpoint("saved")
            raise

    started = threading.Event()
    one = attempt(1, "job")
    with opened(executor := executor_of(job=job)) as collected:
        executor.start([one])
        must(started)
        one.signals.stopping = True
        executor.interrupt(1, because_of_limit=False)

        assert collected.outcomes(1) == {1: CONTINUED}
    assert checkpoint_of(collected) == '"saved"'


@pytest.mark.parametrize(("because_of_limit", "expected"), [(True, TimedOut(60.0)), (False, Interrupted())])
def test_the_last_checkpoint_comes_with_an_interrupted_coroutine(
    executor_of: Make, because_of_limit: bool, expected: Outcome
) -> None:
    async def job(one: Attempt) -> None:
        Context(one).checkpoint(1)
        Context(one).checkpoint(2)
        started.set()
        await asyncio.Event().wait()

    started = threading.Event()
    with opened(executor := executor_of(job=job)) as collected:
        executor.start([attempt(1, "job")])
        must(started)
        executor.interrupt(1, because_of_limit=because_of_limit)

        assert collected.outcomes(1) == {1: expected}
    assert checkpoint_of(collected) == "2"


def test_a_thread_ends_at_the_checkpoint_after_the_interrupt() -> None:
    def job(one: Attempt) -> None:
        page = 0
        while True:
            started.set()
            Context(one).checkpoint(page)
            page += 1

    started = threading.Event()
    with opened(executor := ThreadExecutor(registry_of("thread", job=job), 1)) as collected:
        executor.start([attempt(1, "job")])
        must(started)
        executor.interrupt(1, because_of_limit=False)

        assert collected.outcomes(1) == {1: CONTINUED}
    assert checkpoint_of(collected) is not None


def test_the_state_of_a_failed_attempt_is_told_as_well() -> None:
    def job(one: Attempt) -> None:
        Context(one).checkpoint(5)
        raise ValueError("after five")

    def quiet(_: Attempt) -> None: ...

    with opened(executor := ThreadExecutor(registry_of("thread", job=job, quiet=quiet), 2)) as collected:
        executor.start([attempt(1, "job"), attempt(2, "quiet")])
        outcomes = collected.outcomes(2)

    assert isinstance(outcomes[1], Failed)
    assert outcomes[2] == SUCCEEDED
    assert (checkpoint_of(collected, 1), checkpoint_of(collected, 2)) == ("5", None)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], CONTINUED),
        ([RetryLater(5)], CONTINUED),
        ([Reject("never")], Rejected("never")),
        ([BaseExceptionGroup("inner", [GoingOn()])], CONTINUED),
    ],
)
def test_going_on_in_a_group_of_answers_is_stronger_than_later_and_weaker_than_never(
    others: list[BaseException], expected: Outcome
) -> None:
    assert outcome_of(BaseExceptionGroup("of a TaskGroup", [GoingOn(), *others])) == expected


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_going_on_beside_a_failure_has_failed(failure: Callable[[], BaseException]) -> None:
    assert isinstance(outcome_of(BaseExceptionGroup("of a TaskGroup", [GoingOn(), failure()])), Failed)


def test_a_group_of_answers_out_of_a_cancelled_coroutine_is_believed(executor_of: Make) -> None:
    async def job(_: Attempt) -> None:
        async def child() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise RetryLater(10) from None

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
            await asyncio.sleep(0)
            started.set()

    started = threading.Event()
    with opened(executor := executor_of(job=job)) as collected:
        executor.start([attempt(1, "job")])
        must(started)
        executor.interrupt(1, because_of_limit=False)

        assert collected.outcomes(1) == {1: Postponed(10.0)}
