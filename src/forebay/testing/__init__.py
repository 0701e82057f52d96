"""The conformance suite, the simulator, and what users' own tests need: a local cloud. What is named here is public.

As in `forebay` itself, a name is imported when it is first asked for: the pytest plugin lies in this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forebay.testing.local_cloud import LocalCloud
    from forebay.testing.local_queue import LocalQueue
    from forebay.testing.local_report import JobAttempt, JobsGivenUp, NotDrained, WorkReport
    from forebay.testing.queued import QueuedMessage

__all__ = ["JobAttempt", "JobsGivenUp", "LocalCloud", "LocalQueue", "NotDrained", "QueuedMessage", "WorkReport"]

_HOMES = {
    "JobAttempt": "local_report",
    "JobsGivenUp": "local_report",
    "LocalCloud": "local_cloud",
    "LocalQueue": "local_queue",
    "NotDrained": "local_report",
    "QueuedMessage": "queued",
    "WorkReport": "local_report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"forebay.testing.{_HOMES[name]}"), name)
