"""A declared job: what a worker calls, and what a producer enqueues with exactly its parameters.

Rules kept here and nowhere else:

1. The function stays callable as it was written: `thumbnail(…)` runs it, here and now.
2. Type checkers see the job's own parameters in `enqueue`, `aenqueue` and `call`, without the Context.
3. A job is sent to the queue of its own, if it has one (`queue=`), else to the worker's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar, Unpack, overload

from forebay.api.batch import Batch
from forebay.api.context import Context
from forebay.api.declared import Declared
from forebay.api.delivery import Delivery, Wishes
from forebay.api.queue import Call, Queue, aenqueue_one, call_of, enqueue_one

Arg = ParamSpec("Arg")
"""The job's parameters, without the Context."""
Whole = ParamSpec("Whole")
"""The function's parameters as written."""
Ret = TypeVar("Ret", covariant=True)
Item = TypeVar("Item")


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
        """Call the function itself. Nothing is sent. Raises `JobError` when a dependency is not passed."""
        if self.declared.signature.marked:
            self.declared.signature.check_filled(args, kwargs)
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

    def options(self, **wishes: Unpack[Wishes]) -> Prepared[Arg]:
        """Return the job with wishes for its delivery.

        `delay` hides it for up to 15 minutes, `at` until then. `group` is the message group: order in a FIFO queue,
        fairness in a standard one. `dedupe` is the deduplication id of a FIFO queue: a second one within 5 minutes is
        dropped. `attributes` are message attributes of your own. Raises `SettingsError` for what SQS cannot do.
        """
        return Prepared(self.declared, self._queue, Delivery.of(**wishes))


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
        await self._declared.get_ready()
        return await aenqueue_one(self.call(*args, **kwargs))

    def call(self, *args: Arg.args, **kwargs: Arg.kwargs) -> Call:
        """Return the job with these arguments, to be sent by `enqueue_many`."""
        body = self._declared.body(args, kwargs)
        return call_of(self._declared.name, self._queue(), body, self._delivery, self._declared.around_sending)


class DeclareJob(Protocol):
    """What `@worker.job(…)` returns."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, Arg], Ret], /
    ) -> Job[Arg, Concatenate[Context, Arg], Ret]: ...
    @overload
    def __call__(self, function: Callable[Arg, Ret], /) -> Job[Arg, Arg, Ret]: ...


class DeclareBatch(Protocol):
    """What `@worker.batch(…)` returns: a job that is sent one item, and called with a batch of them."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, Batch[Item], Arg], Ret], /
    ) -> Job[[Item], Concatenate[Context, Batch[Item], Arg], Ret]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Batch[Item], Arg], Ret], /
    ) -> Job[[Item], Concatenate[Batch[Item], Arg], Ret]: ...
