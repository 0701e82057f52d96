"""The parts of a run, made from its options: sources, executors, and who we are.

Rules kept here and nowhere else:

1. One resolver serves all queues: where the service is and with whose credentials is found out once.
2. Only the executors that the declared jobs need are made.
3. Nothing here ends a run but a queue's name that no queue has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random

import anyio

from forebay import platform
from forebay.api.options import RunOptions
from forebay.clock import Clock
from forebay.errors import QueueError
from forebay.handlers.children import Report
from forebay.handlers.executor import Executor
from forebay.handlers.loop_thread import LoopThread
from forebay.handlers.on_loop import LoopExecutor
from forebay.handlers.on_process import ProcessExecutor
from forebay.handlers.on_thread import ThreadExecutor
from forebay.handlers.plan import Plan
from forebay.handlers.registry import Registry
from forebay.observability.reporter import Reporter
from forebay.protection.ecs import EcsProtection
from forebay.protection.metadata import TaskIdentity, read_task_metadata
from forebay.protection.policy import Policy
from forebay.queue.calls import Caller
from forebay.queue.port import WAIT_MAX_S
from forebay.queue.resolve import ClientConfig, Resolver
from forebay.queue.sqs import SqsSource
from forebay.queue.wire import SqsClient
from forebay.settings import WorkerSettings

METADATA_PATIENCE_S = 1.0

RELOADED_WAIT_S = 1.0
"""How long a poll takes while code is being changed: a worker that drains waits for the end of its last one."""


def no_report(_event: str, _fields: Mapping[str, object]) -> None:
    """Where there are no children, there is nothing to report of them."""


async def open_sources(options: RunOptions, reporter: Reporter, opened: AsyncExitStack) -> dict[str, SqsSource]:
    """Make a source for each queue, looking names up. Raises `QueueError` for a name that no queue has."""
    config = ClientConfig.from_environment(options.environment)
    if options.endpoint is not None or options.region is not None:
        config = replace(
            config, endpoint_url=options.endpoint or config.endpoint_url, region=options.region or config.region
        )
    resolver = Resolver(config)
    sources: dict[str, SqsSource] = {}
    for address in options.queues:
        client = SqsClient(Caller(address, resolver, notify=reporter.report))
        opened.push_async_callback(client.aclose)
        url = address if "://" in address else await look_up(client, address, reporter)
        sources[url] = SqsSource(
            url,
            client,
            dead_letter_url=options.dead_letter,
            region=config.region,
            wait_max_s=RELOADED_WAIT_S if platform.RELOADED_VARIABLE in options.environment else WAIT_MAX_S,
            notify=reporter.report,
        )
    return sources


async def look_up(client: SqsClient, name: str, reporter: Reporter) -> str:
    """Return the URL of the queue called `name`; ask again while the service is in trouble."""
    pause_s = 0.2
    while True:
        try:
            return await client.get_queue_url(name)
        except QueueError as error:
            if not error.fault.kind.is_transient:
                raise
            fault = error.fault
            told = {"queue": name, "kind": fault.kind.value, "code": fault.code, "detail": fault.detail}
            reporter.report("poll.failed", {**told, "retry_in_s": pause_s})
        await anyio.sleep(pause_s)
        pause_s = min(pause_s * 2, 3.0)


def executors_for(
    registry: Registry,
    slots: int,
    loop: LoopThread | None = None,
    plans: Sequence[Plan] = (),
    *,
    report: Report = no_report,
) -> dict[str, Executor]:
    """Make the executors that the declared jobs need, and no other: child processes for the kinds that `plans` name.

    `loop` is where coroutines run that do so in this process.
    """
    executors: dict[str, Executor] = {}
    for plan in plans:
        executors |= dict.fromkeys(plan.kinds, ProcessExecutor(registry, plan, report=report))
    makers: Mapping[str, Callable[[], Executor]] = {
        "loop": lambda: LoopExecutor(registry, thread=loop),
        "thread": lambda: ThreadExecutor(registry, slots),
    }
    kinds = {handler.runs for handler in registry} - executors.keys()
    return executors | {kind: makers[kind]() for kind in sorted(kinds)}


async def identity_of(options: RunOptions) -> TaskIdentity | None:
    """Ask who we are, for the log; a slow answer is not waited for."""
    if options.metadata_uri is None:
        return None
    with anyio.move_on_after(METADATA_PATIENCE_S):
        return await read_task_metadata(options.metadata_uri)
    return None


def policy_for(settings: WorkerSettings, rng: Random, *, is_available: bool) -> Policy:
    """Return the rules of protection for a run. `is_available`: there is an agent to ask."""
    return Policy(
        mode=settings.protect,
        linger_s=settings.protection_linger_s,
        margin_s=settings.trust_margin_s,
        rng=rng,
        is_available=is_available,
    )


def protection_for(options: RunOptions, clock: Clock) -> EcsProtection | None:
    """Return the way to the ECS agent; None outside of ECS, or when no protection is wanted."""
    if not options.agent_uri or options.settings.protect == "never":
        return None
    return EcsProtection(options.agent_uri, clock=clock)
