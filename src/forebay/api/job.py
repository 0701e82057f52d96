"""A declared job: what a worker calls, and what a producer enqueues with exactly its parameters.

Rules kept here and nowhere else:

1. The function stays callable as it was written: `thumbnail(…)` runs it, here and now.
2. Type checkers see the job's own parameters in `enqueue`, `aenqueue` and `call`, without the Context.
3. `async def` runs on the handlers' event loop, `def` on a thread. What is neither is refused where it is declared.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from forebay.api.context import Context
from forebay.api.decode import Decode, default_decoder, job_decoder
from forebay.api.durations import Duration
from forebay.api.job_options import JobOptions
from forebay.api.queue import Call, Delivery, Queue, aenqueue_one, call_of, check_name, enqueue_one
from forebay.api.signature import Signature
from forebay.errors import JobError
from forebay.handlers.registry import Handler, Runs
from forebay.model import Attempt

if TYPE_CHECKING:
    from forebay.api.arguments import Arguments

Arg = ParamSpec("Arg")
"""The job's parameters, without the Context."""
Whole = ParamSpec("Whole")
"""The function's parameters as written."""
Ret = TypeVar("Ret", covariant=True)


class Declared:
    """What a worker knows of one handler: a function, how it is called and its limits."""

    def __init__(self, function: Callable[..., object], options: JobOptions) -> None:
        self.name = check_name(options.name)
        for alias in options.aliases:
            check_name(alias)
        self.function = function
        self.options = options
        self.runs: Runs = "loop" if inspect.iscoroutinefunction(function) else "thread"
        self.signature = Signature(self.name, function)
        self._arguments: Arguments | None = None

    def written(self, arguments: Mapping[str, object]) -> str:
        """Return the body that carries these arguments. Raises `JobError` when they do not fit."""
        if not arguments:
            return "{}"
        if self._arguments is None:
            from forebay.api.arguments import Arguments

            self._arguments = Arguments(self.signature)
        return self._arguments.write(arguments)

    def handler(self, *, is_default: bool = False) -> Handler:
        """Return the handler for a registry. Reads the annotations. Raises `JobError` when they make no sense."""
        decode = default_decoder(self.signature) if is_default else job_decoder(self.signature)
        options = self.options
        return Handler(
            self.name,
            self.runs,
            _calling(self, decode),
            options.limit_s,
            options.attempts_max,
            aliases=options.aliases,
            slots_max=options.slots_max,
            backoff_first_s=options.backoff_first_s,
            backoff_ceiling_s=options.backoff_ceiling_s,
            retry=options.retry,
            memory_bytes=options.memory_bytes,
            recycle_after=options.recycle_after,
        )


class Job(Generic[Arg, Whole, Ret]):
    """A job, declared with `@worker.job`."""

    def __init__(self, declared: Declared, queue: Callable[[], Queue]) -> None:
        self.declared = declared
        self._queue = queue
        self._plain: Prepared[Arg] = Prepared(declared, queue, Delivery())
        functools.update_wrapper(self, declared.function)

    def __repr__(self) -> str:
        return f"<job {self.name!r}>"

    @property
    def name(self) -> str:
        """The name that travels with each message."""
        return self.declared.name

    def __call__(self, *args: Whole.args, **kwargs: Whole.kwargs) -> Ret:
        """Call the function itself. Nothing is sent."""
        return self.declared.function(*args, **kwargs)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def enqueue(self, *args: Arg.args, **kwargs: Arg.kwargs) -> str:
        """Send the job and return its message id. Blocks until SQS has taken it; in a coroutine use `aenqueue`.

        Raises `JobError` for arguments that do not fit and `QueueError` when SQS does not take it.
        """
        return self._plain.enqueue(*args, **kwargs)

    async def aenqueue(self, *args: Arg.args, **kwargs: Arg.kwargs) -> str:
        """Send the job from a coroutine and return its message id."""
        return await self._plain.aenqueue(*args, **kwargs)

    def call(self, *args: Arg.args, **kwargs: Arg.kwargs) -> Call:
        """Return the job with these arguments, to be sent by `enqueue_many`."""
        return self._plain.call(*args, **kwargs)

    def options(
        self, *, delay: Duration | None = None, group: str | None = None, dedupe: str | None = None
    ) -> Prepared[Arg]:
        """Return the job with wishes for its delivery.

        `delay` hides it for up to 15 minutes. `group` is the message group: order in a FIFO queue, fairness in a
        standard one. `dedupe` is the deduplication id of a FIFO queue: a second one within 5 minutes is dropped.
        """
        return Prepared(self.declared, self._queue, Delivery.of(delay=delay, group=group, dedupe=dedupe))


class Prepared(Generic[Arg]):
    """A job with wishes for its delivery, ready to be sent."""

    def __init__(self, declared: Declared, queue: Callable[[], Queue], delivery: Delivery) -> None:
        self._declared = declared
        self._queue = queue
        self._delivery = delivery

    def enqueue(self, *args: Arg.args, **kwargs: Arg.kwargs) -> str:
        """Send the job and return its message id."""
        return enqueue_one(self.call(*args, **kwargs))

    async def aenqueue(self, *args: Arg.args, **kwargs: Arg.kwargs) -> str:
        """Send the job from a coroutine and return its message id."""
        return await aenqueue_one(self.call(*args, **kwargs))

    def call(self, *args: Arg.args, **kwargs: Arg.kwargs) -> Call:
        """Return the job with these arguments, to be sent by `enqueue_many`."""
        arguments = self._declared.signature.bind(args, kwargs)
        body = self._declared.written(arguments)
        return call_of(self._declared.name, self._queue(), body, self._delivery)


def _calling(declared: Declared, decode: Decode) -> Callable[[Attempt], Any]:
    """Return what an executor calls: it reads the message, then calls the function."""
    function: Callable[..., Any] = declared.function
    if not declared.signature.wants_context:

        def call(attempt: Attempt) -> Any:
            return function(**decode(attempt.message))
    else:

        def call(attempt: Attempt) -> Any:
            return function(Context(attempt), **decode(attempt.message))

    if declared.runs == "loop":
        return call

    def call_on_thread(attempt: Attempt) -> None:
        result = call(attempt)
        if isinstance(result, CoroutineType):
            result.close()
            raise JobError(
                f"job {declared.name!r} is a `def` that returned a coroutine, which nobody awaits: "
                "make it (or the decorator around it) `async def`"
            )

    return call_on_thread
