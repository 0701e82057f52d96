"""The local cloud put together: SQS, ECS and autoscaling in this process, tasks as processes, and a hand on all of it.

Rules kept here and nowhere else:

1. A task is started as a container is: the same command, told of its surroundings by the same variables. Nothing in it
   knows that the cloud is local.
2. Everything here happens on one event loop; what is looked at regularly is looked at in one place, `_tick`.
3. A person who sets the desired count takes over from the autoscaler, until it is switched on again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType

from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_server import EcsServer
from forebay.cloud.ecs_service import NoSuchTask
from forebay.cloud.front_door import FrontDoor
from forebay.cloud.sqs_server import SqsServer
from forebay.local.autoscaler import Autoscaler, law_settings
from forebay.local.contest import Contest
from forebay.local.faults import Faults
from forebay.local.output import Output
from forebay.local.plan import LATENCY_S, SAMPLE_SLOTS, LocalPlan
from forebay.local.port import ControlError, Picture
from forebay.local.sending import Producer, check_jobs
from forebay.local.service import ServiceOrder, WorkedService
from forebay.local.summary import RunFigures
from forebay.platform import process_id
from forebay.rules.ecs_vocabulary import ServicePlan

MAIN = "worker"
QUEUE = "jobs"
TICK_S = 0.25
TASKS_MAX = 100
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""Any credentials will do. boto3 reads the second of the Region's variables, other SDKs the first."""

TaskLine = Callable[[str, Mapping[str, object] | None], None]
"""Gets a task's line as it is to be shown, and the event that it tells."""


