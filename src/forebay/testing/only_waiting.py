"""Whether the tasks of an event loop wait for nothing but each other and its timers.

Rules kept here and nowhere else:

1. What is not known to be such a wait is taken for one that the outside may end: then time is not skipped. A mistake
   in that direction makes a test slow, the other one would time its job out.
2. It is known by where a task stands: in asyncio's (or anyio's) sleeps, locks, queues and groups, or at another task.
"""

from __future__ import annotations

import asyncio
from typing import Any

_WHOLE_MODULES = frozenset({"asyncio.locks", "asyncio.queues", "asyncio.taskgroups", "forebay.api.flag"})
_FUNCTIONS = frozenset(
    {
        ("asyncio.tasks", "sleep"),
        ("asyncio.tasks", "__sleep0"),
        ("anyio._backends._asyncio", "__aexit__"),  # a task group
        ("anyio._backends._asyncio", "acquire"),  # a lock or a semaphore
    }
)
_WAIT_FOR_TASKS = frozenset({"_wait", "wait_for"})
"""Of asyncio.tasks: they stand for what they have been given, which may also be futures of other threads."""


def only_waits(loop: asyncio.AbstractEventLoop) -> bool:
    """Say whether no task of `loop` waits for anything outside of it. Called on the loop's own thread."""
    return all(_is_within(task) for task in asyncio.all_tasks(loop))


def _is_within(task: asyncio.Task[Any]) -> bool:
    waits_for = getattr(task, "_fut_waiter", None)
    if isinstance(waits_for, asyncio.Task):
        return True  # That task is looked at itself.
    children = getattr(waits_for, "_children", None)
    if children is not None:  # `asyncio.gather`
        return all(isinstance(child, asyncio.Task) for child in children)
    frame = _innermost(task.get_coro())
    if frame is None:
        return False
    module = frame.f_globals.get("__name__", "")
    name = frame.f_code.co_name
    if module == "asyncio.tasks" and name in _WAIT_FOR_TASKS:
        waited = frame.f_locals.get("fs") or [frame.f_locals.get("fut")]
        return all(isinstance(one, asyncio.Task) for one in waited)
    return module in _WHOLE_MODULES or (module, name) in _FUNCTIONS


def _innermost(coroutine: Any) -> Any:
    """Return the frame that the coroutine stands in, or None where there is none to be seen."""
    while True:
        inner = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        if inner is None or _frame(inner) is None:
            return _frame(coroutine)
        coroutine = inner


def _frame(coroutine: Any) -> Any:
    return getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
