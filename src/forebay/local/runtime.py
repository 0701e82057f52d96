"""The whole system on this machine: SQS and the ECS agent in this process, the worker in one of its own.

Rules kept here and nowhere else:

1. The worker is the shipped one, started as a container starts it: the same command, told of its surroundings by the
   same variables. Nothing in it knows that the cloud is local.
2. It does not outlive us, however we end; and it gets each signal once, from us, not from the terminal.
3. Drained means that something was sent and nothing is visible, in flight or delayed any more.
4. The exit status is the worker's own when it is not 0, else 1 when jobs were given up, else 0.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forebay.cloud.ecs_agent import EcsAgent
from forebay.cloud.sqs_server import SqsServer
from forebay.model import MessageAttribute
from forebay.platform import PARENT_VARIABLE
from forebay.queue.calls import Caller
from forebay.queue.port import Outgoing
from forebay.queue.resolve import ClientConfig
from forebay.queue.sender import SqsSink
from forebay.queue.wire import SqsClient

QUEUE = "jobs"
DEAD_LETTER_QUEUE = "jobs-dead"
RECEIVES_MAX = 15
"""maxReceiveCount of the queue: ten more than a job's attempts, since releases count as receives too."""

LOOK_S = 0.1
"""How often it is looked whether the queue is drained. A look costs microseconds: the queue is in this process."""

ACCOUNT = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlan:
    """What to do on this machine."""

    run_arguments: Sequence[str] = ()
    """What follows `forebay run` in the worker's command."""
    bodies: Sequence[str] = field(default=(), repr=False)
    """The jobs to send at the start."""
    job: str | None = None
    """The job that they are for; None: the default handler's."""
    leave_when_drained: bool = False
    sqs_port: int = 0
    """0: the system chooses."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """What the worker inherits beside its surroundings."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the local cloud is."""

    queue_url: str
    endpoint: str
    agent_uri: str
    metadata_uri: str

    def for_programs(self) -> dict[str, str]:
        """Return the variables that point boto3, the AWS CLI and `forebay send` at the local SQS."""
        return {"AWS_ENDPOINT_URL_SQS": self.endpoint, **ACCOUNT, "FOREBAY_QUEUE_URL": self.queue_url}

    def for_worker(self) -> dict[str, str]:
        """Return the variables that a container of an ECS task has."""
        return {
            **self.for_programs(),
            "ECS_AGENT_URI": self.agent_uri,
            "ECS_CONTAINER_METADATA_URI_V4": self.metadata_uri,
            PARENT_VARIABLE: str(os.getpid()),
        }


