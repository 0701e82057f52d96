"""What `python -m forebay.api.child` does: it becomes a child of a worker and runs handlers for it.

Rules kept here and nowhere else:

1. The first thing is to be ended with the worker, the second to leave a trace of an own sudden death.
2. The program is imported before the child says that it is ready: until then its slot does not count.
3. What the import raises is the user's: it is told with its traceback, and the child leaves.
4. SIGTERM is the worker's to obey. Where it reaches every process of a service (systemd), the worker drains, and its
   children end when it says so.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from forebay import platform
from forebay.api.lifespan import HookFailed, Lifespan
from forebay.api.locating import Whereabouts, found_again
from forebay.handlers.child import ChildService, noting_threads
from forebay.handlers.child_link import ParentLink
from forebay.handlers.child_output import Output, send_output
from forebay.handlers.crash_board import BOARD_BYTES, CrashBoard
from forebay.handlers.executor import Executor
from forebay.handlers.failure import outcome_of, reason_text
from forebay.handlers.frames import without_ours
from forebay.handlers.loop_thread import LoopThread
from forebay.handlers.main_thread import MainThread
from forebay.handlers.on_loop import LoopExecutor
from forebay.handlers.on_thread import ThreadExecutor
from forebay.handlers.registry import Registry
from forebay.model import Failed

_UNUSABLE = 1
_LOOP_END_S = 0.5
_OBJECTS_WHILE_IMPORTING = 100_000
_MACHINERY = ("<frozen ", str(importlib.__file__), runpy.__file__)


def main(arguments: list[str]) -> int:
    """Be a child: `SOCKET POST_MORTEM PARENT`, two descriptors and the worker's process number."""
    pipe, post_mortem, parent = arguments
    platform.leave_with_parent(parent)
    os.set_inheritable(int(post_mortem), False)
    # Beyond the board, which has its place at the beginning.
    os.lseek(int(post_mortem), BOARD_BYTES, os.SEEK_SET)
    faulthandler.enable(int(post_mortem), all_threads=True)
    _leave_termination_to_the_worker()
    link = ParentLink(int(pipe))
    hello, _ = next(link.frames())
    try:
        with _seldom_looking_for_garbage():
            service = _service(hello, link, CrashBoard(int(post_mortem)))
    except BaseException as error:  # noqa: BLE001 - the user's module may raise anything, SystemExit included
        _tell_unusable(link, error)
        return _UNUSABLE
    service.run()
    logging.shutdown()
    return 0


@contextmanager
def _seldom_looking_for_garbage() -> Generator[None]:
    """Let imports make many objects before Python looks for garbage among them: there is none, and it costs a tenth."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_WHILE_IMPORTING, *usual[1:])
    yield
    if gc.get_threshold()[0] == _OBJECTS_WHILE_IMPORTING:  # Else the program has a wish of its own.
        gc.set_threshold(*usual)


def _leave_termination_to_the_worker() -> None:
    """Let SIGTERM be without effect here, and be what it always is in copies of this process and what they start.

    A handler rather than SIG_IGN: programs that handlers start do not inherit it.
    """

    def nothing(_number: int, _frame: FrameType | None) -> None:
        return

    def as_usual() -> None:
        if signal.getsignal(signal.SIGTERM) is nothing:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, nothing)
    os.register_at_fork(after_in_child=as_usual)


def _service(hello: Mapping[str, Any], link: ParentLink, board: CrashBoard) -> ChildService:
    os.chdir(hello["folder"])
    sys.path[:] = hello["path"]
    sys.argv[:] = hello["argv"]
    platform.line_buffer_prints()
    worker = found_again(Whereabouts(**hello["worker"]))
    send_output(link, Output(**hello["output"]))
    worker.home.works(hello["queues"])
    registry = worker.registry
    main_thread = MainThread()
    slots: int = hello["slots"]
    if slots > 1:
        registry = noting_threads(registry, board)
    loop = LoopThread()
    executors = _executors(registry, frozenset(hello["kinds"]), slots, main_thread, loop)
    worker.lifespan.start(loop)
    return ChildService(link, registry, executors, main_thread, stop=partial(_stop, worker.lifespan, loop))


def _executors(
    registry: Registry, kinds: frozenset[str], slots: int, main_thread: MainThread, loop: LoopThread
) -> dict[str, Executor]:
    """Make what runs the handlers of these kinds in here."""
    theirs = [handler for handler in registry if handler.runs in kinds]
    inside = {handler.runs_inside if handler.runs == "process" else handler.runs for handler in theirs}
    executors: dict[str, Executor] = {}
    if "loop" in inside:
        executors["loop"] = LoopExecutor(registry, thread=loop)
    if "thread" in inside:
        executors["thread"] = (
            ThreadExecutor(registry, slots) if slots > 1 else ThreadExecutor(registry, 1, make_thread=main_thread)
        )
    return executors


def _stop(lifespan: Lifespan, loop: LoopThread) -> None:
    """Run the stop hooks, then end the loop. What a hook raises is told as an error in the log."""
    for failed in lifespan.stop():
        logging.getLogger("forebay").error("%s raised", failed.hook, exc_info=without_ours(failed.error))
    loop.close(wait_s=_LOOP_END_S)


def _tell_unusable(link: ParentLink, error: BaseException) -> None:
    if isinstance(error, HookFailed):
        error = error.error
    error = _users_part(error)
    outcome = outcome_of(error)
    frames = outcome.frames if isinstance(outcome, Failed) else ()
    told = "".join(traceback.format_exception(error))
    # No job has come yet, so the words can hold nothing of one.
    words = f"{type(error).__qualname__}: {reason_text(error)}".removesuffix(": ")
    link.send({"t": "unusable", "error": words, "frames": " > ".join(frames), "traceback": told[-16_000:]})


def _users_part(error: BaseException) -> BaseException:
    """Return the error without the frames of ours and of Python's import machinery, at the outer end."""
    error = without_ours(error)
    where = error.__traceback__
    while where is not None and where.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        where = where.tb_next
    return error.with_traceback(where)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
