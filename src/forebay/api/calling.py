"""What an executor calls for one attempt: everything between a message and the user's function.

Rules kept here and nowhere else:

1. This is the one place where a call is put together, from the inside out: the function, around it whatever the
   worker wraps attempts in, around that the reading of the message.
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
from forebay.errors import JobError
from forebay.model import Attempt


def calling(signature: Signature, function: Callable[..., Any], decode: Decode) -> Callable[[Attempt], Any]:
    """Return what an executor calls: it reads the message, then calls the function."""
    if not signature.wants_context:

        def call(attempt: Attempt) -> Any:
            return function(**decode(attempt.message))
    else:

        def call(attempt: Attempt) -> Any:
            return function(Context(attempt), **decode(attempt.message))

    if inspect.iscoroutinefunction(function):
        return call

    def call_on_thread(attempt: Attempt) -> None:
        result = call(attempt)
        if isinstance(result, CoroutineType):
            result.close()
            raise JobError(
                f"job {signature.name!r} is a `def` that returned a coroutine, which nobody awaits: "
                "make it (or the decorator around it) `async def`"
            )

    return call_on_thread