class Cloud:
    """The local cloud. Implements `local.port.LocalCloud`; lives on the running asyncio loop."""

    def __init__(self, plan: LocalPlan, endpoint_port: int, on_line: TaskLine) -> None:
        self._plan = plan
        self._on_line = on_line
        self._door = FrontDoor(port=endpoint_port)
        self._sqs = SqsServer(door=self._door, time_lapse=plan.time_lapse)
        self._cluster = LocalCluster(log_folder=None if plan.data is None else plan.data / "logs")
        self._faults = Faults(sqs=self._sqs.chaos, agent=self._cluster.agent.chaos)
        self._began_at = self._cluster.clock.now()
        self._contest: Contest | None = None
        self._is_stopping = False
        self._stack = AsyncExitStack()
        self._main: WorkedService | None = None
        self._producer: Producer | None = None
        self._autoscaler: Autoscaler | None = None

    async def __aenter__(self) -> Cloud:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._door)
            await stack.enter_async_context(self._sqs)
            await stack.enter_async_context(self._cluster)
            ecs = EcsServer(self._cluster)
            self._door.serve(ecs.SERVICE, ecs.accept)
            self._main = WorkedService(
                self._order(), sqs=self._sqs, cluster=self._cluster, on_line=self._shower(self._plan.count_max > 1)
            )
            self._producer = Producer(self._main.queue_url, self.for_programs())
            stack.push_async_callback(self._producer.aclose)
            self._main.autoscaler = self._autoscaler = self._scaled(self._main)
            stack.push_async_callback(self._autoscaler.aclose)
            ticking = asyncio.ensure_future(self._tick())
            stack.callback(ticking.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, at)

    def _order(self) -> ServiceOrder:
        plan = self._plan
        return ServiceOrder(
            plan=ServicePlan(
                name=MAIN,
                desired_count=plan.count_min,
                stop_timeout_s=plan.stop_timeout_s,
                start_delay_s=plan.start_delay_s,
            ),
            queue=QUEUE,
            command=worker_command(plan.run_arguments),
            environment=self.for_tasks(),
            count_min=plan.count_min,
            count_max=plan.count_max,
        )

    def _scaled(self, service: WorkedService) -> Autoscaler:
        """Begin to scale the main service."""
        plan = self._plan
        return Autoscaler(
            service.ecs,
            sqs=self._sqs,
            cluster=self._cluster,
            queue_url=service.queue_url,
            settings=law_settings(
                count_min=plan.count_min,
                count_max=plan.count_max,
                latency_s=LATENCY_S,
                slots=SAMPLE_SLOTS,
                job_s=plan.job_s,
            ),
            time_lapse=plan.time_lapse,
        )

    def _shower(self, names_tasks: bool) -> Callable[[str, bytes, Mapping[str, object] | None], None]:
        """Return what shows the lines of a service's tasks."""
        event_now: list[Mapping[str, object] | None] = [None]
        output = Output(
            lambda line: self._on_line(line, event_now[0]),
            log=self._plan.log,
            names_tasks=names_tasks,
            tells_its_own=self._plan.is_sample,
        )

        def show(task_id: str, line: bytes, event: Mapping[str, object] | None) -> None:
            event_now[0] = event
            output.task_line(task_id, line, event)

        return show

    # ── addresses ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def main(self) -> WorkedService:
        assert self._main is not None, "not entered"
        return self._main

    @property
    def queue_url(self) -> str:
        return self.main.queue_url

    def for_tasks(self) -> dict[str, str]:
        """Return the variables that point a task at SQS, beside those of its user."""
        # Tasks of one machine cannot all have the port that a single worker was given.
        kept = {name: value for name, value in self._plan.environment.items() if name != "FOREBAY_HEALTH"}
        return {**kept, "AWS_ENDPOINT_URL_SQS": self._door.endpoint_url, **ACCOUNT}

    def for_programs(self) -> dict[str, str]:
        """Return the variables that point boto3, the AWS CLI and `forebay send` here."""
        url = self._door.endpoint_url
        return {
            "AWS_ENDPOINT_URL_SQS": url,
            "AWS_ENDPOINT_URL_ECS": url,
            **ACCOUNT,
            "FOREBAY_QUEUE_URL": self.queue_url,
        }

    # ── what is looked at ──────────────────────────────────────────────────────────────────────────────────

    async def _tick(self) -> None:
        """Do what is to be done again and again."""
        clock = self._cluster.clock
        last_at = clock.now()
        while True:
            await asyncio.sleep(TICK_S)
            now = clock.now()
            self._faults.turn(now)
            for service in self._services():
                service.tick(now - last_at)
            if self._contest is not None:
                await self._contest.look(now)
            await self._keep_rate(now - last_at)
            last_at = now

    async def _keep_rate(self, since_last_s: float) -> None:
        assert self._producer is not None
        try:
            await self._producer.keep_rate(since_last_s)
        except ControlError:
            # SQS does not take them, which the page shows by itself; the stream goes on when it does again.
            return

    def _services(self) -> list[WorkedService]:
        return [self.main, *(self._contest.services() if self._contest is not None else ())]

    def is_drained(self) -> bool:
        """Say whether something was sent to the main queue and nothing of it is left."""
        queue = self.main.queue_figures()
        return queue["sent"] > 0 and queue["visible"] + queue["in_flight"] + queue["delayed"] == 0

    @property
    def refused_settings(self) -> int | None:
        """The exit status of a worker that refuses its settings; None: none has."""
        return self.main.refused_settings()

    def picture(self) -> Picture:
        """Return the local cloud as it is now."""
        now = self._cluster.clock.now()
        assert self._producer is not None
        return {
            "at_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "up_s": round(now - self._began_at, 1),
            "process_id": process_id(),
            "endpoint": self._door.endpoint_url,
            "time_lapse": self._plan.time_lapse,
            "rate_per_s": self._producer.rate_per_s,
            "can_send": self._plan.is_sample,
            "services": [service.figures() for service in self._services()],
            "faults": self._faults.figures(now),
            "comparison": None if self._contest is None else self._contest.figures(),
            "is_stopping": self._is_stopping,
        }

    def figures(self) -> RunFigures:
        """Return what there is to tell at the end."""
        main, queue = self.main, self.main.queue_figures()
        return RunFigures(
            ledger=main.ledger(),
            ledgers=main.ledgers(),
            killed=main.killed(),
            left_badly=main.left_badly,
            sent=queue["sent"],
            deleted=queue["deleted"],
            left=queue["visible"] + queue["in_flight"] + queue["delayed"],
            dead=queue["dead"],
            requests=sum(self._sqs.counts.requests.values()),
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
        assert self._autoscaler is not None
        self._autoscaler.switch(is_on=False)
        assert self._producer is not None
        self._producer.set_rate(0, 0)
        if self._contest is not None:
            await self._contest.aclose()
        await self.main.drain(self._sqs.end_polls)

    def terminate_again(self) -> None:
        """Send SIGTERM once more to whatever still runs: to a worker it means to leave at once."""
        self.main.terminate_again()

    # ── controls ───────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, count: int, job_ms: int) -> int:
        assert self._producer is not None
        return await self._producer.send(count, job_ms)

    def set_rate(self, per_s: float, job_ms: int) -> None:
        self._not_while_stopping()
        assert self._producer is not None
        self._producer.set_rate(per_s, job_ms)

    def set_desired(self, count: int) -> None:
        self._not_while_stopping()
        if not 0 <= count <= TASKS_MAX:
            raise ControlError(f"{count} tasks is outside 0 to {TASKS_MAX}")
        assert self._autoscaler is not None
        self._autoscaler.switch(is_on=False)
        self.main.ecs.set_desired(count)

    def set_scaled(self, is_scaled: bool) -> None:
        self._not_while_stopping()
        assert self._autoscaler is not None
        self._autoscaler.switch(is_on=is_scaled)

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
        self._faults.make("hole", seconds, self._cluster.clock.now())

    def throttle(self, seconds: float) -> None:
        self._faults.make("throttle", seconds, self._cluster.clock.now())

    def refuse_protection(self, seconds: float) -> None:
        self._faults.make("refusal", seconds, self._cluster.clock.now())

    def clear_faults(self) -> None:
        self._faults.clear()

    async def compare(self, count: int, job_ms: int) -> None:
        self._not_while_stopping()
        check_jobs(count, job_ms)
        if self._contest is not None and not self._contest.is_done:
            raise ControlError("a comparison is running; wait until both sides are done")
        if self._contest is not None:
            await self._contest.aclose()
        self._contest = Contest(count, job_ms, sqs=self._sqs, cluster=self._cluster, environment=self.for_tasks())

    def _not_while_stopping(self) -> None:
        if self._is_stopping:
            raise ControlError("the local cloud is stopping")


def worker_command(run_arguments: Sequence[str]) -> list[str]:
    """Return the command of a task: what a container would run, speaking JSON."""
    return [sys.executable, "-m", "forebay.cli.main", "run", *run_arguments, "--log", "json"]
