"""The queues of a test, by name and by URL.

Rules kept here and nowhere else:

1. A queue that is made here has a dead-letter queue unless the test says otherwise: where nothing can be buried,
   nothing can be given up either.
2. A worker whose code names its queues gets those of the same names; one that is missing is named, not made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from forebay.errors import SettingsError
from forebay.rules.queue_semantics import QueueService, ServiceFailure
from forebay.testing.glass_queue import GlassQueue, Place

if TYPE_CHECKING:
    from forebay.api.worker import Worker

FIFO_SUFFIX = ".fifo"
DEAD_SUFFIX = "-dead"


Kind = TypeVar("Kind", bound=GlassQueue)


class Queues(Generic[Kind]):
    """Every queue that the test has made."""

    def __init__(self, place: Place, kind: Callable[[str, str, Kind | None], Kind]) -> None:
        """`kind` makes a queue of its name, its URL and its dead-letter queue."""
        self._place = place
        self._kind = kind
        self._by_name: dict[str, Kind] = {}

    def create(self, name: str, *, dead_letter: bool, receives_max: int, attributes: Mapping[str, str | int]) -> Kind:
        """Create a queue and, if wanted, its dead-letter queue. Raises `SettingsError` for what SQS refuses."""
        given = {key: str(value) for key, value in attributes.items()}
        if name.endswith(FIFO_SUFFIX):
            given = {"FifoQueue": "true", **given}
        dead: Kind | None = None
        if dead_letter:
            stem = name.removesuffix(FIFO_SUFFIX)
            dead_name = stem + DEAD_SUFFIX + name[len(stem) :]
            kind = {"FifoQueue": "true"} if name.endswith(FIFO_SUFFIX) else {}
            dead = self._made(dead_name, kind, None)
            arn = self._place.on_rules(lambda rules: rules.arn(dead_name))
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": str(receives_max)}
            given.setdefault("RedrivePolicy", json.dumps(policy))
        return self._made(name, given, dead)

    def has(self, name: str) -> bool:
        """Say whether the test has made a queue of this name."""
        return name in self._by_name

    def find(self, name: str) -> Kind:
        queue = self._by_name.get(name)
        if queue is None:
            queue = self._found(name)
        return queue

    def at(self, url: str) -> Kind:
        """Return the queue of this URL."""
        return self.find(url.rpartition("/")[2])

    def urls_of(self, worker: Worker) -> list[str]:
        """Return the URLs of the queues that the worker's code names."""
        addresses = worker.home.addresses
        if not addresses:
            raise SettingsError(f"worker {worker.name!r} names no queue: say which one to work")
        return [self.at(address).url for address in addresses]

    def _made(self, name: str, attributes: Mapping[str, str], dead: Kind | None) -> Kind:
        try:
            url = self._place.on_rules(lambda rules: rules.create_queue(name, attributes, now=self._place.now()))
        except ServiceFailure as failure:
            raise SettingsError(f"the queue {name!r} cannot be made: {failure.message}") from failure
        queue = self._by_name[name] = self._kind(name, url, dead)
        return queue

    def _found(self, name: str) -> Kind:
        """A queue that the code under test has made over the wire."""

        def there(rules: QueueService) -> str | None:
            return rules.registry.url(name) if name in rules.registry.by_name else None

        url = self._place.on_rules(there)
        if url is None:
            known = ", ".join(self._place.on_rules(lambda rules: sorted(rules.registry.by_name))) or "none"
            raise SettingsError(
                f"there is no queue {name!r} in this local cloud (there are: {known}): "
                f"make it with forebay_cloud.create_queue({name!r})"
            )
        return self._kind(name, url, None)
