"""The autoscaler of the local cloud: a scaling law between the queue's metrics and the service's desired count.

Rules kept here and nowhere else:

1. The clock of metrics and law runs faster by the time lapse; jobs, leases and the starting of tasks do not.
2. What was decided is told when it changes something, or when its reason is another than the last one's; a line every
   period that says the same again is no news.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING

from forebay.local.queue_meter import LocalQueueMeter
from forebay.scaling.controller import Controller
from forebay.scaling.law_clock import LapsedMeter, LawClock
from forebay.scaling.port import Decision, ServiceReading
from forebay.scaling.settings import TargetTrackingSettings, backlog_target
from forebay.scaling.target_tracking import TargetTracking

if TYPE_CHECKING:
    from forebay.cloud.ecs_cluster import LocalCluster
    from forebay.cloud.ecs_service import LocalService
    from forebay.cloud.sqs_server import SqsServer
    from forebay.local.port import Told

TOLD_MAX = 40


class LocalScalable:
    """A service of the local ECS as a controller sees it. A `scaling.port.ScalableService`."""

    def __init__(self, service: LocalService) -> None:
        self._service = service

    async def read(self) -> ServiceReading:
        counts = self._service.reading_counts()
        return ServiceReading(
            desired=counts.desired,
            running=counts.running,
            pending=counts.pending,
            protected=counts.protected,
            is_deploying=counts.is_deploying,
        )

    async def set_desired(self, count: int) -> None:
        self._service.set_desired(count)


class Autoscaler:
    """A controller that runs until it is closed, and what it has decided. Lives on the running asyncio loop."""

    def __init__(
        self,
        service: LocalService,
        *,
        sqs: SqsServer,
        cluster: LocalCluster,
        queue_url: str,
        settings: TargetTrackingSettings,
        time_lapse: float,
    ) -> None:
        self.metric: float | None = None
        """What the law measured last."""
        self.target = settings.target
        self._told: deque[Told] = deque(maxlen=TOLD_MAX)
        self._number = 0
        self._last_reason = ""
        self._clock = LawClock(cluster.clock, time_lapse=time_lapse)
        self._controller = Controller(
            TargetTracking(settings),
            LapsedMeter(LocalQueueMeter(sqs.metrics, queue_url), self._clock),
            LocalScalable(service),
            clock=self._clock,
            on_decision=self._decided,
        )
        self._running = asyncio.ensure_future(self._controller.run())

    @property
    def is_on(self) -> bool:
        """Whether the law sets the count."""
        return not self._controller.is_paused

    @property
    def failure(self) -> BaseException | None:
        """Why the controller has ended by itself, which only a bug makes it do; None while it runs."""
        is_over = self._running.done() and not self._running.cancelled()
        return self._running.exception() if is_over else None

    def switch(self, *, is_on: bool) -> None:
        """Let the law set the count, or leave it to a person."""
        if is_on:
            self._controller.resume()
        else:
            self._controller.pause()

    def told(self) -> list[Told]:
        """Return what was decided, the newest first."""
        return list(self._told)

    async def aclose(self) -> None:
        """End the controller."""
        self._running.cancel()
        await asyncio.wait((self._running,))

    def _decided(self, decision: Decision, service: ServiceReading | None) -> None:
        self.metric = decision.metric
        changes = decision.desired is not None and (service is None or decision.desired != service.desired)
        if not changes and kind_of(decision.reason) == self._last_reason:
            return
        self._last_reason = kind_of(decision.reason)
        self._number += 1
        at_utc = self._clock.utc().strftime("%Y-%m-%dT%H:%M:%SZ")
        self._told.appendleft({"number": self._number, "at_utc": at_utc, "text": decision.reason})


def kind_of(reason: str) -> str:
    """Return a reason without its figures: equal for reasons that say the same of other figures."""
    return re.sub(r"\d[\d,.]*", "0", reason)


def law_settings(
    *, count_min: int, count_max: int, latency_s: float, slots: int, job_s: float
) -> TargetTrackingSettings:
    """Return the settings of the law that keeps the wait below `latency_s`."""
    return TargetTrackingSettings(
        target=backlog_target(latency_s, slots, job_s), count_min=count_min, count_max=count_max
    )
