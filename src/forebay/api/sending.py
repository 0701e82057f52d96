"""How a producer's messages leave: the port, and SQS behind it, found when the first message is sent.

Rules kept here and nowhere else:

1. Nothing is imported, looked up or opened before the first message. A queue that is given by name is looked up once.
2. Where the service is and with which credentials comes from the process's environment, as for `forebay run`.
3. Who names another endpoint in the environment, as tests do, is followed with the next message.
4. While something takes the messages of all queues for itself, as a test in memory does, nothing leaves the process.
5. All `Queue`s of one address in a process share one way out, and so its connections: a web view may make one anew for
   each request.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

from forebay.api.first_use import loaded
from forebay.queue.port import Outgoing, Sent

if TYPE_CHECKING:
    from forebay.queue.resolve import ClientConfig
    from forebay.queue.sender import Producer


_ENDPOINTS = ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL")


class Sender(Protocol):
    """The way out for one queue's messages: a face for threads and one for coroutines, usable from anywhere."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send, and block until each message is answered for, in order."""
        ...

    async def asend(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send from a coroutine; the answer has one `Sent` for each message, in order."""
        ...


class Catch(Protocol):
    """Takes messages that would go to SQS: see `caught_by`. Called from any thread; never blocks for long."""

    def has(self, address: str, /) -> bool:
        """Say whether this queue is its own. What no catch has goes to the one that came last."""
        ...

    def take(self, address: str, messages: Sequence[Outgoing], /) -> Sequence[Sent]:
        """Take the messages for this queue (a URL or a name) and answer for each, in order."""
        ...


_catches: list[Catch] = []


@contextmanager
def caught_by(catch: Catch) -> Generator[None]:
    """Give `catch` whatever is sent to SQS by this process until the block ends."""
    _catches.append(catch)
    try:
        yield
    finally:
        _catches.remove(catch)


def _catch_of(address: str) -> Catch | None:
    own = [catch for catch in _catches if catch.has(address)] or _catches
    return own[-1] if own else None


def is_caught() -> bool:
    """Say whether what is sent now stays in the process."""
    return bool(_catches)


@cache
def sqs_sender(address: str) -> SqsSender:
    """Return this process's way to the queue of this URL or name."""
    return SqsSender(address)


class SqsSender:
    """Sends to an SQS queue that is known by its URL or by its name."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._producer: Producer | None = None
        self._endpoints: tuple[str | None, ...] = ()
        """What the environment said of endpoints when the producer was found."""

    @property
    def is_open(self) -> bool:
        """Whether anything has been sent yet."""
        return self._producer is not None

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        catch = _catch_of(self._address)
        if catch is not None:
            return catch.take(self._address, messages)
        from forebay.queue.sender import in_private_loop

        known = self._known()
        producer = known if known is not None else in_private_loop(self._find())
        return producer.send(messages)

    async def asend(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        catch = _catch_of(self._address)
        if catch is not None:
            return catch.take(self._address, messages)
        known = self._known()
        producer = known if known is not None else await self._find()
        return await producer.asend(messages)

    def _known(self) -> Producer | None:
        return self._producer if self._endpoints == _endpoints() else None

    async def _find(self) -> Producer:
        """Return the producer, from now on kept. Two that look at the same time may both ask; one answer stays."""
        await loaded("forebay.queue.resolve", "forebay.queue.sender")
        from forebay.queue.resolve import ClientConfig
        from forebay.queue.sender import Producer

        endpoints = _endpoints()
        config = ClientConfig.from_environment(os.environ)
        url = self._address if "://" in self._address else await _looked_up(self._address, config)
        known = self._known()
        if known is None:
            known = self._producer = Producer(url, config)
            self._endpoints = endpoints  # Last: whoever sees it finds the producer that belongs to it.
        return known


def _endpoints() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in _ENDPOINTS)


async def _looked_up(name: str, config: ClientConfig) -> str:
    from forebay.queue.calls import Caller
    from forebay.queue.wire import SqsClient

    client = SqsClient(Caller.from_config(name, config))
    try:
        return await client.get_queue_url(name)
    finally:
        await client.aclose()
