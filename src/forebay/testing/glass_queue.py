"""A queue that a test can look into: what is sent to it, and what lies in it.

Rules kept here and nowhere else:

1. Looking at messages is not receiving them: nothing is hidden, counted or moved by it.
2. A body is sent as it is when it is text; anything else is written as JSON, as jobs are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol, TypeVar

from forebay.api.delivery import Delivery
from forebay.api.durations import Duration
from forebay.errors import QueueError
from forebay.model import JOB_ATTRIBUTE
from forebay.queue.faults import classify
from forebay.queue.port import Counts
from forebay.rules.queue_semantics import QueueService, SendEntry, ServiceFailure
from forebay.testing.queued import QueuedMessage, attribute_of, shown

Answer = TypeVar("Answer")


class Place(Protocol):
    """Where a test's queues are: `local_cloud.LocalCloud` and `memory_account.MemoryAccount` are places."""

    def on_rules(self, function: Callable[[QueueService], Answer], /) -> Answer:
        """Call `function` with the rules of the queues, brought up to now, where nothing else turns them meanwhile."""
        ...

    def now(self) -> float: ...


class GlassQueue:
    """A queue, by its URL, and its dead-letter queue."""

    def __init__(self, place: Place, name: str, url: str, dead_letter: GlassQueue | None) -> None:
        self._place = place
        self.name = name
        self.url = url
        self.dead_letter = dead_letter
        """The queue for what is given up; None when it was made without."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

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

        def there(rules: QueueService) -> str:
            try:
                return rules.send(self.url, entry, now=self._place.now()).message_id
            except ServiceFailure as failure:
                fault = classify(failure.http_status, (failure.shape, failure.legacy_code), failure.message)
                raise QueueError(fault, operation="SendMessage") from failure

        return self._place.on_rules(there)

    def messages(self) -> list[QueuedMessage]:
        """Every message in the queue, the oldest first: visible, in flight (hidden retries too) or delayed."""

        def there(rules: QueueService) -> list[QueuedMessage]:
            return [shown(message) for message in rules.registry.find(self.url).shelves.messages.values()]

        return self._place.on_rules(there)

    def dead_letters(self) -> list[QueuedMessage]:
        """Every message in the dead-letter queue; their `error` says why. Empty when there is no such queue."""
        return self.dead_letter.messages() if self.dead_letter is not None else []

    def counts(self) -> Counts:
        """How many messages are visible, in flight and delayed."""
        places = [message.place for message in self.messages()]
        return Counts(places.count("visible"), places.count("in flight"), places.count("delayed"))

    def purge(self) -> None:
        """Take every message away, in flight or not. As often as a test likes: SQS's minute between two is not kept."""

        def there(rules: QueueService) -> None:
            rules.registry.find(self.url).clear()

        self._place.on_rules(there)
