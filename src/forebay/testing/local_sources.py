"""The wire clients of a test's worker: those of production, but for the clock.

Rules kept here and nowhere else:

1. Requests go over real HTTP to the local SQS, in virtual time too; only waiting is skipped.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from forebay.clock import Clock
from forebay.queue.calls import Caller
from forebay.queue.direct import DirectTransport
from forebay.queue.port import WAIT_MAX_S, Received, Source
from forebay.queue.resolve import ClientConfig, Location, Resolver
from forebay.queue.sqs import SqsSource
from forebay.queue.transport import Transport
from forebay.queue.wire import SqsClient

REAL_POLL_S = 1.0
"""The longest poll in real time: a worker that stops waits for its open one to end."""


@asynccontextmanager
async def local_sources(
    urls: Sequence[str], config: ClientConfig, clock: Clock, *, is_virtual: bool
) -> AsyncGenerator[Mapping[str, Source]]:
    """Make a source for each queue, closed with the block."""

    def transport(location: Location, connections_max: int) -> Transport:
        return DirectTransport(location.endpoint, connections_max=connections_max, clock=clock)

    resolver = Resolver(config)
    sources: dict[str, Source] = {}
    async with AsyncExitStack() as opened:
        for url in urls:
            client = SqsClient(Caller(url, resolver, make_transport=transport, clock=clock))
            opened.push_async_callback(client.aclose)
            source = sources[url] = _ShortPolls(url, client, region=config.region)
            source.wait_max_s = WAIT_MAX_S if is_virtual else REAL_POLL_S
        yield sources


class _ShortPolls(SqsSource):
    """A source whose polls end before long."""

    wait_max_s: float = WAIT_MAX_S

    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        return await super().receive(
            count_max=count_max, wait_s=min(wait_s, self.wait_max_s), visibility_s=visibility_s
        )
