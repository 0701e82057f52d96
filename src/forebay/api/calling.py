"""What an executor calls for one attempt: everything between a message and the user's function.

Rules kept here and nowhere else:

1. This is the one place where a call is put together, from the inside out: the function, around it the dependencies,
   around them the reading of the message, around that the worker's middleware.
2. All of it runs where the handler runs, in a child process too; none of it on the control loop.
3. A `def` that returns a coroutine is an error of the job, told so: nobody would await it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from forebay.api.context import Context
from forebay.api.decode import Decode
from forebay.api.signature import Signature
from forebay.api.surroundings import Surroundings
from forebay.errors import Misuse
from forebay.model import Attempt


def calling(
    signature: Signature, function: Callable[..., Any], decode: Decode, surroundings: Surroundings
) -> Callable[[Attempt], Any]:
    """Return what an executor calls: it reads the message, then calls the function."""
    shared = surroundings.lifespan.shared
    around = surroundings.around(signature.name, signature.dependencies)
    is_coroutine = inspect.iscoroutinefunction(function)
    if around is not None:
        whole = function if is_coroutine else checked(signature.name, function)
        enter = around.on_loop if is_coroutine else around.on_thread
        wants_context = signature.wants_context

        def call_surrounded(attempt: Attempt) -> Any:
            ctx = Context(attempt, shared)
            first = (ctx,) if wants_context else ()
            return enter(ctx, lambda: decode(attempt.message), lambda arguments: whole(*first, **arguments))

        return call_surrounded

    if signature.wants_context:

        def call(attempt: Attempt) -> Any:
            return function(Context(attempt, shared), **decode(attempt.message))
    else:

        def call(attempt: Attempt) -> Any:
            return function(**decode(attempt.message))

    if is_coroutine:
        return call

    def call_on_thread(attempt: Attempt) -> None:
        _check(signature.name, call(attempt))

    return call_on_thread


def checked(job: str, function: Callable[..., Any]) -> Callable[..., None]:
    """Return a plain function whose result is looked at: a coroutine has been forgotten by its author."""

    def call(*args: Any, **kwargs: Any) -> None:
        _check(job, function(*args, **kwargs))

    return call


def _check(job: str, result: object) -> None:
    if isinstance(result, CoroutineType):
        result.close()
        raise Misuse(
            f"job {job!r} is a `def` that returned a coroutine, which nobody awaits: "
            "make it (or the decorator around it) `async def`"
        )
