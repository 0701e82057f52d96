"""All that one worker declares: its jobs by name, and the default handler.

Rules kept here and nowhere else:

1. Two jobs never share a name or an alias; which one would run is no question to answer at run time.
2. The registry is made when it is first asked for, and again after another declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forebay.api.declared import Declared
from forebay.api.job_options import JobOptions, JobSettings
from forebay.api.signature import name_of
from forebay.errors import JobError, SettingsError
from forebay.handlers.registry import DEFAULT, Registry


class Jobs:
    """The declarations of the worker called `worker`."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._by_name: dict[str, Declared] = {}
        self._taken: dict[str, Declared] = {}
        """Names and aliases."""
        self._default: Declared | None = None
        self._registry: Registry | None = None

    def __iter__(self) -> Iterator[Declared]:
        """Yield the jobs, in the order of their declaration, without the default handler."""
        yield from self._by_name.values()

    def declare(self, function: Callable[..., object], settings: JobSettings) -> Declared:
        """Keep a job. Raises `JobError` when its name or an alias of it is taken."""
        given = settings.get("name")
        declared = _declared(function, name_of(function) if given is None else given, settings)
        names = (declared.name, *declared.options.aliases)
        for name in names:
            if name == DEFAULT:
                raise JobError(f"{DEFAULT!r} is how the default handler is reported: give the job another name")
            other = declared if names.count(name) > 1 else self._taken.get(name)
            if other is not None:
                raise JobError(
                    f"two jobs of worker {self._worker!r} are named {name!r} ({_told(other)} and {_told(declared)}): "
                    "give one of them name=…"
                )
        self._by_name[declared.name] = declared
        self._taken.update(dict.fromkeys(names, declared))
        self._registry = None
        return declared

    def declare_default(self, function: Callable[..., object], settings: JobSettings) -> Declared:
        """Keep the default handler. Raises `JobError` for a second one."""
        declared = _declared(function, DEFAULT, settings)
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
        if self._registry is None:
            if not self._by_name and self._default is None:
                raise JobError(
                    f"worker {self._worker!r} declares nothing: put @worker.job or @worker.default above a function"
                )
            default = self._default.handler(is_default=True) if self._default is not None else None
            self._registry = Registry((job.handler() for job in self), default=default)
        return self._registry


def _declared(function: Callable[..., object], name: str, settings: JobSettings) -> Declared:
    options = JobOptions.of(name, settings)
    if options.isolate:
        raise SettingsError(
            f"isolate=True on job {name!r}: this version has no process executor yet. Without it the job runs "
            "beside the others, and its timeout can only ask"
        )
    return Declared(function, options)


def _told(declared: Declared) -> str:
    function = declared.function
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
