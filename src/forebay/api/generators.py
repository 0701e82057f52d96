"""Generators of the user's, taken up to their `yield` before something and to their end after it.

Rules kept here and nowhere else:

1. A generator yields once. One that never does, or twice, is an error that names it.
2. What was raised is thrown in at the `yield`. A generator may raise something else in its place, but it cannot make an
   error vanish: a forgotten `raise` must not turn a failed job into a deleted message.
3. They are left in reverse order, each of them, whatever the others raise.
4. One body of code serves both worlds: for a plain thread, `step` blocks instead of awaiting, so nothing ever suspends.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, TypeVar, cast

from forebay.errors import Misuse
from forebay.handlers.loop_steps import LoopSteps
from forebay.handlers.loop_thread import LoopThread

_T = TypeVar("_T")

Steps = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
"""Carries out one asynchronous step of the user's code."""
OneStep = Generator[Any, None, Any] | AsyncGenerator[Any, None]


async def here(step: Coroutine[Any, Any, _T]) -> _T:
    """Carry out a step where the caller runs: on an event loop."""
    return await step


class OnLoop:
    """How a plain thread carries out steps: on the handlers' loop, all in one task, waiting for each."""

    __slots__ = ("_find", "_steps")

    def __init__(self, find: Callable[[], LoopThread]) -> None:
        """`find` finds the loop when the first step is to be taken, and may raise."""
        self._find = find
        self._steps: LoopSteps | None = None

    async def step(self, one: Coroutine[Any, Any, _T]) -> _T:
        """Carry out one step. Blocks instead of awaiting."""
        if self._steps is None:
            try:
                self._steps = LoopSteps(self._find(), copy_context())
            except BaseException:
                one.close()
                raise
        return self._steps.run(one)

    def close(self) -> None:
        """Let go of the loop."""
        if self._steps is not None:
            self._steps.close()


def finished(work: Coroutine[Any, Any, _T]) -> _T:
    """Carry out work whose steps never suspend, in this thread, and return its result."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast("_T", end.value)
    finally:
        work.close()
    raise AssertionError("a step for a thread has suspended")


class Opened:
    """The generators that have been entered, in order."""

    __slots__ = ("_entered", "_step")

    def __init__(self, step: Steps) -> None:
        self._step = step
        self._entered: list[tuple[OneStep, str]] = []

    async def enter(self, generator: OneStep, told: str) -> Any:
        """Take `generator` to its `yield` and return what it yields. `told` names it in errors."""
        try:
            if isinstance(generator, AsyncGenerator):
                value = await self._step(_first(generator))
            else:
                value = next(generator)
        except (StopIteration, StopAsyncIteration):
            raise Misuse(f"{told} ended without a `yield`: it needs exactly one, where its work is done") from None
        self._entered.append((generator, told))
        return value

    async def leave(self, error: BaseException | None) -> BaseException | None:
        """Take each to its end, the newest first, and return the error that is left to be raised."""
        while self._entered:
            generator, told = self._entered.pop()
            traceback = None if error is None else error.__traceback__
            try:
                if isinstance(generator, AsyncGenerator):
                    await self._step(_last(generator, error, told))
                else:
                    _end(generator, error, told)
            except BaseException as raised:  # noqa: BLE001 - whatever it is, it is told, and the others are left too
                if error is None or not _is_same(raised, error):
                    error, traceback = raised, raised.__traceback__
            if error is not None:
                # Passing through a generator has added its frames, which say nothing about where it was raised.
                error.__traceback__ = traceback
        return error


async def _first(generator: AsyncGenerator[Any, None]) -> Any:
    return await anext(generator)


async def _last(generator: AsyncGenerator[Any, None], error: BaseException | None, told: str) -> None:
    try:
        if error is None:
            await anext(generator)
        else:
            await generator.athrow(error)
    except StopAsyncIteration:
        return
    await generator.aclose()
    raise _twice(told)


def _end(generator: Generator[Any, None, Any], error: BaseException | None, told: str) -> None:
    try:
        if error is None:
            next(generator)
        else:
            generator.throw(error)
    except StopIteration:
        return
    generator.close()
    raise _twice(told)


def _twice(told: str) -> Misuse:
    return Misuse(f"{told} has come to a second `yield`: it needs exactly one, where its work is done")


def _is_same(raised: BaseException, thrown: BaseException) -> bool:
    """Whether the error that was thrown in has just come out again. Python wraps a `StopIteration` on its way out."""
    return raised is thrown or (
        isinstance(raised, RuntimeError)
        and raised.__cause__ is thrown
        and isinstance(thrown, StopIteration | StopAsyncIteration)
    )