class LocalRun:
    """One run of the local system."""

    def __init__(self, plan: LocalPlan, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._tell = tell
        self._server = SqsServer(port=plan.sqs_port)
        self._agent = EcsAgent()
        self._worker: asyncio.subprocess.Process | None = None
        self._queue_url = ""
        self._dead_url = ""

    async def run(self) -> int:
        """Run until drained or stopped; return the exit status."""
        async with self._server, self._agent:
            self._create_queues()
            here = Surroundings(
                self._queue_url, self._server.endpoint_url, self._agent.agent_uri(), self._agent.metadata_uri()
            )
            self._tell("A local SQS and ECS agent. For boto3, the AWS CLI and `forebay send` in another terminal:")
            self._tell("  export " + " ".join(f"{name}={value}" for name, value in here.for_programs().items()))
            await self._send(here)
            loop = asyncio.get_running_loop()
            for number in STOPPING_SIGNALS:
                loop.add_signal_handler(number, self._stop)
            try:
                status = await self._work(here)
            finally:
                await self._end_worker()
                _ignore_signals(loop)
            return self._told(status)

    def _create_queues(self) -> None:
        self._dead_url = self._server.create_queue(DEAD_LETTER_QUEUE, MessageRetentionPeriod="1209600")
        policy = {
            "deadLetterTargetArn": self._server.service.arn(DEAD_LETTER_QUEUE),
            "maxReceiveCount": RECEIVES_MAX,
        }
        self._queue_url = self._server.create_queue(QUEUE, RedrivePolicy=json.dumps(policy))

    async def _send(self, here: Surroundings) -> None:
        """Send the first jobs over the wire, as any producer does."""
        if not self._plan.bodies:
            return
        attributes = {"job": MessageAttribute("String", self._plan.job)} if self._plan.job is not None else {}
        config = ClientConfig.from_environment(here.for_programs())
        sink = SqsSink(here.queue_url, SqsClient(Caller.from_config(here.queue_url, config)))
        try:
            sent = await sink.send([Outgoing(body, attributes) for body in self._plan.bodies])
        finally:
            await sink.aclose()
        taken = sum(1 for one in sent if one.fault is None)
        self._tell(f"{taken} jobs sent to {here.queue_url}")
        for one in sent:
            if one.fault is not None:
                self._tell(f"a job was not taken: {one.fault}")

    async def _work(self, here: Surroundings) -> int:
        """Start the worker and wait for its end."""
        leaves_by_itself = self._plan.leave_when_drained and bool(self._plan.bodies)
        arguments = [*self._plan.run_arguments, *(["--exit-when-empty"] if leaves_by_itself else [])]
        self._worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "forebay.cli.main",
            "run",
            *arguments,
            env={**self._plan.environment, **here.for_worker()},
            stdin=asyncio.subprocess.DEVNULL,
            # A terminal sends Ctrl-C to its whole process group. The worker would get it twice, and leave at once.
            start_new_session=True,
        )
        watch = asyncio.ensure_future(
            self._watch(stops_when_drained=self._plan.leave_when_drained and not leaves_by_itself)
        )
        try:
            return await self._worker.wait()
        finally:
            watch.cancel()

    async def _watch(self, *, stops_when_drained: bool) -> None:
        """Say when the queue has been drained, and stop then if that is the plan."""
        while not self._is_drained():  # noqa: ASYNC110  (counts change with time alone: delays and leases end)
            await asyncio.sleep(LOOK_S)
        if stops_when_drained:
            self._stop()
        elif not self._plan.leave_when_drained:
            self._tell("Every job is done. Send more from another terminal with `forebay send`; Ctrl-C stops.")

    def _is_drained(self) -> bool:
        stats = self._server.stats()
        return _messages(stats, self._queue_url) == 0 and stats["messages"].get("sent", 0) > 0

    def _stop(self) -> None:
        """Pass a stop request on. What the second means, and what an echo is, the worker knows."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._worker is not None and self._worker.returncode is None:
            try:
                self._worker.send_signal(number)
            except ProcessLookupError:
                return  # It has ended, and its status is on its way to us.

    async def _end_worker(self) -> None:
        if self._worker is not None and self._worker.returncode is None:
            self._signal(signal.SIGKILL)
            await self._worker.wait()

    def _told(self, status: int) -> int:
        """Tell what became of the jobs and return the exit status."""
        stats = self._server.stats()
        given_up = _messages(stats, self._dead_url)
        counts = stats["messages"]
        self._tell(
            f"{counts.get('sent', 0)} messages sent, {counts.get('deleted', 0)} deleted, "
            f"{_messages(stats, self._queue_url)} left in the queue, {given_up} in the dead-letter queue; "
            f"{sum(stats['requests'].values())} SQS requests"
        )
        if status < 0:
            self._tell(f"the worker was ended by {signal.Signals(-status).name}")
            return 1
        return status or (1 if given_up else 0)


def _ignore_signals(loop: asyncio.AbstractEventLoop) -> None:
    """The work is over. What still comes must not kill us by default handling before we have told how it went."""
    # Blocked meanwhile: taking the loop's handler away brings the default one back for a moment.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
    for number in STOPPING_SIGNALS:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _messages(stats: Mapping[str, Any], url: str) -> int:
    """Return how many messages a queue holds, in whatever state."""
    counts = stats["queues"][url]
    return int(counts["visible"] + counts["in_flight"] + counts["delayed"])
