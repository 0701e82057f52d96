"""Which handler does which job. Pure: it routes messages and knows nothing of how a handler is called.

Rules kept here and nowhere else:

1. Attribute `job` goes before all else: a message that names a job there is that job's or nobody's.
2. Then comes what is declared of the body, in this order: the worker's JSON field, a subject of SNS, a detail-type of
   EventBridge. Then the default handler. A body is looked at once, and only if something of it is declared.
3. A name, an alias, a subject and a detail-type each lead to one handler.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from forebay.errors import JobError
from forebay.handlers.routing import EVENT_DETAIL_TYPE, SNS_NOTIFICATION, SNS_SUBJECT, SNS_TYPE, texts_of
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
    subject: str | None = None
    """Notifications of SNS with this subject are routed here."""
    detail_type: str | None = None
    """Events of EventBridge with this detail-type are routed here."""
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
    runs_inside: Literal["loop", "thread"] = "thread"
    """What runs it inside of a child process: a loop for coroutine functions. Only for `runs="process"`."""


@dataclass(frozen=True, slots=True)
class Unroutable:
    """Nothing here does the job that the message names."""

    reason: str


class Registry:
    """The handlers of one worker, by name."""

    def __init__(
        self, handlers: Iterable[Handler] = (), *, default: Handler | None = None, job_field: str | None = None
    ) -> None:
        """`job_field` is the member of a JSON body that names its job when no attribute does."""
        self.default = default
        self._job_field = job_field
        self._handlers: dict[str, Handler] = {}
        self._by_name: dict[str, Handler] = {}
        """Aliases too."""
        self._by_subject: dict[str, Handler] = {}
        self._by_detail_type: dict[str, Handler] = {}
        for handler in handlers:
            self.add(handler)

    def add(self, handler: Handler) -> None:
        """Declare a handler. Raises `JobError` when its name, an alias or a route of it is taken."""
        for name in (handler.name, *handler.aliases):
            _claim(self._by_name, name, handler, "name")
        if handler.subject is not None:
            _claim(self._by_subject, handler.subject, handler, "subject")
        if handler.detail_type is not None:
            _claim(self._by_detail_type, handler.detail_type, handler, "detail_type")
        self._handlers[handler.name] = handler

    def changed(self, change: Callable[[Handler], Handler]) -> Registry:
        """Return a registry of changed handlers that routes as this one does."""
        default = None if self.default is None else change(self.default)
        return Registry(map(change, self._handlers.values()), default=default, job_field=self._job_field)

    def __iter__(self) -> Iterator[Handler]:
        yield from self._handlers.values()
        if self.default is not None:
            yield self.default

    def __getitem__(self, name: str) -> Handler:
        handler = self._handlers.get(name)
        if handler is None and self.default is not None and name == self.default.name:
            return self.default
        if handler is None:
            raise KeyError(name)
        return handler

    def route(self, message: Message) -> Handler | Unroutable:
        """Return the handler of the message's job."""
        job = message.job
        if job is not None:
            handler = self._by_name.get(job)
            return handler if handler is not None else Unroutable(f"no job named {_told(job)} is declared here")
        handler = self._by_body(message.body) or self.default
        if handler is not None:
            return handler
        looked_at = ", ".join(f"{what!r}" for what in self._looked_at())
        also = f", nor does {looked_at} of the body lead to one" if looked_at else ""
        return Unroutable(f"the message names no job (attribute 'job'{also}) and there is no default handler")

    def _by_body(self, body: str) -> Handler | None:
        looked_at = self._looked_at()
        if not looked_at:
            return None
        texts = texts_of(body, looked_at)
        handler = self._by_name.get(texts[self._job_field]) if self._job_field in texts else None
        if handler is None and texts.get(SNS_TYPE) == SNS_NOTIFICATION and SNS_SUBJECT in texts:
            handler = self._by_subject.get(texts[SNS_SUBJECT])
        if handler is None and EVENT_DETAIL_TYPE in texts:
            handler = self._by_detail_type.get(texts[EVENT_DETAIL_TYPE])
        return handler

    def _looked_at(self) -> list[str]:
        """Return the members of a body that can lead to a handler here."""
        names = [] if self._job_field is None else [self._job_field]
        if self._by_subject:
            names += [SNS_TYPE, SNS_SUBJECT]
        if self._by_detail_type:
            names.append(EVENT_DETAIL_TYPE)
        return names


def _claim(taken: dict[str, Handler], value: str, handler: Handler, what: str) -> None:
    other = taken.setdefault(value, handler)
    if other is not handler or (what == "name" and (handler.name, *handler.aliases).count(value) > 1):
        raise JobError(f"two jobs ({other.name!r} and {handler.name!r}) have the {what} {value!r}: change one of them")


def _told(name: str) -> str:
    """Return a name that anybody may have sent, bounded: SQS takes attributes of nearly 1 MiB."""
    return repr(name) if len(name) <= NAME_TOLD_MAX else f"{name[:NAME_TOLD_MAX]!r}… ({len(name):,} characters)"
