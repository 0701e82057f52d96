"""One queue of a test's local cloud, and the work done from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from forebay.rules.queue_semantics import QueueService
from forebay.testing.glass_queue import GlassQueue, Place
from forebay.testing.local_drained import Until
from forebay.testing.local_report import WorkReport

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.cloud.sqs_server import SqsServer

Answer = TypeVar("Answer")
Failures = Literal["raise", "return"]


class Cloud(Place, Protocol):
    """What a queue needs of its cloud: `local_cloud.LocalCloud` is one."""

    def run(
        self,
        worker: Worker,
        *queues: LocalQueue,
        until: Until = "empty",
        failures: Failures = "raise",
        patience_s: float | None = None,
    ) -> WorkReport: ...

    async def arun(
        self,
        worker: Worker,
        *queues: LocalQueue,
        until: Until = "empty",
        failures: Failures = "raise",
        patience_s: float | None = None,
    ) -> WorkReport: ...


class LocalQueue(GlassQueue):
    """A queue that a worker can be run on."""

    def __init__(self, cloud: Cloud, name: str, url: str, dead_letter: GlassQueue | None) -> None:
        super().__init__(cloud, name, url, dead_letter)
        self._cloud = cloud

    def work(
        self,
        worker: Worker,
        *,
        until: Until = "empty",
        failures: Failures = "raise",
        patience_s: float | None = None,
    ) -> WorkReport:
        """Run `worker` on this queue until there is nothing left to do. See `LocalCloud.run`."""
        return self._cloud.run(worker, self, until=until, failures=failures, patience_s=patience_s)

    async def awork(
        self,
        worker: Worker,
        *,
        until: Until = "empty",
        failures: Failures = "raise",
        patience_s: float | None = None,
    ) -> WorkReport:
        """The same from a coroutine, whose event loop goes on meanwhile."""
        return await self._cloud.arun(worker, self, until=until, failures=failures, patience_s=patience_s)


def with_rules(server: SqsServer, function: Callable[[QueueService], Answer]) -> Answer:
    """Call `function` with the rules of the server's queues, before and after which all happens that is due."""
    server.turn()
    try:
        return function(server.service)
    finally:
        server.turn()  # A poll may wait for what has been sent.
