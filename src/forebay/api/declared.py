"""One declared handler: a function, its settings, and the call that they come to.

Rules kept here and nowhere else:

1. What can be refused where it is declared is refused there. Annotations are read later, when the worker is run.
2. `async def` runs on the handlers' event loop, `def` on a thread; isolated, on those of a child process. What is
   neither is refused where it is declared.
3. Nothing of a call is kept: a handler is rebuilt alike in every process that imports the worker.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from forebay.api.batch import item_type
from forebay.api.callables import Unreadable
from forebay.api.calling import calling
from forebay.api.decode import default_decoder, envelope_parameter, job_decoder
from forebay.api.job_options import JobOptions
from forebay.api.queue import check_name
from forebay.api.signature import Signature
from forebay.api.surroundings import Surroundings
from forebay.errors import JobError
from forebay.handlers.registry import Call, Handler, Runs

if TYPE_CHECKING:
    from forebay.api.arguments import Arguments


class Declared:
    """What a worker knows of one handler: a function, how it is called and its limits."""

    def __init__(self, function: Callable[..., object], options: JobOptions, surroundings: Surroundings) -> None:
        self.name = check_name(options.name)
        for alias in options.aliases:
            check_name(alias)
        self.function = function
        self.options = options
        self._runs_inside: Literal["loop", "thread"] = "loop" if inspect.iscoroutinefunction(function) else "thread"
        self.runs: Runs = "process" if options.isolate else self._runs_inside
        self.signature = Signature(self.name, function)
        self._surroundings = surroundings
        self._arguments: Arguments | None = None
        with suppress(Unreadable):
            surroundings.plan(self.name, self.signature.marked)

    @property
    def around_sending(self) -> tuple[Callable[..., Any], ...]:
        """The worker's middleware around sending, the outermost first."""
        return tuple(self._surroundings.sendings)

    def body(self, arguments: tuple[object, ...], keywords: Mapping[str, object]) -> str:
        """Return the body that carries a call. Raises `TypeError` as a call would, and `JobError` for a bad value."""
        return self.written(self.signature.bind(arguments, keywords))

    def written(self, arguments: Mapping[str, object]) -> str:
        """Return the body that carries these arguments. Raises `JobError` when they do not fit."""
        if not arguments:
            return "{}"
        return self._ready().write(arguments)

    async def get_ready(self) -> None:
        """Read the annotations, in a thread: the first time costs tenths of a second. Raises `JobError`."""
        if self._arguments is None and self.signature.parameters:
            await asyncio.to_thread(self._ready)

    def _ready(self) -> Arguments:
        if self._arguments is None:
            from forebay.api.arguments import Arguments

            self._check_no_batch()
            parameter = envelope_parameter(self.signature)
            if parameter is not None:
                raise JobError(
                    f"job {self.name!r} cannot be sent: its {parameter!r} is an envelope, which AWS makes. Publish to "
                    "what stands behind it, or send the envelope as a body"
                )
            self._arguments = Arguments(self.signature)
        return self._arguments

    def _check_no_batch(self) -> None:
        for name, annotation in self.signature.annotations().items():
            if item_type(annotation) is not None:
                raise JobError(f"job {self.name!r}: {name!r} is a batch, and only @worker.batch gives one")

    def handler(self, *, is_default: bool = False) -> Handler:
        """Return the handler for a registry. Reads the annotations. Raises `JobError` when they make no sense."""
        self._check_no_batch()
        decode = (default_decoder if is_default else job_decoder)(self.signature, self.options)
        return self._handler(calling(self.signature, self.function, decode, self._surroundings))

    def _handler(self, call: Call) -> Handler:
        options = self.options
        return Handler(
            self.name,
            self.runs,
            call,
            options.limit_s,
            options.attempts_max,
            aliases=options.aliases,
            subject=options.subject,
            detail_type=options.detail_type,
            slots_max=options.slots_max,
            backoff_first_s=options.backoff_first_s,
            backoff_ceiling_s=options.backoff_ceiling_s,
            retry=options.retry,
            memory_bytes=options.memory_bytes,
            recycle_after=options.recycle_after,
            runs_inside=self._runs_inside,
        )
