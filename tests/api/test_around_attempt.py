"""Middleware around an attempt: what it sees, in which order, and what it can and cannot change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
from tests.api.calling import outcome, worker_with_outbox

from forebay import Context, JobError, Reject, RetryLater, Worker
from forebay.handlers.loop_thread import LoopThread
from forebay.model import SUCCEEDED, Failed, Outcome, Postponed, Rejected


def worker_of_both(log: list[str]) -> Worker:
    """A worker with a plain middleware around an asynchronous one, and a job of each kind."""
    worker, _ = worker_with_outbox()

    @worker.around_attempt
    def outer(ctx: Context) -> Iterator[None]:
        log.append(f"outer before {ctx.job}")
        try:
            yield
        except BaseException as error:
            log.append(f"outer saw {type(error).__name__}")
            raise
        log.append("outer after")

    @worker.around_attempt
    async def inner(ctx: Context) -> AsyncIterator[None]:
        log.append(f"inner before {ctx.message.message_id}")
        await asyncio.sleep(0)
        yield
        log.append("inner after")

    @worker.job
    def plain(order: int) -> None:
        log.append(f"plain {order}")

    @worker.job
    async def asynchronous(order: int) -> None:
        log.append(f"asynchronous {order}")

    return worker


def run(worker: Worker, body: str, job: str) -> Outcome:
    """Run one attempt with the worker's lifespan around it."""
    loop = LoopThread()
    worker.lifespan.start(loop)
    try:
        return outcome(worker, body, job=job)
    finally:
        assert worker.lifespan.stop() == []
        assert loop.close(wait_s=30.0)


@pytest.mark.parametrize("job", ["plain", "asynchronous"])
def test_the_first_that_is_declared_is_the_outermost_around_handlers_of_either_kind(job: str) -> None:
    log: list[str] = []

    assert run(worker_of_both(log), '{"order": 7}', job) == SUCCEEDED

    assert log == [f"outer before {job}", "inner before message-1", f"{job} 7", "inner after", "outer after"]


@pytest.mark.parametrize("job", ["plain", "asynchronous"])
def test_a_body_that_does_not_fit_is_seen_as_a_rejection(job: str) -> None:
    log: list[str] = []

    assert isinstance(run(worker_of_both(log), "{}", job), Rejected)

    assert log == [f"outer before {job}", "inner before message-1", "outer saw Reject"]


@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_a_middleware_turns_an_exception_into_an_answer(is_asynchronous: bool) -> None:
    worker, _ = worker_with_outbox()

    if is_asynchronous:

        @worker.around_attempt
        async def patient_too(ctx: Context) -> AsyncIterator[None]:
            try:
                yield
            except ConnectionError:
                raise RetryLater("1m") from None
    else:

        @worker.around_attempt
        def patient(ctx: Context) -> Iterator[None]:
            try:
                yield
            except ConnectionError:
                raise RetryLater("1m") from None

    @worker.job
    async def work() -> None:
        raise ConnectionError

    assert run(worker, "{}", "work") == Postponed(60.0)


@pytest.mark.parametrize("job", ["plain", "asynchronous"])
def test_a_middleware_that_forgets_to_raise_again_does_not_make_a_failure_a_success(job: str) -> None:
    """A job that failed would be deleted: the one thing that must never happen by mistake."""
    worker, _ = worker_with_outbox()

    @worker.around_attempt
    def forgets(ctx: Context) -> Iterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 - the mistake that this is about
            return

    @worker.around_attempt
    async def forgets_too(ctx: Context) -> AsyncIterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 - the mistake that this is about
            return

    @worker.job
    def plain() -> None:
        raise ValueError

    @worker.job
    async def asynchronous() -> None:
        raise ValueError

    ended = run(worker, "{}", job)

    assert isinstance(ended, Failed)
    assert ended.error == "ValueError"


def test_a_failure_is_told_from_where_it_was_raised_without_the_middleware_it_passed() -> None:
    worker, _ = worker_with_outbox()

    @worker.around_attempt
    def passes(ctx: Context) -> Iterator[None]:
        try:
            yield
        finally:
            pass

    @worker.job
    def work() -> None:
        raise ValueError

    ended = run(worker, "{}", "work")

    assert isinstance(ended, Failed)
    assert ended.frames[-1].endswith("<locals>.work")
    assert not any(frame.endswith("passes") for frame in ended.frames)


def test_what_a_middleware_raises_before_the_yield_is_the_end_and_the_handler_does_not_run() -> None:
    worker, _ = worker_with_outbox()
    ran: list[int] = []

    @worker.around_attempt
    def refuses(ctx: Context) -> Iterator[None]:
        if ctx.attempt:
            raise Reject("not here")
        yield

    @worker.job
    def work() -> None:
        ran.append(1)

    assert run(worker, "{}", "work") == Rejected("not here")
    assert ran == []


@pytest.mark.parametrize("yields", [0, 2])
@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_a_middleware_that_does_not_yield_exactly_once_is_told_by_name(yields: int, is_asynchronous: bool) -> None:
    worker, _ = worker_with_outbox()
    raised: list[BaseException] = []

    @worker.around_attempt
    def keeps(ctx: Context) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            raised.append(error)
            raise

    if is_asynchronous:

        @worker.around_attempt
        async def odd_too(ctx: Context) -> AsyncIterator[None]:
            for _ in range(yields):
                yield
    else:

        @worker.around_attempt
        def odd(ctx: Context) -> Iterator[None]:
            for _ in range(yields):
                yield

    @worker.job
    def work() -> None: ...

    ended = run(worker, "{}", "work")

    assert isinstance(ended, Failed)
    assert isinstance(raised[0], JobError)
    assert ended.error == f"JobError: {raised[0]}"
    assert "middleware 'odd" in ended.error
    assert "exactly one" in ended.error


def test_what_is_no_generator_function_of_one_parameter_is_refused_where_it_is_declared() -> None:
    worker, _ = worker_with_outbox()

    def returns(ctx: Context) -> Iterator[None]:
        return iter(())

    def takes_two(ctx: Context, more: int) -> Iterator[None]:
        yield

    with pytest.raises(JobError, match="'returns' has none"):
        worker.around_attempt(returns)
    with pytest.raises(JobError, match="'takes_two' must have exactly one parameter"):
        worker.around_attempt(takes_two)  # type: ignore[type-var]


def test_middleware_declared_after_the_registry_was_made_counts_for_the_next_one() -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.job
    def work() -> None: ...

    before = worker.registry

    @worker.around_attempt
    def late(ctx: Context) -> Iterator[None]:
        log.append("late")
        yield

    assert worker.registry is not before
    assert run(worker, "{}", "work") == SUCCEEDED
    assert log == ["late"]


def test_asynchronous_middleware_of_a_plain_handler_says_what_it_lacks_when_no_worker_has_started() -> None:
    log: list[str] = []

    ended = outcome(worker_of_both(log), '{"order": 7}', job="plain")

    assert isinstance(ended, Failed)
    assert "the worker has not been started" in ended.message


@pytest.mark.parametrize("job", ["plain", "asynchronous"])
def test_a_middleware_may_hold_a_task_group_open_around_an_attempt(job: str) -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.around_attempt
    async def beside(ctx: Context) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks, asyncio.timeout(60.0):
            tasks.start_soon(anyio.sleep_forever)
            yield
            tasks.cancel_scope.cancel()
        log.append("left")

    @worker.job
    def plain() -> None: ...

    @worker.job
    async def asynchronous() -> None: ...

    assert run(worker, "{}", job) == SUCCEEDED
    assert log == ["left"]
