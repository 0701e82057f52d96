"""The parts of the local cloud, put together: SQS and ECS behind one port, the main service, its producer and scaler.

Rules kept here and nowhere else:

1. A task is started as a container is: the same command, told of its surroundings by the same variables. Nothing in it
   knows that the cloud is local.
2. What was begun is ended in the opposite order, whatever went wrong between.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType

from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_server import EcsServer
from forebay.cloud.front_door import FrontDoor
from forebay.cloud.sqs_server import SqsServer
from forebay.cloud.sqs_store import QueueDataError
from forebay.errors import SettingsError
from forebay.local.autoscaler import Autoscaler, law_settings
from forebay.local.output import Output
from forebay.local.plan import LATENCY_S, SAMPLE_SLOTS, LocalPlan
from forebay.local.ports import LOOPBACK
from forebay.local.sending import Producer
from forebay.local.service import ServiceOrder, WorkedService
from forebay.rules.ecs_vocabulary import ServicePlan
from forebay.rules.queue_semantics import ServiceFailure

MAIN = "worker"
QUEUE = "jobs"
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""Any credentials will do. boto3 reads the second of the Region's variables, other SDKs the first."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy")

TaskLine = Callable[[str, Mapping[str, object] | None], None]
"""Gets a task's line as it is to be shown, and the event that it tells."""


class Assembly:
    """The parts. Lives on the running asyncio loop, from `async with` to its end."""

    main: WorkedService
    producer: Producer
    autoscaler: Autoscaler

    def __init__(self, plan: LocalPlan, endpoint_port: int, on_line: TaskLine) -> None:
        self.plan = plan
        self.door = FrontDoor(port=endpoint_port)
        self.sqs = SqsServer(door=self.door, time_lapse=plan.time_lapse, data=plan.data)
        self.cluster = LocalCluster(log_folder=None if plan.data is None else plan.data / "logs")
        self._on_line = on_line
        self._output = Output(log=plan.log, names_tasks=plan.count_max > 1, tells_its_own=plan.is_sample)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Assembly:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.door)
            await self._open_queues(stack)
            await stack.enter_async_context(self.cluster)
            ecs = EcsServer(self.cluster)
            self.door.serve(ecs.SERVICE, ecs.accept)
            self.main = self._main_service()
            self.producer = Producer(self.main.queue_url, self.for_programs())
            stack.push_async_callback(self.producer.aclose)
            self.main.autoscaler = self.autoscaler = self._scaled(self.main)
            stack.push_async_callback(self.autoscaler.aclose)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, at)

    async def _open_queues(self, stack: AsyncExitStack) -> None:
        try:
            await stack.enter_async_context(self.sqs)
        except QueueDataError as error:
            raise SettingsError(f"--data: {error}") from error

    def _main_service(self) -> WorkedService:
        try:
            return WorkedService(self._order(), sqs=self.sqs, cluster=self.cluster, on_line=self._show)
        except ServiceFailure as failure:
            # Only kept queues can stand in the way: one was deleted a moment before the last run ended.
            raise SettingsError(f"--data {self.plan.data}: queue {QUEUE}: {failure.message}") from failure

    def _order(self) -> ServiceOrder:
        plan = self.plan
        return ServiceOrder(
            plan=ServicePlan(
                name=MAIN,
                desired_count=plan.count_min,
                stop_timeout_s=plan.stop_timeout_s,
                start_delay_s=plan.start_delay_s,
            ),
            queue=QUEUE,
            queues_of_jobs=plan.queues_of_jobs,
            command=worker_command(plan.run_arguments),
            environment=self.for_tasks(),
            count_min=plan.count_min,
            count_max=plan.count_max,
        )

    def _scaled(self, service: WorkedService) -> Autoscaler:
        """Begin to scale the main service."""
        plan = self.plan
        return Autoscaler(
            service.ecs,
            sqs=self.sqs,
            cluster=self.cluster,
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

    def _show(self, task_id: str, line: bytes, event: Mapping[str, object] | None) -> None:
        """Hand on one line of the main service's tasks, as it is to be shown."""
        text = self._output.rendered(task_id, line, event)
        if text is not None:
            self._on_line(text, event)

    # ── addresses ──────────────────────────────────────────────────────────────────────────────────────────

    def for_tasks(self) -> dict[str, str]:
        """Return the variables that point a task at SQS, beside those of its user."""
        # A session token belongs to the keys that ours replace.
        inherited = {name: value for name, value in self.plan.environment.items() if name != "AWS_SESSION_TOKEN"}
        return {**inherited, **past_proxies(inherited), "AWS_ENDPOINT_URL_SQS": self.door.endpoint_url, **ACCOUNT}

    def for_programs(self) -> dict[str, str]:
        """Return the variables that point boto3, the AWS CLI, `forebay send` and `forebay status` here."""
        url = self.door.endpoint_url
        return {
            "AWS_ENDPOINT_URL_SQS": url,
            "AWS_ENDPOINT_URL_ECS": url,
            **ACCOUNT,
            "FOREBAY_QUEUE_URL": self.main.queue_url,
            "FOREBAY_CLUSTER": self.cluster.name,
            "FOREBAY_SERVICE": MAIN,
            **past_proxies(self.plan.environment),
        }


def past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep a proxy of the user's away from this machine's own addresses; none without one."""
    if not any(value for name, value in environment.items() if name.lower() in PROXIES):
        return {}
    spared = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    spares = ",".join(filter(None, (spared, LOOPBACK)))
    return {"no_proxy": spares, "NO_PROXY": spares}


def worker_command(run_arguments: Sequence[str]) -> list[str]:
    """Return the command of a task: what a container would run, speaking JSON."""
    return [sys.executable, "-m", "forebay.cli.main", "run", *run_arguments, "--log", "json"]
