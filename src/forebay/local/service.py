"""One worker service of the local cloud: its queues, its tasks, what they have told, and what scales it.

Rules kept here and nowhere else:

1. What a task does is known from its own lines; that it lives, from the scheduler. Neither is guessed from the other.
2. Its queues are made with it and end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_service import LocalService, NoSuchTask
from forebay.cloud.sqs_server import SqsServer
from forebay.local.autoscaler import Autoscaler
from forebay.local.figures import (
    TOLD_MAX,
    deployment_figures,
    percentiles_figures,
    task_figures,
    utc_text,
)
from forebay.local.heard import Heard
from forebay.local.output import event_of
from forebay.local.port import ControlError, ServiceFigures, Told
from forebay.local.queues import WorkedQueues
from forebay.rules.ecs_refusals import SchedulerRefusal
from forebay.rules.ecs_vocabulary import ServiceEvent, ServicePlan, TaskRecord

END_POLLS_S = 0.1
USAGE_STATUS = 2
"""What a worker exits with when its options or its TARGET are wrong (DESIGN.md section 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOrder:
    """What a service is to be."""

    plan: ServicePlan
    queue: str
    queues_of_jobs: Sequence[str] = ()
    """Queues that single jobs are sent to. Worked as the other one is."""
    command: Sequence[str]
    environment: Mapping[str, str]
    """Beside the queue's address, which comes from here."""
    count_min: int
    count_max: int
    slots: int | None = None
    """Of each task; None until the tasks have told."""


class WorkedService:
    """A service and its queue. Lives on the running asyncio loop."""

    def __init__(
        self,
        order: ServiceOrder,
        *,
        sqs: SqsServer,
        cluster: LocalCluster,
        on_line: Callable[[str, bytes, Mapping[str, object] | None], None],
    ) -> None:
        self.order = order
        self._sqs = sqs
        self._cluster = cluster
        self._on_line = on_line
        self.heard = Heard()
        self.autoscaler: Autoscaler | None = None
        self.left_badly = 0
        """Tasks that were asked to stop at the end and did not exit with 0."""
        self._task_s = 0.0
        self._busy_slot_s = 0.0
        self._event_numbers: dict[str, int] = {}
        self.queues = WorkedQueues(sqs, order.queue, order.queues_of_jobs)
        self.ecs: LocalService = cluster.add_service(
            order.plan,
            order.command,
            {
                **order.environment,
                "FOREBAY_QUEUE_URL": " ".join(self.queues.urls),
                "FOREBAY_DEAD_LETTER": self.queues.dead_url,
            },
            on_line=self._spoken,
        )

    @property
    def queue_url(self) -> str:
        """The main queue's."""
        return self.queues.main_url

    async def remove(self) -> None:
        """End the service and its queues."""
        if self.autoscaler is not None:
            await self.autoscaler.aclose()
        await self._cluster.remove_service(self.order.plan.name)
        self.queues.delete(now=self._cluster.clock.now())

    def _spoken(self, task_id: str, line: bytes) -> None:
        event = event_of(line)
        if event is not None:
            self.heard.feed(task_id, event, self._cluster.clock.now())
        self._on_line(task_id, line, event)

    # ── what the tasks say ─────────────────────────────────────────────────────────────────────────────────

    @property
    def tasks(self) -> Mapping[str, TaskRecord]:
        return self.ecs.tasks

    def alive(self) -> list[TaskRecord]:
        """The tasks whose process runs."""
        return [task for task in self.tasks.values() if task.started_at is not None and task.stopped_at is None]

    def slots(self) -> int:
        """Of one task, as the newest has told, or as they were ordered."""
        return self.heard.slots() or self.order.slots or 0

    def killed(self) -> int:
        """How many tasks have worked, and ended without a ledger."""
        return self.heard.killed({task.task_id for task in self.tasks.values() if task.stopped_at is None})

    def refused_settings(self) -> int | None:
        """The exit status of the first task, if it would not start at all because of how it was asked to.

        None: it has not, or another has started; then ECS goes on trying, as after a deployment that does not work.
        """
        if self.heard.has_started():
            return None
        return next((task.exit_code for task in self.tasks.values() if task.exit_code == USAGE_STATUS), None)

    def tick(self, since_last_s: float) -> None:
        """Count the compute that was used since the last time."""
        self._task_s += since_last_s * self.running_tasks()
        self._busy_slot_s += since_last_s * self.busy_slots()

    # ── what a comparison asks ─────────────────────────────────────────────────────────────────────────────

    def are_ready(self) -> bool:
        ready = [task for task in self.alive() if self.heard.of(task.task_id).has_started]
        return len(ready) == self.order.plan.desired_count

    def running_tasks(self) -> int:
        return len(self.alive())

    def busy_slots(self) -> int:
        return sum(self.heard.of(task.task_id).running_jobs for task in self.alive())

    def waiting(self) -> int:
        return self.queues.visible()

    def done(self) -> int:
        return self.heard.ledger().get("succeeded", 0)

    # ── what the page shows ────────────────────────────────────────────────────────────────────────────────

    def log_lines(self, task_id: str, count_max: int) -> list[str]:
        """The last lines of a task. Raises ControlError."""
        try:
            return self.ecs.log_lines(task_id, count_max)
        except NoSuchTask as error:
            raise ControlError(str(error)) from None

    def figures(self) -> ServiceFigures:
        now = self._cluster.clock.now()
        view = self.ecs.view()
        scaler = self.autoscaler
        return {
            "name": self.order.plan.name,
            "queue_url": self.queue_url,
            "desired": view.desired_count,
            "running": view.running_count,
            "pending": view.pending_count,
            "protected": view.protected_count,
            "count_min": self.order.count_min,
            "count_max": self.order.count_max,
            "slots": self.slots(),
            "is_scaled": scaler is not None and scaler.is_on,
            "scaling_metric": None if scaler is None else scaler.metric,
            "scaling_target": None if scaler is None else scaler.target,
            "queue": self.queues.figures(),
            "wait": percentiles_figures(self._sqs.metrics.wait(self.queue_url)),
            "run": percentiles_figures(self.heard.run(now)),
            "task_seconds": round(self._task_s, 1),
            "busy_slot_seconds": round(self._busy_slot_s, 1),
            "ledger": self.heard.ledger(),
            "tasks": [task_figures(task, self.ecs, self.heard.of(task.task_id), now) for task in view.tasks],
            "deployments": [deployment_figures(one, view.tasks) for one in view.deployments],
            "events": self._told_events(view.events),
            "decisions": [] if scaler is None else scaler.told(),
        }

    def _told_events(self, events: Sequence[ServiceEvent]) -> list[Told]:
        """Return the newest events, each under the number that it got when it was first seen."""
        for event in reversed(events):
            self._event_numbers.setdefault(event.event_id, len(self._event_numbers) + 1)
        wall = self._cluster.wall
        return [
            {"number": self._event_numbers[event.event_id], "at_utc": utc_text(wall, event.at), "text": event.message}
            for event in events[:TOLD_MAX]
        ]

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────

    def deploy(self) -> int:
        """Deploy a new revision; return its number. Raises ControlError when ECS refuses it."""
        try:
            return self.ecs.deploy()
        except SchedulerRefusal as error:
            raise ControlError(error.message) from None

    async def drain(self, end_polls: Callable[[], None]) -> None:
        """Stop every task by SIGTERM, protected or not, and wait for the last.

        `end_polls` ends the long polls that are open: no worker has to wait for messages that will not come. It is
        called again and again, since one may have been on its way.
        """
        stopped = [task.task_id for task in self.tasks.values() if task.stopped_at is None]
        self.ecs.set_desired(0)
        for task_id in stopped:
            self.ecs.stop_task(task_id, "The local cloud is stopping")
        ended = asyncio.ensure_future(
            self.ecs.wait_until(lambda: all(self.tasks[task_id].stopped_at is not None for task_id in stopped))
        )
        try:
            # First the signal, then the poll: who hears of them in this order begins no other.
            while not (await asyncio.wait((ended,), timeout=END_POLLS_S))[0]:
                end_polls()
        finally:
            ended.cancel()
        # One that is stopped before its worker has begun ends by the signal itself, and loses nothing.
        begun = [self.tasks[task_id].exit_code for task_id in stopped if self.heard.of(task_id).has_started]
        self.left_badly = sum(1 for exit_code in begun if exit_code not in (0, None))

    def terminate_again(self) -> None:
        """Send SIGTERM once more to whatever still runs."""
        for task in self.alive():
            process = self.ecs.task_process(task.task_id)
            if process is not None:
                process.terminate()
