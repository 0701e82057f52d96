"""A worker that is started from the user's own program: `worker.run()` and `await worker.serve()`.

Both take their settings from where `forebay run` takes them. The command line lies above this layer and is looked up by
name when it is needed: a program that calls `worker.run()` is a command line itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

from forebay.errors import ForebayError, QueueError, SettingsError

if TYPE_CHECKING:
    from forebay.api.options import RunOptions
    from forebay.api.worker import Stop, Worker

_USAGE_ERROR = 2
_REFUSED = 1


def run_program(worker: Worker) -> NoReturn:
    """Run until stopped, then leave the process with the exit status of `forebay run`.

    Raises `SettingsError` where a worker cannot have the process to itself.
    """
    from forebay import platform
    from forebay.api.run import LEAVE_MAX_S, run_worker

    _check_that_this_is_no_child(worker)
    _check_that_the_process_is_ours(worker)
    try:
        options = options_of(worker)
        platform.line_buffer_prints()
        status = run_worker(worker, options)
        platform.leave_soon_after_the_end(LEAVE_MAX_S, status)
    except ForebayError as error:
        status = _REFUSED if isinstance(error, QueueError) else _USAGE_ERROR
        import_module("forebay.cli.console").complain(str(error), status=status)
    raise SystemExit(status)


def _check_that_this_is_no_child(worker: Worker) -> None:
    from forebay.api.locating import is_import_of_a_child

    if is_import_of_a_child():
        raise SettingsError(
            f"worker {worker.name!r} is run where a child process imports the program: put what runs it under "
            '`if __name__ == "__main__":`'
        )


def _check_that_the_process_is_ours(worker: Worker) -> None:
    instead = f"Inside of another program, `await worker.serve()` of worker {worker.name!r} does the same"
    if threading.current_thread() is not threading.main_thread():
        raise SettingsError(f"worker.run() obeys signals, which only the main thread gets. {instead}")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise SettingsError(f"worker.run() has an event loop of its own, but one is running here already. {instead}")


async def serve_within(worker: Worker, stop: Stop | None) -> int:
    """Work until `stop` is set, and return the exit status."""
    from forebay.api.run import serve_worker

    _check_that_this_is_no_child(worker)
    return await serve_worker(worker, options_of(worker), stop=stop)


def options_of(worker: Worker, queues: Sequence[str] = ()) -> RunOptions:
    """Return the options of a run with none given but `queues`: environment, `forebay.yml`, code, defaults."""
    return cast("RunOptions", import_module("forebay.cli.run").options_for(worker, queues, {}))
