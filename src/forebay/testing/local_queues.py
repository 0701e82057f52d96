"""The queues of a test's local cloud, by name and by URL.

Rules kept here and nowhere else:

1. A queue that is made here has a dead-letter queue unless the test says otherwise: where nothing can be buried,
   nothing can be given up either.
2. A worker whose code names its queues gets those of the same names; one that is missing is named, not made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from forebay.errors import SettingsError
from forebay.rules.queue_semantics import ServiceFailure
from forebay.testing.local_queue import Cloud, LocalQueue

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.cloud.sqs_server import SqsServer

FIFO_SUFFIX = ".fifo"
DEAD_SUFFIX = "-dead"


class Queues:
    """Every queue that the test has made."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._by_name: dict[str, LocalQueue] = {}

    def create(
        self, name: str, *, dead_letter: bool, receives_max: int, attributes: Mapping[str, str | int]
    ) -> LocalQueue:
        """Create a queue and, if wanted, its dead-letter queue. Raises `SettingsError` for what SQS refuses."""
        given = {key: str(value) for key, value in attributes.items()}
        if name.endswith(FIFO_SUFFIX):
            given = {"FifoQueue": "true", **given}
        dead: LocalQueue | None = None
        if dead_letter:
            stem = name.removesuffix(FIFO_SUFFIX)
            dead_name = stem + DEAD_SUFFIX + name[len(stem) :]
            kind = {"FifoQueue": "true"} if name.endswith(FIFO_SUFFIX) else {}
            dead = self._made(dead_name, kind, None)
            arn = self._cloud.on_server(lambda server: server.service.arn(dead_name))
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": str(receives_max)}
            given.setdefault("RedrivePolicy", json.dumps(policy))
        return self._made(name, given, dead)

    def find(self, name: str) -> LocalQueue:
        queue = self._by_name.get(name)
        if queue is None:
            queue = self._found(name)
        return queue

    def at(self, url: str) -> LocalQueue:
        """Return the queue of this URL."""
        return self.find(url.rpartition("/")[2])

    def urls_of(self, worker: Worker) -> list[str]:
        """Return the URLs of the queues that the worker's code names."""
        addresses = worker.home.addresses
        if not addresses:
            raise SettingsError(f"worker {worker.name!r} names no queue: say which one to work")
        return [self.at(address).url for address in addresses]

    def _made(self, name: str, attributes: Mapping[str, str], dead: LocalQueue | None) -> LocalQueue:
        try:
            url = self._cloud.on_server(lambda server: server.create_queue(name, **attributes))
        except ServiceFailure as failure:
            raise SettingsError(f"the queue {name!r} cannot be made: {failure.message}") from failure
        queue = self._by_name[name] = LocalQueue(self._cloud, name, url, dead)
        return queue

    def _found(self, name: str) -> LocalQueue:
        """A queue that the code under test has made over the wire."""

        def there(server: SqsServer) -> str | None:
            return server.service.registry.url(name) if name in server.service.registry.by_name else None

        url = self._cloud.on_server(there)
        if url is None:
            known = ", ".join(self._cloud.on_server(lambda server: sorted(server.service.registry.by_name))) or "none"
            raise SettingsError(
                f"there is no queue {name!r} in this local cloud (there are: {known}): "
                f"make it with forebay_cloud.create_queue({name!r})"
            )
        return LocalQueue(self._cloud, name, url, None)
