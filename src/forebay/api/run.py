"""Composes a run: from declared jobs and decided settings to a driver that works, and an exit status.

Rules kept here and nowhere else:

1. Everything is made here and nowhere else: sources, executors, protection, reporter, health. The parts know ports.
2. `worker.stopped` is the last line after every `worker.started`, with a ledger that adds up.
3. `run_worker` owns the process: signals, standard output, and leaving without waiting for code that will not end.
   `serve_worker` owns nothing but its work.
"""

from __future__ import annotations

import logging
import platform as machine
import random
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from forebay import platform
from forebay.api.options import RunOptions
from forebay.api.signals import StopSignals
from forebay.clock import Clock, SystemClock
from forebay.errors import QueueError
from forebay.handlers.executor import Executor
from forebay.handlers.on_loop import LoopExecutor
from forebay.handlers.on_thread import ThreadExecutor
from forebay.handlers.registry import Registry
from forebay.observability.health import HealthState
from forebay.observability.health_server import HealthServer
from forebay.observability.kinds import Keep
from forebay.observability.logs import LogHandler, install
from forebay.observability.reporter import Reporter
from forebay.observability.writer import Writer
from forebay.protection.ecs import EcsProtection
from forebay.protection.metadata import TaskIdentity, read_task_metadata
from forebay.protection.policy import Policy
from forebay.queue.calls import Caller
from forebay.queue.resolve import ClientConfig, Resolver
from forebay.queue.sqs import SqsSource
from forebay.queue.wire import SqsClient
from forebay.worker.driver import Driver
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import Exit

if TYPE_CHECKING:
    from forebay.api.worker import Worker

Watch = Callable[[Driver], Coroutine[Any, Any, None]]
"""Waits for a reason to stop and tells the driver."""

METADATA_PATIENCE_S = 1.0
HANDLERS_END_S = 0.5
USD_PER_REQUEST = 0.40e-6
"""List price of a standard queue's request in most Regions (facts/sqs.md section 2)."""


class Stop(Protocol):
    """An event of anyio, of asyncio or the program's own."""

    async def wait(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a run ended."""

    status: int
    reason: str
    code_still_runs: bool


def run_worker(worker: Worker, options: RunOptions) -> int:
    """Work until stopped by a signal, by emptiness or by trouble; return the exit status.

    When a handler would not end, the process is left at once (`os._exit`) after the last flush, so this may not return.
    """
    clock = SystemClock()
    signals = StopSignals()
    writer = Writer()
    settings = options.settings
    reporter = Reporter(
        writer,
        clock,
        log=settings.log,
        error_detail=settings.error_detail,
        tell_successes=not worker.tells_its_own,
        is_on_terminal=platform.is_terminal(sys.stdout),
    )
    handler = LogHandler(writer, log=settings.log, error_detail=settings.error_detail)
    install(handler, logging.getLogger(), log=settings.log)
    try:
        stopped = anyio.run(
            _run, worker, options, reporter, clock, signals, backend_options={"use_uvloop": _has_uvloop()}
        )
    finally:
        signals.ignore()
        reporter.close()
    writer.close(timeout_s=1.0)
    if stopped.code_still_runs:
        platform.leave_now(stopped.status)
    return stopped.status


async def serve_worker(worker: Worker, options: RunOptions, *, stop: Stop | None) -> int:
    """Work inside another program until `stop` is set; return the exit status.

    Lines go to the logger `forebay`; signals are not touched. Without `stop` only trouble or emptiness ends it.
    A handler that will not end is left running in its thread: the program is not ours to end.
    """
    clock = SystemClock()
    reporter = Reporter(LoggedLines(), clock, log=options.settings.log, error_detail=options.settings.error_detail)

    async def obey(driver: Driver) -> None:
        if stop is not None:
            await stop.wait()
            driver.stop("asked to stop")

    async with AsyncExitStack() as opened:
        stopped = await _work(worker, options, reporter, clock, opened, obey)
    reporter.close()
    return stopped.status


class LoggedLines:
    """Lines that go to the logger `forebay` instead of standard output: the embedding program owns that."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("forebay")

    def write(self, line: str, keep: Keep = Keep.ROUTINE, /) -> None:
        self._logger.log(logging.INFO if keep is Keep.ROUTINE else logging.WARNING, "%s", line.rstrip("\n"))

    def take_dropped(self, *, at_the_end: bool = False) -> int:  # noqa: ARG002 - nothing is ever dropped here
        return 0


async def _run(worker: Worker, options: RunOptions, reporter: Reporter, clock: Clock, signals: StopSignals) -> Stopped:
    async with AsyncExitStack() as opened:
        return await _work(worker, options, reporter, clock, opened, signals.obey)


async def _work(
    worker: Worker,
    options: RunOptions,
    reporter: Reporter,
    clock: Clock,
    opened: AsyncExitStack,
    watch: Watch,
) -> Stopped:
    settings = options.settings
    registry = worker.registry
    rng = random.Random()
    health = HealthState(clock.now())
    if options.health is not None:
        server = HealthServer(health, clock, *options.health)
        opened.callback(server.close)
    sources = await _open_sources(options, reporter, opened)
    worker.home.works(list(sources))  # What a handler enqueues goes to the queue that is being worked.
    protection = (
        EcsProtection(options.agent_uri, clock=clock) if options.agent_uri and settings.protect != "never" else None
    )
    policy = Policy(
        mode=settings.protect,
        linger_s=settings.protection_linger_s,
        margin_s=settings.trust_margin_s,
        rng=rng,
        is_available=protection is not None,
    )
    executors = _executors(registry, settings.slots)
    engine = Engine(settings, registry, list(sources), policy=policy, rng=rng)
    driver = Driver(
        engine, registry, sources, executors, protection, reporter, clock, health=health, stop_hint=_stop_hint()
    )
    identity = await _identity(options)
    started_at = clock.now()
    reporter.report("worker.started", _started_fields(worker.name, registry, options, list(sources), identity))
    if protection is None and settings.protect != "never":
        reporter.report("protection.absent", {})
    ended = await _drive(driver, watch)
    for executor in executors.values():
        executor.close(wait_s=0.0 if ended.code_still_runs else HANDLERS_END_S)
    reporter.report("worker.stopped", _stopped_fields(engine, ended, sources, clock.now() - started_at))
    return Stopped(ended.status, ended.reason, ended.code_still_runs)


async def _open_sources(options: RunOptions, reporter: Reporter, opened: AsyncExitStack) -> dict[str, SqsSource]:
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
        url = address if "://" in address else await _look_up(client, address, reporter)
        sources[url] = SqsSource(
            url, client, dead_letter_url=options.dead_letter, region=config.region, notify=reporter.report
        )
    return sources


async def _look_up(client: SqsClient, name: str, reporter: Reporter) -> str:
    """Return the URL of the queue called `name`; ask again while the service is in trouble."""
    pause_s = 0.2
    while True:
        try:
            return await client.get_queue_url(name)
        except QueueError as error:
            if not error.fault.kind.is_transient:
                raise
            fault = error.fault
            reporter.report("poll.failed", {"queue": name, "kind": fault.kind.value, "code": fault.code})
        await anyio.sleep(pause_s)
        pause_s = min(pause_s * 2, 3.0)


async def _drive(driver: Driver, watch: Watch) -> Exit:
    ended: list[Exit] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, driver)
        ended.append(await driver.run())
        tasks.cancel_scope.cancel()
    return ended[0]


