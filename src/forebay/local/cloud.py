"""The local cloud as its views know it: a picture of it, and a hand on all of it.

Rules kept here and nowhere else:

1. Everything here happens on one event loop; what is looked at regularly is looked at in one place, `_tick`.
2. A person who sets the desired count takes over from the autoscaler, until it is switched on again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType

from forebay.cloud.ecs_service import NoSuchTask
from forebay.errors import SettingsError
from forebay.local.assembly import Assembly, TaskLine
from forebay.local.contest import Contest
from forebay.local.faults import Faults
from forebay.local.plan import LocalPlan
from forebay.local.port import ControlError, Picture
from forebay.local.sending import check_jobs
from forebay.local.service import WorkedService
from forebay.local.summary import RunFigures
from forebay.platform import process_id

TICK_S = 0.25
TASKS_MAX = 100


class Cloud:
    """The local cloud. Implements `local.port.LocalCloud`; lives on the running asyncio loop."""

    def __init__(self, plan: LocalPlan, endpoint_port: int, on_line: TaskLine) -> None:
        self._parts = Assembly(plan, endpoint_port, on_line)
        self._clock = self._parts.cluster.clock
        self._faults = Faults(sqs=self._parts.sqs.chaos, agent=self._parts.cluster.agent.chaos)
        self._began_at = self._clock.now()
        self._contest: Contest | None = None
        self._is_stopping = False
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Cloud:
        await self._parts.__aenter__()
        loop = asyncio.get_running_loop()
        self._running = [loop.create_task(self._tick()), loop.create_task(self._stream())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)
        if self._contest is not None:
            await self._contest.aclose()
        await self._parts.__aexit__(kind, error, at)

    # ── addresses ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def main(self) -> WorkedService:
        return self._parts.main

    @property
    def queue_url(self) -> str:
        return self.main.queue_url

    def for_programs(self) -> dict[str, str]:
        """Return the variables that point boto3, the AWS CLI, `forebay send` and `forebay status` here."""
        return self._parts.for_programs()

    # ── what is looked at ──────────────────────────────────────────────────────────────────────────────────

    async def _tick(self) -> None:
        """Do what is to be done again and again."""
        clock = self._clock
        last_at = clock.now()
        while True:
            await asyncio.sleep(TICK_S)
            now = clock.now()
            self._faults.turn(now)
            for service in self._services():
                service.tick(now - last_at)
            if self._contest is not None:
                await self._contest.look(now)
            last_at = now

    async def _stream(self) -> None:
        """Send the steady stream of jobs. Apart from `_tick`, which must go on when SQS does not answer."""
        last_at = self._clock.now()
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock.now()
            try:
                await self._parts.producer.keep_rate(now - last_at)
            except ControlError:
                # SQS does not take them, which the page shows by itself; the stream goes on when it does again.
                pass
            last_at = now

    def failure(self) -> BaseException | None:
        """What has ended one of the parts that should never end: a bug of ours, or a full disk. None: nothing has."""
        if (unkept := self._parts.sqs.journal.failure) is not None:
            return SettingsError(f"--data: {unkept}")
        ended = [task.exception() for task in self._running if task.done() and not task.cancelled()]
        return next((error for error in ended if error is not None), self._parts.autoscaler.failure)

    def _services(self) -> list[WorkedService]:
        return [self.main, *(self._contest.services() if self._contest is not None else ())]

    def is_drained(self) -> bool:
        """Say whether something was in the main service's queues, sent now or kept, and nothing of it is left."""
        queues = self.main.queues
        now = queues.figures()
        return now["sent"] + queues.found > 0 and now["visible"] + now["in_flight"] + now["delayed"] == 0

    @property
    def refused_settings(self) -> int | None:
        """The exit status of a worker that refuses its settings; None: none has."""
        return self.main.refused_settings()

    def picture(self) -> Picture:
        """Return the local cloud as it is now."""
        now = self._clock.now()
        return {
            "at_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "up_s": round(now - self._began_at, 1),
            "process_id": process_id(),
            "endpoint": self._parts.door.endpoint_url,
            "time_lapse": self._parts.plan.time_lapse,
            "rate_per_s": self._parts.producer.rate_per_s,
            "can_send": self._parts.plan.is_sample,
            "services": [service.figures() for service in self._services()],
            "faults": self._faults.figures(now),
            "comparison": None if self._contest is None else self._contest.figures(),
            "is_stopping": self._is_stopping,
        }

    def figures(self) -> RunFigures:
        """Return what there is to tell at the end."""
        main, queue = self.main, self.main.queues.figures()
        return RunFigures(
            ledger=main.heard.printed_ledger(),
            ledgers=main.heard.ledgers(),
            killed=main.killed(),
            left_badly=main.left_badly,
            sent=queue["sent"],
            deleted=queue["deleted"],
            left=queue["visible"] + queue["in_flight"] + queue["delayed"],
            dead=queue["dead"],
            requests=sum(self._parts.sqs.counts.requests.values()),
        )

    def log_lines(self, task_id: str, count_max: int) -> Sequence[str]:
        return self._owner(task_id).log_lines(task_id, count_max)

    def _owner(self, task_id: str) -> WorkedService:
        for service in self._services():
            if task_id in service.tasks:
                return service
        raise ControlError(f"there is no task {task_id}; it may have ended more than an hour ago")

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────

    async def drain(self) -> None:
        """Stop every task by SIGTERM and wait for all of them; the scheduler kills those that take too long."""
        self._is_stopping = True
        self._parts.autoscaler.switch(is_on=False)
        self._parts.producer.set_rate(0, 0)
        if self._contest is not None:
            await self._contest.aclose()
        await self.main.drain(self._parts.sqs.end_polls)

    def terminate_again(self) -> None:
        """Send SIGTERM once more to whatever still runs: to a worker it means to leave at once."""
        self.main.terminate_again()

    # ── controls ───────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, count: int, job_ms: int) -> int:
        return await self._parts.producer.send(count, job_ms)

    def set_rate(self, per_s: float, job_ms: int) -> None:
        self._not_while_stopping()
        self._parts.producer.set_rate(per_s, job_ms)

    def set_desired(self, count: int) -> None:
        self._not_while_stopping()
        if not 0 <= count <= TASKS_MAX:
            raise ControlError(f"{count} tasks is outside 0 to {TASKS_MAX}")
        self._parts.autoscaler.switch(is_on=False)
        self.main.ecs.set_desired(count)

    def set_scaled(self, is_scaled: bool) -> None:
        self._not_while_stopping()
        self._parts.autoscaler.switch(is_on=is_scaled)

    def deploy(self) -> int:
        self._not_while_stopping()
        return self.main.deploy()

    def stop_task(self, task_id: str) -> None:
        self._act(task_id, lambda service: service.ecs.stop_task(task_id))

    def kill(self, task_id: str) -> None:
        self._act(task_id, lambda service: service.ecs.kill(task_id))

    def freeze(self, task_id: str, is_frozen: bool) -> None:
        self._act(task_id, lambda service: service.ecs.freeze(task_id, is_frozen))

    def interrupt_spot(self, task_id: str) -> None:
        self._act(task_id, lambda service: service.ecs.interrupt_spot(task_id))

    def _act(self, task_id: str, action: Callable[[WorkedService], None]) -> None:
        service = self._owner(task_id)
        if service.tasks[task_id].stopped_at is not None:
            raise ControlError(f"task {task_id[:8]} has stopped already")
        try:
            action(service)
        except NoSuchTask as error:
            raise ControlError(str(error)) from None

    def hole(self, seconds: float) -> None:
        self._faults.make("hole", seconds, self._clock.now())

    def throttle(self, seconds: float) -> None:
        self._faults.make("throttle", seconds, self._clock.now())

    def refuse_protection(self, seconds: float) -> None:
        self._faults.make("refusal", seconds, self._clock.now())

    def clear_faults(self) -> None:
        self._faults.clear()

    async def compare(self, count: int, job_ms: int) -> None:
        self._not_while_stopping()
        check_jobs(count, job_ms)
        if self._contest is not None and not self._contest.is_done:
            raise ControlError("a comparison is running; wait until both sides are done")
        if self._contest is not None:
            await self._contest.aclose()
        self._contest = Contest(
            count, job_ms, sqs=self._parts.sqs, cluster=self._parts.cluster, environment=self._parts.for_tasks()
        )

    def _not_while_stopping(self) -> None:
        if self._is_stopping:
            raise ControlError("the local cloud is stopping")
