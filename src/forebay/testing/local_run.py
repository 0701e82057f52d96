"""Runs a worker for a test: the engine, driver and executors of production, on the event loop of whoever calls.

Rules kept here and nowhere else:

1. A worker runs with the settings that `forebay run` would give it.
2. Its dice are the same in every run, and so are its back-offs.
3. No signal is touched, nothing is printed: lines go to the logger `forebay`, where `caplog` finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import anyio

from forebay.api.program import options_of
from forebay.api.run import LoggedLines
from forebay.handlers.registry import Registry
from forebay.observability.reporter import Reporter
from forebay.protection.policy import Policy
from forebay.protection.port import Protection
from forebay.queue.port import Source
from forebay.rules.queue_semantics import QueueService
from forebay.settings import WorkerSettings
from forebay.testing.kept import KeepingRecorder, told
from forebay.testing.local_clock import SkippingClock
from forebay.testing.local_drained import Drained, Until, moved_by_sqs
from forebay.testing.local_pacing import PacedExecutor, Raised
from forebay.testing.local_report import WorkReport
from forebay.worker.driver import TURN_S, Driver
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import Exit

if TYPE_CHECKING:
    from forebay.api.worker import Worker

Sources = AbstractAsyncContextManager[Mapping[str, Source]]

CLOSE_WAIT_S = 1.0
SKIPPED_TURN_S = 60.0
"""In virtual time the control loop turns when something is due: each turn costs real time, whatever it skips."""


def settings_of(worker: Worker, queues: Sequence[str], *, visibility_s: int | None = None) -> WorkerSettings:
    """Return the settings that `forebay run` would give the worker, for a test.

    The queues' rules say when they are empty. Many failures are no sign of a broken dependency: they are meant.
    """
    settings = options_of(worker, queues).settings
    return replace(settings, exit_when_empty=False, suspects=False, visibility_s=visibility_s or settings.visibility_s)


@dataclass(slots=True)
class Run:
    """One run of a worker, from its start to its report. All of it lives on one event loop."""

    registry: Registry
    """With handlers that keep what they raise in `raised`."""
    raised: Raised
    queues: tuple[str, ...]
    """URLs."""
    settings: WorkerSettings
    service: QueueService
    """The rules that the queues are of."""
    clock: SkippingClock
    open_sources: Callable[[], Sources]
    places: Mapping[str, PacedExecutor]
    protection: Protection | None = None
    until: Until = "empty"
    when_stopping: Callable[[], None] | None = None
    """Called when the worker has been asked to stop."""
    closes_places: bool = True
    """False where whoever calls keeps the executors for the next run."""
    code_still_runs: bool = field(default=False, init=False)
    """Whether the worker has left without the end of some code."""
    recorder: KeepingRecorder = field(init=False)
    _driver: Driver | None = None
    _engine: Engine = field(init=False)
    _started_at: float = 0.0
    _moved_before: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.recorder = KeepingRecorder(Reporter(LoggedLines(), self.clock, log=self.settings.log))
        policy = Policy(
            mode=self.settings.protect,
            linger_s=self.settings.protection_linger_s,
            margin_s=self.settings.trust_margin_s,
            rng=Random(0),
            is_available=self.protection is not None,
        )
        self._engine = Engine(self.settings, self.registry, self.queues, policy=policy, rng=Random(0))

    async def work(self) -> WorkReport:
        """Work until there is nothing left to do."""
        engine, recorder = self._engine, self.recorder
        self._started_at = self.clock.now()
        self._moved_before = moved_by_sqs(self.service, self.queues)
        self.clock.runs += 1
        try:
            async with self.open_sources() as sources:
                self._driver = Driver(
                    engine, self.registry, sources, self.places, self.protection, recorder, self.clock,
                    turn_s=SKIPPED_TURN_S if self.clock.is_virtual else TURN_S,
                )  # fmt: skip
                drained = Drained(
                    self.service, self.queues, self.clock, until=self.until,
                    holds_anything=lambda: engine.holds_anything, is_parked=recorder.has_parked,
                )  # fmt: skip
                recorder.on_concluded.append(drained.look_soon)
                ended = await self._drive(self._driver, drained)
                self.code_still_runs = ended.code_still_runs
                return self.report(ended)
        finally:
            self.clock.runs -= 1
            for place in self.places.values() if self.closes_places else ():
                # From a thread: joining others must not stop the loop that they may be calling.
                await anyio.to_thread.run_sync(partial(place.close, wait_s=CLOSE_WAIT_S))
            recorder.reporter.close()

    def stop(self, reason: str) -> None:
        """Drain. Before the driver is there, nothing has been received, and nothing is done."""
        if self._driver is not None:
            self._driver.stop(reason)
            if self.when_stopping is not None:
                self.when_stopping()

    def stop_now(self) -> None:
        """Leave within a second, giving back what can be."""
        if self._driver is not None:
            self._driver.stop_now("the test has waited long enough")

    def report(self, ended: Exit | None = None) -> WorkReport:
        """What has been done so far."""
        attempts = tuple(told(conclusion, self.raised) for conclusion in self.recorder.conclusions)
        reason, status = ("still at work", 0) if ended is None else (ended.reason, ended.status)
        return WorkReport(
            attempts=attempts,
            ledger=self._engine.ledger,
            lasted_s=self.clock.now() - self._started_at,
            reason=reason,
            exit_status=status,
            moved=tuple(sorted(moved_by_sqs(self.service, self.queues) - self._moved_before)),
        )

    async def _drive(self, driver: Driver, drained: Drained) -> Exit:
        async def stop_when_drained() -> None:
            self.stop(await drained.wait())

        ended: list[Exit] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_when_drained)
            ended.append(await driver.run())
            tasks.cancel_scope.cancel()
        return ended[0]