def _executors(registry: Registry, slots: int) -> dict[str, Executor]:
    """Make the executors that the declared jobs need, and no other."""
    kinds = {handler.runs for handler in registry}
    makers: Mapping[str, Callable[[], Executor]] = {
        "loop": lambda: LoopExecutor(registry),
        "thread": lambda: ThreadExecutor(registry, slots),
    }
    return {kind: makers[kind]() for kind in sorted(kinds)}


async def _identity(options: RunOptions) -> TaskIdentity | None:
    """Ask who we are, for the log; a slow answer is not waited for."""
    if options.metadata_uri is None:
        return None
    with anyio.move_on_after(METADATA_PATIENCE_S):
        return await read_task_metadata(options.metadata_uri)
    return None


def _started_fields(
    name: str, registry: Registry, options: RunOptions, keys: list[str], identity: TaskIdentity | None
) -> dict[str, object]:
    settings = options.settings
    fields: dict[str, object] = {
        "worker": name,
        "queues": " ".join(keys),
        "version": version("forebay"),
        "python": machine.python_version(),
        "slots": settings.slots,
        "visibility_s": settings.visibility_s,
        "drain_s": settings.drain_s,
        "buffer_bytes": settings.buffer_bytes,
        "protect": settings.protect,
        "jobs": " ".join(handler.name for handler in registry),
        "process_id": platform.process_id(),
        "loop": "uvloop" if _has_uvloop() else "asyncio",
    }
    if options.dead_letter:
        fields["dead_letter"] = options.dead_letter
    if identity is not None:
        fields |= {
            "task_id": identity.task_id,
            "task_family": identity.family,
            "task_revision": identity.revision,
            "cluster": identity.cluster,
        }
    return fields


def _stopped_fields(
    engine: Engine, ended: Exit, sources: Mapping[str, SqsSource], lasted_s: float
) -> dict[str, object]:
    tallies = [source.client.caller.tally for source in sources.values()]
    return {
        **engine.ledger,
        "orphaned": engine.orphaned,
        "reason": ended.reason,
        "exit_status": ended.status,
        "requests": sum(tally.requests.total() for tally in tallies),
        "estimated_usd": round(sum(tally.billed for tally in tallies) * USD_PER_REQUEST, 6),
        "lasted_s": round(lasted_s, 3),
    }


def _stop_hint() -> str | None:
    return "Ctrl-C again stops now" if platform.is_terminal(sys.stdout) else None


def _has_uvloop() -> bool:
    return find_spec("uvloop") is not None
