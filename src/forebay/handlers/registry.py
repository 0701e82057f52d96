"""Which handler does which job. Pure: it routes by name and knows nothing of how a handler is called."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from forebay.errors import JobError
from forebay.model import Attempt, Message

Runs = Literal["loop", "thread", "process"]
Retry = Literal["count", "resend"]

Call = Callable[[Attempt], Coroutine[Any, Any, object]] | Callable[[Attempt], object]
"""Decodes the message, validates the arguments and calls the user's function. A coroutine function for `loop`."""

DEFAULT = "default"
"""The name under which the default handler's attempts are reported."""

NAME_TOLD_MAX = 100
"""Characters of an unknown job's name that reach a log line."""


@dataclass(frozen=True, slots=True)
class BatchRule:
    """How messages of a batch handler are put together."""

    size: int
    """A batch is started when so many wait. At least 1."""
    linger_s: float
    """Or when the first of them has waited so long."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One declared job."""

    name: str
    runs: Runs
    call: Call
    limit_s: float
    attempts_max: int | None = None
    """None: `min(5, maxReceiveCount)`, decided per source."""
    aliases: tuple[str, ...] = ()
    """Former names: messages that carry one are routed here too."""
    slots_max: int | None = None
    """The job's own share: at most so many of its attempts run at once. None: as many as the worker has slots."""
    backoff_first_s: float = 2.0
    backoff_ceiling_s: float = 900.0
    """Upper edges of the delay after the first failure, and after the last."""
    retry: Retry = "count"
    """How failed attempts are counted: by SQS's receive count, or exactly, by sending the job again."""
    batch: BatchRule | None = None
    memory_bytes: int | None = None
    """What a child process may grow by. Only for `runs="process"`."""
    recycle_after: int | None = None
    """Jobs that a child process does before it is replaced. Only for `runs="process"`."""


@dataclass(frozen=True, slots=True)
class Unroutable:
    """Nothing here does the job that the message names."""

    reason: str


class Registry:
    """The handlers of one worker, by name."""

    def __init__(self, handlers: Iterable[Handler] = (), *, default: Handler | None = None) -> None:
        self._by_name: dict[str, Handler] = {}
        self.default = default
        for handler in handlers:
            self.add(handler)

    def add(self, handler: Handler) -> None:
        """Declare a handler. Raises `JobError` when the name is taken."""
        if handler.name in self._by_name:
            raise JobError(f"two jobs are named {handler.name!r}: give one of them name=…")
        self._by_name[handler.name] = handler

    def __iter__(self) -> Iterator[Handler]:
        yield from self._by_name.values()
        if self.default is not None:
            yield self.default

    def __getitem__(self, name: str) -> Handler:
        handler = self._by_name.get(name)
        if handler is None and self.default is not None and name == self.default.name:
            return self.default
        if handler is None:
            raise KeyError(name)
        return handler

    def route(self, message: Message) -> Handler | Unroutable:
        """Return the handler of the message's job: by attribute `job`, else the default one."""
        job = message.job
        if job is not None:
            handler = self._by_name.get(job)
            return handler if handler is not None else Unroutable(f"no job named {_told(job)} is declared here")
        if self.default is not None:
            return self.default
        return Unroutable("the message names no job (attribute 'job') and there is no default handler")


def _told(name: str) -> str:
    """Return a name that anybody may have sent, bounded: SQS takes attributes of nearly 1 MiB."""
    return repr(name) if len(name) <= NAME_TOLD_MAX else f"{name[:NAME_TOLD_MAX]!r}… ({len(name):,} characters)"
