"""The time before there is a driver: queues' names are looked up, and a request to stop must be heard even then.

Rules kept here and nowhere else:

1. A stop that comes while names are looked up ends the run at once with status 0: nothing was received.
2. A service that says no to a name ends it with status 1. Either way the ledger is told, and everything in it is 0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import anyio

from forebay.api.options import RunOptions
from forebay.api.parts import open_sources
from forebay.api.signals import Stoppable
from forebay.errors import Fault, FaultKind, QueueError
from forebay.observability.reporter import Reporter
from forebay.queue.sqs import SqsSource
from forebay.worker.receiving import REFUSALS
from forebay.worker.vocabulary import Exit

_T = TypeVar("_T")
Watch = Callable[[Stoppable], Coroutine[Any, Any, None]]
"""Waits for a reason to stop and tells whoever can obey."""


class _Opening:
    """Obeys a request to stop by giving up the look-ups."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.reason: str | None = None

    def stop(self, reason: str) -> None:
        self.reason = reason
        self.scope.cancel()

    def stop_now(self, reason: str) -> None:
        self.stop(reason)


async def unless_stopped(watch: Watch, work: Callable[[], Awaitable[_T]]) -> _T | str:
    """Return the result of `work`, or why it was given up: a request to stop came first."""
    opening = _Opening()
    done: list[_T] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, opening)
        with opening.scope:
            done.append(await work())
        tasks.cancel_scope.cancel()
    return done[0] if opening.reason is None else opening.reason


async def sources_or_exit(
    options: RunOptions, reporter: Reporter, opened: AsyncExitStack, watch: Watch
) -> dict[str, SqsSource] | Exit:
    """Make a source for each queue, or say how the run ends without any."""

    async def look_up() -> dict[str, SqsSource] | Exit:
        try:
            return await open_sources(options, reporter, opened)
        except QueueError as error:
            return Exit(1, _reason(error.fault), code_still_runs=False)

    found = await unless_stopped(watch, look_up)
    return Exit(0, found, code_still_runs=False) if isinstance(found, str) else found


LOOK_UP_DENIED = "looking up the queue's URL is denied: grant sqs:GetQueueUrl to the task role, or give the URL itself"


def _reason(fault: Fault) -> str:
    remedy = LOOK_UP_DENIED if fault.kind is FaultKind.DENIED else REFUSALS.get(fault.kind)
    return f"{remedy} ({fault})" if remedy else str(fault)
