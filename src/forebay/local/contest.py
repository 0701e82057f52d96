"""The two services and queues of a comparison: made for it, drawn by `SpikeTwice`, and ended with it.

Rules kept here and nowhere else:

1. Both sides run the sample worker with the same slots; only the number of tasks differs.
2. When both are done their tasks are stopped, and the drawing stays. So it is when the spike cannot be sent.
3. Each comparison has queues of its own names: SQS keeps the name of a deleted one for 60 s.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.sqs_server import SqsServer
from forebay.local.assembly import worker_command
from forebay.local.comparison import SLOTS, SpikeTwice, tasks_for_all_at_once
from forebay.local.port import Comparison, ControlError
from forebay.local.sending import Producer
from forebay.local.service import ServiceOrder, WorkedService
from forebay.rules.ecs_vocabulary import ServicePlan

FEW = 1
"""Tasks of the smoothed side."""
STOP_TIMEOUT_S = 30.0
QUEUE_PREFIX = "forebay-spike-"


class Contest:
    """One comparison. Lives on the running asyncio loop."""

    def __init__(
        self, count: int, job_ms: int, *, sqs: SqsServer, cluster: LocalCluster, environment: Mapping[str, str]
    ) -> None:
        _delete_leftovers(sqs, cluster)
        self._count = count
        self._job_ms = job_ms
        self._sides = {
            name: _side(name, tasks, sqs=sqs, cluster=cluster, environment=environment)
            for name, tasks in (("at-once", tasks_for_all_at_once(count)), ("smoothed", FEW))
        }
        self._producers = [Producer(side.queue_url, dict(environment)) for side in self._sides.values()]
        self._sending: list[asyncio.Task[int]] = []
        self._twice = SpikeTwice(
            jobs=count,
            job_ms=job_ms,
            at_once=self._sides["at-once"],
            smoothed=self._sides["smoothed"],
            send=self._send,
        )
        self._is_closed = False

    @property
    def is_done(self) -> bool:
        return self._twice.state == "done"

    def services(self) -> list[WorkedService]:
        """The services that are still there."""
        return [] if self._is_closed else list(self._sides.values())

    def figures(self) -> Comparison:
        return self._twice.figures()

    async def look(self, now: float) -> None:
        """Draw on; when both sides are done, end them."""
        if self._is_closed:
            return
        self._twice.look(now)
        if self.is_done:
            await self.aclose()

    async def aclose(self) -> None:
        """End both services and their queues; the drawing stays."""
        if self._is_closed:
            return
        self._is_closed = True
        self._twice.state = "done"
        for sending in self._sending:
            sending.cancel()
        if self._sending:
            await asyncio.wait(self._sending)
        for producer in self._producers:
            await producer.aclose()
        for side in self._sides.values():
            await side.remove()

    def _send(self) -> None:
        """Put the spike into both queues, side by side."""
        for producer in self._producers:
            sending = asyncio.create_task(producer.send(self._count, self._job_ms))
            sending.add_done_callback(self._sent)
            self._sending.append(sending)

    def _sent(self, sending: asyncio.Task[int]) -> None:
        error = None if sending.cancelled() else sending.exception()
        if isinstance(error, ControlError):
            self._twice.state = "done"  # What was not sent will never be done.
        elif error is not None:
            raise error


def _delete_leftovers(sqs: SqsServer, cluster: LocalCluster) -> None:
    """Delete the queues of a comparison that was killed, and kept."""
    for name in [name for name in sqs.service.registry.by_name if name.startswith(QUEUE_PREFIX)]:
        sqs.service.delete_queue(sqs.service.registry.url(name), now=cluster.clock.now())


def _side(
    name: str, tasks: int, *, sqs: SqsServer, cluster: LocalCluster, environment: Mapping[str, str]
) -> WorkedService:
    order = ServiceOrder(
        plan=ServicePlan(name=name, desired_count=tasks, stop_timeout_s=STOP_TIMEOUT_S),
        queue=f"{QUEUE_PREFIX}{name}-{uuid.uuid4().hex[:6]}",
        command=worker_command(["--slots", str(SLOTS)]),
        environment=environment,
        count_min=tasks,
        count_max=tasks,
        slots=SLOTS,
    )
    return WorkedService(order, sqs=sqs, cluster=cluster, on_line=_heard_only)


def _heard_only(_task_id: str, _line: bytes, _event: Mapping[str, object] | None) -> None:
    """The lines of a comparison's tasks are counted and kept, and not shown on the terminal."""
