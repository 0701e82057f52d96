"""All that one worker declares: its jobs by name, and the default handler.

Rules kept here and nowhere else:

1. Two jobs never share a name, an alias, a subject or a detail-type; which one would run is no question to answer at
   run time. Both are named where the second is declared.
2. The registry is made when it is first asked for, and again after another declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

from forebay.api.declared import Declared
from forebay.api.declared_batch import DeclaredBatch, batch_rule
from forebay.api.durations import Duration
from forebay.api.job_options import DefaultSettings, JobOptions, JobSettings
from forebay.api.signature import name_of
from forebay.api.surroundings import Surroundings
from forebay.errors import JobError
from forebay.handlers.registry import DEFAULT, BatchRule, Registry


class Jobs:
    """The declarations of one worker."""

    def __init__(self, worker: str, surroundings: Surroundings, *, job_field: str | None = None) -> None:
        self._worker = worker
        self._surroundings = surroundings
        self._job_field = job_field
        self._by_name: dict[str, Declared] = {}
        self._taken: dict[tuple[str, str], Declared] = {}
        """By route: what leads to a job, and its value."""
        self._default: Declared | None = None
        self._registry: Registry | None = None
        self._made_at = 0
        """Changes of the surroundings that the registry has seen."""

    def __iter__(self) -> Iterator[Declared]:
        """Yield the jobs, in the order of their declaration, without the default handler."""
        yield from self._by_name.values()

    def declare(self, function: Callable[..., object], settings: JobSettings) -> Declared:
        """Keep a job. Raises `JobError` when what leads to it leads to another one already."""
        return self._keep(_declared(function, _options(function, settings), self._surroundings))

    def declare_batch(
        self, function: Callable[..., object], settings: JobSettings, *, size: int, linger: Duration, default: bool
    ) -> Declared:
        """Keep a batch handler, by its name or as the default one. Raises `JobError` when its place is taken."""
        options = JobOptions.of_default(DEFAULT, settings) if default else _options(function, settings)
        rule = batch_rule(options.name, size=size, linger=linger)
        declared = _declared(function, options, self._surroundings, rule)
        return self._keep_default(declared) if default else self._keep(declared)

    def _keep(self, declared: Declared) -> Declared:
        routes = list(_routes_to(declared))
        for route in routes:
            other = declared if routes.count(route) > 1 else self._taken.get(route)
            if other is not None:
                self._refuse(other, declared, *route)
        self._by_name[declared.name] = declared
        self._taken.update(dict.fromkeys(routes, declared))
        self._registry = None
        return declared

    def declare_default(self, function: Callable[..., object], settings: DefaultSettings) -> Declared:
        """Keep the default handler. Raises `JobError` for a second one."""
        return self._keep_default(_declared(function, JobOptions.of_default(DEFAULT, settings), self._surroundings))

    def _keep_default(self, declared: Declared) -> Declared:
        if self._default is not None:
            raise JobError(
                f"worker {self._worker!r} has two default handlers ({_told(self._default)} and {_told(declared)}): "
                "one message can only go to one of them"
            )
        self._default = declared
        self._registry = None
        return declared

    def registry(self) -> Registry:
        """Return the handlers, ready to be called. Raises `JobError` for annotations that make no sense."""
        if self._registry is None or self._made_at != self._surroundings.changes:
            if not self._by_name and self._default is None:
                raise JobError(
                    f"worker {self._worker!r} declares nothing: put @worker.job or @worker.default above a function"
                )
            default = self._default.handler(is_default=True) if self._default is not None else None
            self._made_at = self._surroundings.changes
            handlers = (job.handler() for job in self)
            self._registry = Registry(handlers, default=default, job_field=self._job_field)
        return self._registry

    def _refuse(self, other: Declared, declared: Declared, what: str, value: str) -> NoReturn:
        shared = f"are named {value!r}" if what == "name" else f"have the {what} {value!r}"
        remedy = "name=…" if what == "name" else f"another {what}"
        raise JobError(
            f"two jobs of worker {self._worker!r} {shared} ({_told(other)} and {_told(declared)}): "
            f"give one of them {remedy}"
        )


def _routes_to(declared: Declared) -> Iterator[tuple[str, str]]:
    options = declared.options
    for name in (declared.name, *options.aliases):
        if name == DEFAULT:
            raise JobError(f"{DEFAULT!r} is how the default handler is reported: give the job another name")
        yield "name", name
    if options.subject is not None:
        yield "subject", options.subject
    if options.detail_type is not None:
        yield "detail_type", options.detail_type


def _options(function: Callable[..., object], settings: JobSettings) -> JobOptions:
    given = settings.get("name")
    return JobOptions.of(name_of(function) if given is None else given, settings)


def _declared(
    function: Callable[..., object], options: JobOptions, surroundings: Surroundings, rule: BatchRule | None = None
) -> Declared:
    if rule is not None:
        return DeclaredBatch(function, options, surroundings, rule)
    return Declared(function, options, surroundings)


def _told(declared: Declared) -> str:
    function = declared.function
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
