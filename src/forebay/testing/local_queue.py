"""One queue of a test's local cloud: what is sent to it, what lies in it, and the work done from it.

Rules kept here and nowhere else:

1. Looking at messages is not receiving them: nothing is hidden, counted or moved by it.
2. A body is sent as it is when it is text; anything else is written as JSON, as jobs are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from forebay.api.durations import Duration
from forebay.api.queue import Delivery
from forebay.errors import QueueError
from forebay.model import JOB_ATTRIBUTE
from forebay.queue.faults import classify
from forebay.queue.port import Counts
from forebay.rules.queue_semantics import SendEntry, ServiceFailure
from forebay.testing.local_drained import Until
from forebay.testing.local_report import WorkReport
from forebay.testing.queued import QueuedMessage, attribute_of, shown

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.cloud.sqs_server import SqsServer

Answer = TypeVar("Answer")
Failures = Literal["raise", "return"]


class Cloud(Protocol):
    """What a queue needs of its cloud: `local_cloud.LocalCloud` is one."""

    def on_server(self, function: Callable[[SqsServer], Answer], /) -> Answer: ...

    def now(self) -> float: ...

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


class LocalQueue:
    """A queue, by its URL, and its dead-letter queue."""

    def __init__(self, cloud: Cloud, name: str, url: str, dead_letter: LocalQueue | None) -> None:
        self._cloud = cloud
        self.name = name
        self.url = url
        self.dead_letter = dead_letter
        """The queue for what is given up; None when it was made without."""

    def __repr__(self) -> str:
        return f"<LocalQueue {self.name!r}>"

    def send(
        self,
        body: object,
        *,
        job: str | None = None,
        delay: Duration | None = None,
        group: str | None = None,
        dedupe: str | None = None,
        **attributes: str | bytes | int | float,
    ) -> str:
        """Send a message and return its id. `job` and `attributes` are message attributes."""
        told = {JOB_ATTRIBUTE: job, **attributes} if job is not None else attributes
        entry = SendEntry(
            body=body if isinstance(body, str) else json.dumps(body),
            attributes={name: attribute_of(value) for name, value in told.items()},
            delay_s=Delivery.of(delay=delay).delay_s or None,
            group=group,
            dedupe=dedupe,
        )

        def there(server: SqsServer) -> str:
            try:
                sent = server.service.send(self.url, entry, now=self._cloud.now())
            except ServiceFailure as failure:
                fault = classify(failure.http_status, (failure.shape, failure.legacy_code), failure.message)
                raise QueueError(fault, operation="SendMessage") from failure
            server.turn()  # A poll may wait for it.
            return sent.message_id

        return self._cloud.on_server(there)

    def messages(self) -> list[QueuedMessage]:
        """Every message in the queue, the oldest first: visible, in flight (hidden retries too) or delayed."""

        def there(server: SqsServer) -> list[QueuedMessage]:
            server.turn()
            return [shown(message) for message in server.service.registry.find(self.url).shelves.messages.values()]

        return self._cloud.on_server(there)

    def dead_letters(self) -> list[QueuedMessage]:
        """Every message in the dead-letter queue; their `error` says why. Empty when there is no such queue."""
        return self.dead_letter.messages() if self.dead_letter is not None else []

    def counts(self) -> Counts:
        """How many messages are visible, in flight and delayed."""
        places = [message.place for message in self.messages()]
        return Counts(places.count("visible"), places.count("in flight"), places.count("delayed"))

    def purge(self) -> None:
        """Take every message away, in flight or not. As often as a test likes: SQS's minute between two is not kept."""

        def there(server: SqsServer) -> None:
            server.service.registry.find(self.url).clear()
            server.turn()

        self._cloud.on_server(there)

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
