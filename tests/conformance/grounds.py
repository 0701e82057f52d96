"""The grounds on which the conformance suite runs: the pure model, our server by two clients, and moto.

Rules kept here and nowhere else:

1. A ground is opened once for all scenarios; every scenario has queues of its own.
2. Time passes on our server by moving its clock, on moto by waiting in a long poll on a queue that stays empty.
"""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import boto3
import trio
import trio.testing
from botocore.config import Config

from forebay.clock import SystemClock
from forebay.cloud.background import InThread
from forebay.cloud.sqs_server import SqsServer
from forebay.queue.port import Outgoing, Sent, Source
from forebay.queue.resolve import ClientConfig
from forebay.queue.signing import Credentials
from forebay.queue.sink import SqsSink
from forebay.queue.sqs import SqsSource
from forebay.testing.conformance import Scenario
from forebay.testing.conformance.boto3_source import Boto3Source
from forebay.testing.conformance.memory import run_on_memory

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
_numbers = itertools.count(1)


class Ground(Protocol):
    """Something that can run a scenario."""

    @abstractmethod
    def run(self, scenario: Scenario) -> None:
        """Run it; raise AssertionError where the source is not as SQS."""
        ...


class MemoryGround:
    """The pure rules behind `MemorySource`, in virtual time."""

    def run(self, scenario: Scenario) -> None:
        trio.run(run_on_memory, scenario, clock=trio.testing.MockClock(autojump_threshold=0))


class JumpingClock(SystemClock):
    """The machine's clock, and how far tests have moved it ahead."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s

    def utc(self) -> datetime:
        return super().utc() + timedelta(seconds=self.ahead_s)


class WireGround:
    """A server at `endpoint`, reached through our client or through boto3."""

    def __init__(self, endpoint: str, *, by_boto3: bool, pass_time: Callable[[float], None]) -> None:
        self._by_boto3 = by_boto3
        self._pass_time = pass_time
        self.boto3 = client_of(endpoint)
        self._config = ClientConfig(endpoint_url=endpoint, region=REGION, credentials=Credentials("local", "local"))

    def run(self, scenario: Scenario) -> None:
        anyio.run(self._run, scenario)

    async def _run(self, scenario: Scenario) -> None:
        async with AsyncExitStack() as stack:
            await scenario(_WireHarness(self.boto3, self._config, self._by_boto3, self._pass_time, stack))


class _WireHarness:
    """One scenario's view of a wire ground."""

    def __init__(
        self,
        boto3: SQSClient,
        config: ClientConfig,
        by_boto3: bool,
        pass_time: Callable[[float], None],
        stack: AsyncExitStack,
    ) -> None:
        self._boto3 = boto3
        self._config = config
        self._by_boto3 = by_boto3
        self._pass_time = pass_time
        self._stack = stack
        self._sources: dict[str, Source] = {}

    async def create_queue(self, name: str, **attributes: str) -> str:
        name = f"{name}-{next(_numbers)}"
        answer = await anyio.to_thread.run_sync(
            lambda: self._boto3.create_queue(QueueName=name, Attributes=_any(attributes))
        )
        return answer["QueueUrl"]

    async def arn(self, key: str) -> str:
        answer = await anyio.to_thread.run_sync(
            lambda: self._boto3.get_queue_attributes(QueueUrl=key, AttributeNames=["QueueArn"])
        )
        return answer["Attributes"]["QueueArn"]

    def missing(self) -> str:
        return f"{self._boto3.meta.endpoint_url}/000000000000/missing"

    def source(self, key: str) -> Source:
        if key not in self._sources:
            if self._by_boto3:
                self._sources[key] = Boto3Source(self._boto3, key, self.now)
            else:
                source = self._sources[key] = SqsSource.open(key, self._config)
                self._stack.push_async_callback(source.aclose)
        return self._sources[key]

    async def send(self, key: str, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        if self._by_boto3:
            return await Boto3Source(self._boto3, key, self.now).send(messages)
        sink = SqsSink.open(key, self._config)
        try:
            return await sink.send(messages)
        finally:
            await sink.aclose()

    async def pass_time(self, seconds: float) -> None:
        await anyio.to_thread.run_sync(self._pass_time, seconds)

    def now(self) -> float:
        return time.monotonic()


def client_of(endpoint: str) -> SQSClient:
    """Return a boto3 client of the server at `endpoint`, that repeats nothing by itself."""
    return boto3.client(
        "sqs",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
    )


@contextmanager
def local_ground(*, by_boto3: bool) -> Iterator[WireGround]:
    """Open our own server, whose clock jumps."""
    clock = JumpingClock()
    with InThread(lambda: SqsServer(clock=clock)) as running:

        def pass_time(seconds: float) -> None:
            def jump(server: SqsServer) -> None:
                clock.ahead_s += seconds
                server.turn()

            running.call(jump)

        yield WireGround(running.service.endpoint_url, by_boto3=by_boto3, pass_time=pass_time)


@contextmanager
def moto_ground() -> Iterator[WireGround]:
    """Open moto's server, an outside witness, in real time."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = client_of(endpoint)
        empty = client.create_queue(QueueName="empty")["QueueUrl"]

        def pass_time(seconds: float) -> None:
            ends_at = time.monotonic() + seconds
            while time.monotonic() < ends_at:
                client.receive_message(QueueUrl=empty, WaitTimeSeconds=1)

        yield WireGround(endpoint, by_boto3=False, pass_time=pass_time)
        client.close()
    finally:
        server.stop()


def _any(value: object) -> Any:
    """Attributes are texts to us and a typed dictionary to boto3's stubs."""
    return value
