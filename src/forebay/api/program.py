"""A worker that is started from the user's own program: `worker.run()` and `await worker.serve()`.

Both take their settings from where `forebay run` takes them. The command line lies above this layer and is looked up by
name when it is needed: a program that calls `worker.run()` is a command line itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

from forebay.errors import ForebayError, QueueError

if TYPE_CHECKING:
    from forebay.api.options import RunOptions
    from forebay.api.worker import Stop, Worker

_USAGE_ERROR = 2
_REFUSED = 1


def run_program(worker: Worker) -> NoReturn:
    """Run until stopped, then leave the process with the exit status of `forebay run`."""
    from forebay import platform
    from forebay.api.run import run_worker

    try:
        options = options_of(worker)
        platform.line_buffer_prints()
        status = run_worker(worker, options)
    except ForebayError as error:
        status = _REFUSED if isinstance(error, QueueError) else _USAGE_ERROR
        import_module("forebay.cli.console").complain(str(error), status=status)
    raise SystemExit(status)


async def serve_within(worker: Worker, stop: Stop | None) -> int:
    """Work until `stop` is set, and return the exit status."""
    from forebay.api.run import serve_worker

    return await serve_worker(worker, options_of(worker), stop=stop)


def options_of(worker: Worker) -> RunOptions:
    """Return the options of a run with no options given: environment, `forebay.yml`, code, defaults."""
    return cast("RunOptions", import_module("forebay.cli.run").options_for(worker, (), {}))
