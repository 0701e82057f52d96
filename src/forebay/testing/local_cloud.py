"""A local cloud inside a test's own process: SQS and, when asked for, the ECS agent, and workers that run on it.

Rules kept here and nowhere else:

1. One event loop in one thread holds the services and the workers' control loops; it ends with the block.
2. The account, its queues and the port are the test's own: nothing is shared with another test or process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar

import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from forebay.api.lifespan import lasting
from forebay.api.parts import executors_for
from forebay.cloud.ecs_agent import EcsAgent
from forebay.cloud.sqs_server import SqsServer
from forebay.errors import SettingsError
from forebay.handlers.loop_thread import LoopThread
from forebay.protection.ecs import EcsProtection
from forebay.queue.port import Counts
from forebay.queue.resolve import ClientConfig
from forebay.queue.signing import Credentials
from forebay.rules.queue_semantics import QueueService
from forebay.testing.local_clock import SkippingClock
from forebay.testing.local_drained import Until
from forebay.testing.local_environment import REGION, Patch, environment_of
from forebay.testing.local_loop import SkippingLoop
from forebay.testing.local_pacing import PacedExecutor, Raised, keeping_what_is_raised
from forebay.testing.local_queue import Failures, LocalQueue, with_rules
from forebay.testing.local_queues import Queues
from forebay.testing.local_report import WorkReport
from forebay.testing.local_run import Run, settings_of
from forebay.testing.local_sources import local_sources
from forebay.testing.local_trouble import AgentTrouble, SqsTrouble
from forebay.testing.local_waiting import wait_for

if TYPE_CHECKING:
    from forebay.api.worker import Worker

Time = Literal["virtual", "real"]
Answer = TypeVar("Answer")

PATIENCE_S = 30.0


class LocalCloud:
    """A running local cloud. `with LocalCloud() as cloud:`; in pytest it is the fixture `forebay_cloud`."""

    def __init__(
        self,
        *,
        time: Time = "virtual",
        account: str = "000000000000",
        visibility_s: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`visibility_s` is the workers', in place of their own setting."""
        if time not in ("virtual", "real"):
            raise SettingsError(f"time={time!r} is neither 'virtual' nor 'real'")
        self._clock = SkippingClock(is_virtual=time == "virtual")
        self._account = account
        self._visibility_s = visibility_s
        self._patience_s = patience_s
        self._opened = ExitStack()
        self._portal: BlockingPortal
        self._server: SqsServer
        self._queues: Queues[LocalQueue]
        self._agent: tuple[EcsAgent, AgentTrouble] | None = None
        self._patch: Patch | None = None

    # ── life ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> LocalCloud:
        with ExitStack() as opened:
            self._portal = opened.enter_context(
                start_blocking_portal(
                    backend_options={"loop_factory": lambda: SkippingLoop(self._clock)}, name="forebay-local-cloud"
                )
            )
            server = SqsServer(region=REGION, account=self._account, clock=self._clock)
            self._server = opened.enter_context(self._portal.wrap_async_context_manager(server))
            self._queues = Queues(self, partial(LocalQueue, self))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sender = sys.modules.get("forebay.queue.sender")
        if sender is not None:  # What the test has enqueued from plain threads went out through this thread.
            sender.close_private_loop()
        self._opened.close()

    # ── where it is ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def endpoint_url(self) -> str:
        """Where SQS is: `boto3.client("sqs", endpoint_url=…)`."""
        return self._server.endpoint_url

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which boto3, the AWS CLI and Forebay find this cloud instead of AWS."""
        agent_uri = self._agent[1].uri if self._agent is not None else None
        return environment_of(self.endpoint_url, agent_uri=agent_uri, outside=os.environ)

    def use(self, monkeypatch: Patch) -> None:
        """Set `environment` in this process until `monkeypatch` undoes it. The fixture has done so already."""
        self._patch = monkeypatch
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    # ── queues and trouble ─────────────────────────────────────────────────────────────────────────────────

    def create_queue(
        self, name: str, *, dead_letter: bool = True, receives_max: int = 10, **attributes: str | int
    ) -> LocalQueue:
        """Create a queue, with a dead-letter queue NAME-dead unless told not to, and return it.

        `receives_max` is the RedrivePolicy's maxReceiveCount. `attributes` are named as SQS names them.
        """
        return self._queues.create(name, dead_letter=dead_letter, receives_max=receives_max, attributes=attributes)

    def queue(self, name: str) -> LocalQueue:
        """Return the queue of this name. Raises `SettingsError` when there is none."""
        return self._queues.find(name)

    @property
    def sqs(self) -> SqsTrouble:
        """What goes wrong with SQS."""
        return SqsTrouble(self.on_server)

    @property
    def agent(self) -> AgentTrouble:
        """The ECS agent. Started when first asked for; from then on workers protect their task as on ECS."""
        if self._agent is None:
            manager = self._portal.wrap_async_context_manager(EcsAgent(clock=self._clock))
            agent = self._opened.enter_context(manager)
            self._agent = agent, AgentTrouble(agent.agent_uri(), lambda ask: self._portal.call(ask, agent))
            if self._patch is not None:
                self._patch.setenv("ECS_AGENT_URI", self._agent[1].uri)
        return self._agent[1]

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> float:
        """Monotonic seconds by the cloud's clock."""
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed for the cloud: hidden and delayed messages come back. In real time too."""
        if seconds < 0:
            raise SettingsError(f"advance({seconds:g}): time does not go back")
        self.on_rules(lambda _: self._clock.skip(seconds))

    # ── work ───────────────────────────────────────────────────────────────────────────────────────────────

    def run(
        self,
        worker: Worker,
        *queues: LocalQueue,
        until: Until = "empty",
        failures: Failures = "raise",
        patience_s: float | None = None,
    ) -> WorkReport:
        """Run `worker` on these queues, or on those that its code names, until there is nothing left to do.

        `until="empty"`: nothing visible, in flight or delayed. `until="quiet"`: nothing can be received at the moment,
        though retries and delayed messages may be waiting.

        Raises `JobsGivenUp` when a message went to the dead-letter queue and `NotDrained` when the worker left before
        its time, unless `failures="return"`; and `NotDrained` after `patience_s` real seconds (30) in either case.
        """
        patience_s = self._patience_s if patience_s is None else patience_s
        urls = [queue.url for queue in queues] or self._queues.urls_of(worker)
        worker.home.works(urls)
        try:
            with lasting(worker.lifespan) as loop:
                run = self._run_of(worker, urls, until, loop)
                working = self._portal.start_task_soon(run.work)
                report = wait_for(run, working, self._portal, patience_s=patience_s, left=lambda: self._left(urls))
        finally:
            worker.home.rests()
        if failures == "raise":
            report.raise_failures()
        return report

    async def arun(
        self,
        worker: Worker,
        *queues: LocalQueue,
        until: Until = "empty",
        failures: Failures = "raise",
        patience_s: float | None = None,
    ) -> WorkReport:
        """The same from a coroutine of asyncio or trio, whose event loop goes on meanwhile."""
        return await anyio.to_thread.run_sync(
            lambda: self.run(worker, *queues, until=until, failures=failures, patience_s=patience_s)
        )

    def on_rules(self, function: Callable[[QueueService], Answer], /) -> Answer:
        """Call `function` with the rules of the queues, on the loop that they are turned on."""
        return self.on_server(lambda server: with_rules(server, function))

    def on_server(self, function: Callable[[SqsServer], Answer], /) -> Answer:
        """Call `function` with the server, on the loop that it lives on."""

        async def there() -> Answer:
            return function(self._server)

        return self._portal.call(there)

    def _run_of(self, worker: Worker, urls: list[str], until: Until, loop: LoopThread) -> Run:
        settings = settings_of(worker, urls, visibility_s=self._visibility_s)
        raised: Raised = {}
        registry = keeping_what_is_raised(worker.registry, raised)
        executors = executors_for(registry, settings.slots, loop)
        config = ClientConfig(
            endpoint_url=self.endpoint_url, region=REGION, credentials=Credentials("local", "local", None)
        )
        return Run(
            registry=registry,
            raised=raised,
            queues=tuple(urls),
            settings=settings,
            service=self._server.service,
            clock=self._clock,
            open_sources=partial(local_sources, urls, config, self._clock, is_virtual=self._clock.is_virtual),
            places={runs: PacedExecutor(executor, self._clock) for runs, executor in executors.items()},
            protection=self._protection(settings.protect),
            until=until,
        )

    def _protection(self, protect: str) -> EcsProtection | None:
        if self._agent is None or protect == "never":
            return None
        return EcsProtection(self._agent[1].uri, clock=self._clock)

    def _left(self, urls: list[str]) -> Counts:
        """What lies in these queues together."""
        counts = [self._queues.at(url).counts() for url in urls]
        return Counts(*(sum(numbers) for numbers in zip(*counts, strict=True)))
