"""What can be declared on a worker beside its jobs: start and stop hooks, middleware, and stand-ins for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from forebay.api.context import Context
from forebay.api.lifespan import Lifespan
from forebay.api.middleware import Sending
from forebay.api.surroundings import Surroundings

_Hook = TypeVar("_Hook", bound=Callable[..., Any])
_AroundAttempt = TypeVar("_AroundAttempt", bound=Callable[[Context], Iterator[None] | AsyncIterator[None]])
_AroundEnqueue = TypeVar("_AroundEnqueue", bound=Callable[[Sending], Iterator[None] | AsyncIterator[None]])


class Hooks:
    """The part of a `Worker` that jobs are surrounded with."""

    def __init__(self) -> None:
        self._surroundings = Surroundings()

    @property
    def lifespan(self) -> Lifespan:
        """The start and stop hooks, for whoever runs this worker's handlers in this process."""
        return self._surroundings.lifespan

    def on_start(self, function: _Hook, /) -> _Hook:
        """Declare what each process that runs handlers does before its first attempt.

        What it returns, or yields, is shared under its type: `ctx.shared(Db)`, `Depends(function)`. After a `yield` it
        cleans up when the worker stops. Its parameters are what earlier hooks have made.
        """
        self.lifespan.declare_start(function)
        return function

    def on_stop(self, function: _Hook, /) -> _Hook:
        """Declare what each process that runs handlers does after its last attempt, in reverse order."""
        self.lifespan.declare_stop(function)
        return function

    def around_attempt(self, function: _AroundAttempt, /) -> _AroundAttempt:
        """Declare a middleware: a function of the Context with one `yield`, where the attempt runs.

        What the attempt raises is raised at the `yield`. It can be turned into another exception, such as `RetryLater`,
        but not made to vanish. The first that is declared is the outermost.
        """
        self._surroundings.declare(self._surroundings.attempts, function, "around_attempt")
        return function

    def around_enqueue(self, function: _AroundEnqueue, /) -> _AroundEnqueue:
        """Declare a middleware around the sending of each message: a function of `Sending` with one `yield`.

        Before it the message's attributes, delay and group may be changed; after it its id is known, and a refusal is
        raised at the `yield`. The first that is declared is the outermost.
        """
        self._surroundings.declare(self._surroundings.sendings, function, "around_enqueue")
        return function

    @contextmanager
    def override(self, function: Callable[..., Any], stand_in: Callable[..., Any], /) -> Generator[None]:
        """Let `stand_in` be called in place of a dependency, or of a start hook, within a `with` block. For tests."""
        overrides = self._surroundings.overrides
        before = overrides.get(function)
        overrides[function] = stand_in
        try:
            yield
        finally:
            if before is None:
                del overrides[function]
            else:
                overrides[function] = before
