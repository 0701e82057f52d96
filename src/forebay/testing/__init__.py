"""What users' own tests need, a worker in memory and a local cloud; the conformance suite; the simulator.

What is named here is public.

As in `forebay` itself, a name is imported when it is first asked for: the pytest plugin lies in this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forebay.testing.attempted import AttemptResult, JobNotDone
    from forebay.testing.client import WorkerClient
    from forebay.testing.enqueued import EnqueuedJob
    from forebay.testing.local_cloud import LocalCloud
    from forebay.testing.local_queue import LocalQueue
    from forebay.testing.local_report import JobAttempt, JobsGivenUp, NotDrained, WorkReport
    from forebay.testing.queued import QueuedMessage

__all__ = [
    "AttemptResult",
    "EnqueuedJob",
    "JobAttempt",
    "JobNotDone",
    "JobsGivenUp",
    "LocalCloud",
    "LocalQueue",
    "NotDrained",
    "QueuedMessage",
    "WorkReport",
    "WorkerClient",
]

_HOMES = {
    "AttemptResult": "attempted",
    "EnqueuedJob": "enqueued",
    "JobAttempt": "local_report",
    "JobNotDone": "attempted",
    "JobsGivenUp": "local_report",
    "LocalCloud": "local_cloud",
    "LocalQueue": "local_queue",
    "NotDrained": "local_report",
    "QueuedMessage": "queued",
    "WorkReport": "local_report",
    "WorkerClient": "client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"forebay.testing.{_HOMES[name]}"), name)
