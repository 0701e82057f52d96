"""What a worker puts around the calls of its handlers: shared values, middleware, dependencies.

Rules kept here and nowhere else:

1. Middleware is entered in the order of its declaration, so the first is the outermost, and it sees everything: a body
   that does not fit, what a dependency raises, what the handler raises.
2. The message is read before dependencies are resolved: nothing is opened for a body that is rejected.
3. A handler without any of it is called as if none of it existed. What is around a call is decided when the worker's
   registry is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from forebay.api.callables import kind_of, told
from forebay.api.context import Context
from forebay.api.dependencies import Dependency, Plan
from forebay.api.generators import OnLoop, Opened, Steps, finished, here
from forebay.api.lifespan import Lifespan
from forebay.errors import JobError

_Function = Callable[..., Any]
Middleware = Callable[[Any], Any]
"""A generator function, checked where it is declared."""
Read = Callable[[], dict[str, Any]]
"""Returns the handler's own arguments. Raises `Reject`."""
Invoke = Callable[[dict[str, Any]], Any]
"""Calls the handler with all its arguments by name."""


class Surroundings:
    """All of it, of one worker."""

    def __init__(self) -> None:
        self.overrides: dict[_Function, _Function] = {}
        """Dependencies and start hooks, and what stands in for them in a test."""
        self.lifespan = Lifespan(self.overrides)
        self.attempts: list[Middleware] = []
        self.sendings: list[Middleware] = []
        self.changes = 0
        """Counts the declarations, so that a registry that was made before the last of them is made anew."""

    def declare(self, kept: list[Middleware], function: Middleware, decorator: str) -> None:
        """Keep a middleware. Raises `JobError` when it is not a generator function with one parameter."""
        if kind_of(function) not in ("generator", "async generator"):
            raise JobError(
                f"@worker.{decorator} needs a function with one `yield` in it, where the work is done: "
                f"{told(function)!r} has none"
            )
        if len(inspect.signature(function).parameters) != 1:
            raise JobError(f"@worker.{decorator}: {told(function)!r} must have exactly one parameter")
        kept.append(function)
        self.changes += 1

    def around(self, job: str, wanted: Mapping[str, Dependency]) -> Around | None:
        """Return what is around the calls of a handler with these dependencies; None when it is nothing."""
        plan = self.plan(job, wanted)
        attempts = tuple((function, f"middleware {told(function)!r}") for function in self.attempts)
        return Around(self.lifespan, attempts, plan) if attempts or plan is not None else None

    def plan(self, job: str, wanted: Mapping[str, Dependency]) -> Plan | None:
        """Return how these dependencies are resolved. Raises `JobError` for what never can be."""
        if not wanted:
            return None
        lifespan = self.lifespan
        return Plan(job, wanted, shared=lifespan.shared, is_hook=lifespan.has_start, overrides=self.overrides)


class Around:
    """What is around the calls of one handler."""

    def __init__(self, lifespan: Lifespan, attempts: tuple[tuple[Middleware, str], ...], plan: Plan | None) -> None:
        self._lifespan = lifespan
        self._attempts = attempts
        self._plan = plan

    def on_loop(self, ctx: Context, read: Read, invoke: Invoke) -> Coroutine[Any, Any, Any]:
        """Return the call of a coroutine function, with everything around it."""
        return self._carry(ctx, read, invoke, here)

    def on_thread(self, ctx: Context, read: Read, invoke: Invoke) -> Any:
        """Call a plain function, with everything around it. Blocks while asynchronous parts run on their loop."""

        async def invoke_here(arguments: dict[str, Any]) -> Any:
            return invoke(arguments)

        on_loop = OnLoop(lambda: self._lifespan.loop)
        try:
            return finished(self._carry(ctx, read, invoke_here, on_loop.step))
        finally:
            on_loop.close()

    async def _carry(self, ctx: Context, read: Read, invoke: Invoke, step: Steps) -> Any:
        opened = Opened(step)
        error: BaseException | None = None
        result: Any = None
        try:
            for middleware, name in self._attempts:
                await opened.enter(middleware(ctx), name)
            arguments = read()
            if self._plan is not None:
                arguments.update(await self._plan.resolve(ctx, opened, step))
            result = await invoke(arguments)
        except BaseException as raised:  # noqa: BLE001 - it goes on, when all who are around it have seen it
            error = raised
        error = await opened.leave(error)
        if error is not None:
            try:
                raise error
            finally:
                del error  # Its traceback has this frame, which would keep it alive.
        return result
