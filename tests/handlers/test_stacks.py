"""Where running code stands, told as places in the code: what an operator sees of a job that does not end."""

from __future__ import annotations

import asyncio
import threading

from tests.handlers.collecting import Make, attempt, must, opened, registry_of

from forebay.handlers.on_thread import ThreadExecutor
from forebay.model import Attempt


async def wait_deep_inside(reached: threading.Event, go_on: asyncio.Event) -> None:
    reached.set()
    await go_on.wait()


def block_deep_inside(reached: threading.Event, go_on: threading.Event) -> None:
    reached.set()
    must(go_on)


def functions(stack: tuple[str, ...]) -> list[str]:
    """The functions of a stack, outermost first."""
    return [place.rsplit(" ", 1)[1].rsplit(".", 1)[-1] for place in stack]


def test_a_coroutine_that_waits_tells_where_from_its_handler_down(executor_of: Make) -> None:
    async def waits(_: Attempt) -> None:
        await wait_deep_inside(reached, go_on)

    reached, go_on = threading.Event(), asyncio.Event()
    with opened(one := executor_of(waits=waits)) as collected:
        one.start([attempt(1, "waits")])
        must(reached)

        stack = one.stack_of(1)
        while "wait" not in functions(stack):  # It has set the event, and is about to wait.
            stack = one.stack_of(1)
        one.interrupt(1, because_of_limit=False)
        collected.outcomes(1)

    assert functions(stack)[:2] == ["waits", "wait_deep_inside"]
    assert all("test_stacks.py:" in place for place in stack[:2])


def test_a_coroutine_that_blocks_the_loop_tells_where_too(executor_of: Make) -> None:
    async def blocks(_: Attempt) -> None:
        await asyncio.sleep(0)
        block_deep_inside(reached, go_on)

    reached, go_on = threading.Event(), threading.Event()
    with opened(one := executor_of(blocks=blocks)) as collected:
        one.start([attempt(1, "blocks")])
        must(reached)

        stack = one.stack_of(1)
        go_on.set()
        collected.outcomes(1)

    assert functions(stack)[:2] == ["blocks", "block_deep_inside"]


def test_a_coroutine_that_blocks_in_its_first_step_tells_where_too(executor_of: Make) -> None:
    async def blocks(_: Attempt) -> None:
        block_deep_inside(reached, go_on)

    reached, go_on = threading.Event(), threading.Event()
    with opened(one := executor_of(blocks=blocks)) as collected:
        one.start([attempt(1, "blocks")])
        must(reached)

        stack = one.stack_of(1)
        go_on.set()
        collected.outcomes(1)

    assert functions(stack)[:2] == ["blocks", "block_deep_inside"]


def test_each_thread_tells_its_own_stack() -> None:
    def first(_: Attempt) -> None:
        block_deep_inside(reached[1], go_on)

    def second(_: Attempt) -> None:
        block_deep_inside(reached[2], go_on)

    reached = {1: threading.Event(), 2: threading.Event()}
    go_on = threading.Event()
    with opened(one := ThreadExecutor(registry_of("thread", first=first, second=second), 2)) as collected:
        one.start([attempt(1, "first"), attempt(2, "second")])
        must(reached[1])
        must(reached[2])

        stacks = [functions(one.stack_of(number)) for number in (1, 2)]
        go_on.set()
        collected.outcomes(2)

    assert [stack[:2] for stack in stacks] == [["first", "block_deep_inside"], ["second", "block_deep_inside"]]


def test_what_has_ended_or_never_began_has_no_stack(executor_of: Make) -> None:
    async def ends(_: Attempt) -> None: ...

    def returns(_: Attempt) -> None: ...

    for executor, job in (
        (executor_of(ends=ends), "ends"),
        (ThreadExecutor(registry_of("thread", returns=returns), 1), "returns"),
    ):
        with opened(executor) as collected:
            executor.start([attempt(1, job)])
            collected.outcomes(1)

            assert executor.stack_of(1) == executor.stack_of(7) == ()
