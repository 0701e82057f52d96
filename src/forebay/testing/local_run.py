"""Runs a worker for a test: the engine, driver, wire client and executors of production, on the cloud's own loop.

Rules kept here and nowhere else:

1. Requests go over real HTTP to the local SQS, in virtual time too; only waiting is skipped.
2. The worker's dice are the same in every run, and so are its back-offs.
3. No signal is touched, nothing is printed: lines go to the logger `forebay`, where `caplog` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from random import Random

import anyio

from forebay.api.parts import executors_for
from forebay.api.run import LoggedLines
from forebay.cloud.sqs_server import SqsServer
from forebay.handlers.registry import Registry
from forebay.model import Attempt
from forebay.observability.attempts import WORDS
from forebay.observability.reporter import Reporter
from forebay.protection.policy import Policy
from forebay.protection.port import Protection
from forebay.queue.calls import Caller
from forebay.queue.direct import DirectTransport
from forebay.queue.port import WAIT_MAX_S, Received
from forebay.queue.resolve import ClientConfig, Location, Resolver
from forebay.queue.sqs import SqsSource
from forebay.queue.transport import Transport
from forebay.queue.wire import SqsClient
from forebay.settings import WorkerSettings
from forebay.testing.local_clock import SkippingClock
from forebay.testing.local_drained import Drained, Until, moved_by_sqs
from forebay.testing.local_pacing import PacedExecutor, Raised, keeping_what_is_raised
from forebay.testing.local_report import JobAttempt, WorkReport
from forebay.worker.driver import Driver
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import Conclusion, Exit

CLOSE_WAIT_S = 1.0
REAL_POLL_S = 1.0
"""The longest poll in real time: a worker that stops waits for its open one to end."""


@dataclass(slots=True)
class Run:
    """One run of a worker, from its start to its report. All of it lives on the cloud's loop."""

    registry: Registry
    queues: Sequence[str]
    """URLs."""
    settings: WorkerSettings
    server: SqsServer
    config: ClientConfig
    clock: SkippingClock
    protection: Protection | None = None
    until: Until = "empty"
    _driver: Driver | None = None
    _engine: Engine | None = None
    _raised: Raised = field(default_factory=dict[int, BaseException])
    _recorder: KeepingRecorder | None = None
    _started_at: float = 0.0
    _moved_before: set[str] = field(default_factory=set[str])

    async def work(self) -> WorkReport:
        """Work until there is nothing left to do."""
        registry = keeping_what_is_raised(self.registry, self._raised)
        self._recorder = recorder = KeepingRecorder(Reporter(LoggedLines(), self.clock, log=self.settings.log))
        places = {
            runs: PacedExecutor(executor, self.clock)
            for runs, executor in executors_for(registry, self.settings.slots).items()
        }
        policy = Policy(
            mode=self.settings.protect,
            linger_s=self.settings.protection_linger_s,
            margin_s=self.settings.trust_margin_s,
            rng=Random(0),
            is_available=self.protection is not None,
        )
        self._engine = engine = Engine(self.settings, registry, self.queues, policy=policy, rng=Random(0))
        self._started_at = self.clock.now()
        self._moved_before = moved_by_sqs(self.server, self.queues)
        self.clock.runs += 1
        try:
            async with AsyncExitStack() as opened:
                sources = self._sources(opened)
                self._driver = Driver(engine, registry, sources, places, self.protection, recorder, self.clock)
                drained = Drained(
                    self.server, self.queues, self.clock, until=self.until,
                    holds_anything=lambda: engine.holds_anything, is_parked=recorder.has_parked,
                )  # fmt: skip
                ended = await self._drive(self._driver, drained)
                return self.report(ended)
        finally:
            self.clock.runs -= 1
            for place in places.values():
                # From a thread: joining others must not stop the loop that they may be calling.
                await anyio.to_thread.run_sync(partial(place.close, wait_s=CLOSE_WAIT_S))
            recorder.reporter.close()

    def stop_now(self) -> None:
        """Leave within a second, giving back what can be."""
        if self._driver is not None:
            self._driver.stop_now("the test has waited long enough")

    def report(self, ended: Exit | None = None) -> WorkReport:
        """What has been done so far."""
        assert self._recorder is not None
        assert self._engine is not None
        attempts = tuple(_told(conclusion, self._raised) for conclusion in self._recorder.conclusions)
        reason, status = ("still at work", 0) if ended is None else (ended.reason, ended.status)
        return WorkReport(
            attempts=attempts,
            ledger=self._engine.ledger,
            lasted_s=self.clock.now() - self._started_at,
            reason=reason,
            exit_status=status,
            moved=tuple(sorted(moved_by_sqs(self.server, self.queues) - self._moved_before)),
        )

    async def _drive(self, driver: Driver, drained: Drained) -> Exit:
        async def stop_when_drained() -> None:
            driver.stop(await drained.wait())

        ended: list[Exit] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_when_drained)
            ended.append(await driver.run())
            tasks.cancel_scope.cancel()
        return ended[0]

    def _sources(self, opened: AsyncExitStack) -> Mapping[str, SqsSource]:
        """Clients as production has them, but for the clock."""
        resolver = Resolver(self.config)
        sources: dict[str, _ShortPolls] = {}
        for url in self.queues:
            client = SqsClient(Caller(url, resolver, make_transport=self._transport, clock=self.clock))
            opened.push_async_callback(client.aclose)
            sources[url] = _ShortPolls(url, client, region=self.config.region)
            sources[url].wait_max_s = WAIT_MAX_S if self.clock.is_virtual else REAL_POLL_S
        return sources

    def _transport(self, location: Location, connections_max: int) -> Transport:
        return DirectTransport(location.endpoint, connections_max=connections_max, clock=self.clock)


class _ShortPolls(SqsSource):
    """A source whose polls end before long."""

    wait_max_s: float = WAIT_MAX_S

    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        return await super().receive(
            count_max=count_max, wait_s=min(wait_s, self.wait_max_s), visibility_s=visibility_s
        )


class KeepingRecorder:
    """Keeps every end of an attempt, beside telling it. Implements `worker.recorder.Recorder`."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.conclusions: list[Conclusion] = []
        self._parked: set[str] = set()

    def has_parked(self, message_id: str) -> bool:
        """Whether the worker has given this message up and could not bury it."""
        return message_id in self._parked

    def report(self, event: str, fields: Mapping[str, object], /) -> None:
        if event == "message.parked":
            self._parked.add(str(fields["message_id"]))
        self.reporter.report(event, fields)

    def started(self, attempts: Sequence[Attempt], /) -> None:
        self.reporter.started(attempts)

    def concluded(self, conclusions: Sequence[Conclusion], /) -> None:
        self.conclusions += conclusions
        self.reporter.concluded(conclusions)

    def tick(self) -> None:
        self.reporter.tick()


def _told(conclusion: Conclusion, raised: Raised) -> JobAttempt:
    attempt = conclusion.attempt
    return JobAttempt(
        job=attempt.job,
        message_id=attempt.message.message_id,
        attempt=attempt.message.receive_count,
        outcome=WORDS[type(conclusion.outcome)],
        settlement=conclusion.settlement,
        delay_s=conclusion.delay_s,
        lasted_s=conclusion.lasted_s,
        exception=raised.get(attempt.number),
    )
