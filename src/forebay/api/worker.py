"""The object that a user declares jobs on, and the way to run it.

Rules kept here and nowhere else:

1. Declaring opens nothing, reads no environment and imports neither pydantic nor a transport.
2. What is not given stays unknown here: the command line, the environment and the defaults decide later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, Literal, NoReturn, Protocol, TypeVar, Unpack, overload

from forebay.api.batch import Batch
from forebay.api.context import Context
from forebay.api.declared import Declared
from forebay.api.durations import Duration, seconds
from forebay.api.home import Home
from forebay.api.hooks import Hooks
from forebay.api.job import Arg, DeclareBatch, DeclareJob, Item, Job, Ret
from forebay.api.job_options import DefaultSettings, JobSettings
from forebay.api.jobs import Jobs
from forebay.api.queue import Queue
from forebay.api.texts import is_filled_text
from forebay.errors import SettingsError
from forebay.handlers.registry import Registry
from forebay.settings import LogFormat, Protect

Function = TypeVar("Function", bound=Callable[..., object])


class Stop(Protocol):
    """An event of anyio, of asyncio or your own: once `wait` returns, the worker drains."""

    async def wait(self) -> object: ...


class Worker(Hooks):
    """One worker: its jobs, its queue, and the settings given in code."""

    tells_its_own = False
    """True where the handler itself tells of attempts that begin and succeed: text logs then have no lines of ours."""

    def __init__(
        self,
        name: str,
        *,
        queue: str | Sequence[str] | Queue | None = None,
        job_field: str | None = None,
        dead_letter: str | None = None,
        slots: int | None = None,
        attempts: int | None = None,
        visibility: Duration | None = None,
        margin: Duration | None = None,
        drain: Duration | None = None,
        protect: Protect | None = None,
        linger: Duration | None = None,
        log: LogFormat | None = None,
        buffer_bytes: int | None = None,
        processes: int | None = None,
        stuck: Literal["replace", "wait"] | None = None,
    ) -> None:
        """`queue` is a URL or a name, or several; left out, the queue is named as the worker is.

        `job_field` is the member of a JSON body that names its job, for messages without the attribute `job`.

        The other settings are those of `forebay run`. Options, environment and `forebay.yml` go before them.
        """
        super().__init__()
        if not is_filled_text(name):
            raise SettingsError(f"a worker needs a name, but {name!r} is none")
        self.name = name
        if job_field is not None and not is_filled_text(job_field):
            raise SettingsError(f"job_field={job_field!r} of worker {name!r} must name a member of the body")
        self.home = Home(name, queue)
        given = {
            "dead-letter": dead_letter,
            "slots": slots,
            "attempts": attempts,
            "visibility": _whole(_seconds("visibility", visibility)),
            "margin": _seconds("margin", margin),
            "drain": _seconds("drain", drain),
            "protect": protect,
            "linger": _seconds("linger", linger),
            "log": log,
            "buffer-bytes": buffer_bytes,
            "processes": processes,
            "stuck": stuck,
        }
        self._given = {key: value for key, value in given.items() if value is not None}
        self.target: tuple[str, str] | None = None
        """Module and attribute by which a command line has found it. Child processes look for it there."""
        self.jobs = Jobs(name, self._surroundings, job_field=job_field)
        """What is declared so far."""

    def __repr__(self) -> str:
        return f"<Worker {self.name!r}: {', '.join(job.name for job in self.jobs) or 'no jobs'}>"

    @overload
    def job(
        self, function: Callable[Concatenate[Context, Arg], Ret], /
    ) -> Job[Arg, Concatenate[Context, Arg], Ret]: ...
    @overload
    def job(self, function: Callable[Arg, Ret], /) -> Job[Arg, Arg, Ret]: ...
    @overload
    def job(self, /, **settings: Unpack[JobSettings]) -> DeclareJob: ...
    def job(self, function: Callable[..., object] | None = None, /, **settings: Unpack[JobSettings]) -> Any:
        """Declare a job: `@worker.job` or `@worker.job(timeout="5m", attempts=5)`.

        The name is the function's own unless given. `timeout` is 15 minutes unless given, 1 s to 11 h 50 min.
        `attempts` is the delivery with which a failing job goes to the dead-letter queue.
        """

        def declare(function: Callable[..., object]) -> Job[..., ..., object]:
            return self._job(self.jobs.declare(_plain(function), settings))

        return declare if function is None else declare(function)

    @overload
    def batch(
        self, function: Callable[Concatenate[Context, Batch[Item], Arg], Ret], /
    ) -> Job[[Item], Concatenate[Context, Batch[Item], Arg], Ret]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[Batch[Item], Arg], Ret], /
    ) -> Job[[Item], Concatenate[Batch[Item], Arg], Ret]: ...
    @overload
    def batch(
        self, /, *, size: int = 10, linger: Duration = "1s", default: bool = False, **settings: Unpack[JobSettings]
    ) -> DeclareBatch: ...
    def batch(
        self,
        function: Callable[..., object] | None = None,
        /,
        *,
        size: int = 10,
        linger: Duration = "1s",
        default: bool = False,
        **settings: Unpack[JobSettings],
    ) -> Any:
        """Declare a batch handler: `@worker.batch(size=100, linger="1s")` above a function of a `Batch[Event]`.

        It is called when `size` messages wait, or `linger` after the first. Each message carries one item and is
        settled on its own. With `default=True` it gets the messages that name no job.
        """

        def declare(function: Callable[..., object]) -> Job[..., ..., object]:
            plain = _plain(function)
            return self._job(self.jobs.declare_batch(plain, settings, size=size, linger=linger, default=default))

        return declare if function is None else declare(function)

    def _job(self, declared: Declared) -> Job[..., ..., object]:
        own = declared.options.queue
        return Job(declared, self.home.queue if own is None else self.home.other(own))

    @overload
    def default(self, function: Function, /) -> Function: ...
    @overload
    def default(self, /, **settings: Unpack[DefaultSettings]) -> Callable[[Function], Function]: ...
    def default(self, function: Callable[..., object] | None = None, /, **settings: Unpack[DefaultSettings]) -> Any:
        """Declare the handler of messages that name no job. The function stays as it is."""

        def declare(function: Function) -> Function:
            self.jobs.declare_default(_plain(function), settings)
            return function

        return declare if function is None else declare(function)

    @property
    def arguments(self) -> Mapping[str, object]:
        """The settings given in code, by the names of the options of `forebay run`."""
        queues = self.home.addresses
        return self._given if queues is None else {"queue": queues, **self._given}

    @property
    def registry(self) -> Registry:
        """The handlers, ready to be called. Raises `JobError` for annotations that make no sense."""
        return self.jobs.registry()

    @property
    def queue(self) -> Queue:
        """Where the jobs are sent to."""
        return self.home.queue()

    def run(self) -> NoReturn:
        """Work the queue until told to stop, then leave with the exit status. What `forebay run` does.

        It leaves by `SystemExit`, so that `finally` works. The process ends within five seconds of the program's own
        end, whatever threads are left behind.
        """
        from forebay.api.program import run_program

        run_program(self)

    async def serve(self, *, stop: Stop | None = None) -> int:
        """Work the queue inside another program until `stop` is set; return the exit status.

        Settings come from where `forebay run` has them. No signal is touched and nothing is printed: lines go to the
        logger `forebay`.
        """
        from forebay.api.program import serve_within

        return await serve_within(self, stop)


def _plain(function: Callable[..., object]) -> Callable[..., object]:
    """Return the user's own function, of a job that is declared a second time: as the default, or on another worker."""
    return function.declared.function if isinstance(function, Job) else function


def _seconds(name: str, value: Duration | None) -> float | None:
    return None if value is None else seconds(name, value)


def _whole(value: float | None) -> float | None:
    return int(value) if value is not None and value.is_integer() else value
