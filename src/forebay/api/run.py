"""Composes a run: from declared jobs and decided settings to a driver that works, and an exit status.

Rules kept here and nowhere else:

1. Everything is made here and nowhere else: sources, executors, protection, reporter, health. The parts know ports.
2. `worker.stopped` is the last line after every `worker.started`, with a ledger that adds up.
3. `run_worker` owns the process: signals, standard output, and leaving without waiting for code that will not end.
   `serve_worker` owns nothing but its work.
"""

from __future__ import annotations

import logging
import random
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio

from forebay import platform
from forebay.api.children import plans, reporting_from_threads
from forebay.api.hosting import HOOKS_END_S, Hosting, in_a_thread
from forebay.api.lifespan import HookFailed, Lifespan
from forebay.api.opening import Watch, sources_or_exit
from forebay.api.options import RunOptions
from forebay.api.parts import executors_for, identity_of, policy_for, protection_for
from forebay.api.run_fields import bug_fields, has_uvloop, nothing_received, started_fields, stopped_fields
from forebay.api.signals import Stoppable, StopSignals
from forebay.clock import Clock, SystemClock
from forebay.handlers.executor import Executor
from forebay.handlers.frames import without_ours
from forebay.handlers.loop_thread import LoopThread
from forebay.observability.health import HealthState
from forebay.observability.health_server import HealthServer
from forebay.observability.kinds import Keep
from forebay.observability.logs import LogHandler, install
from forebay.observability.prints import give_back, take_over
from forebay.observability.reporter import Reporter
from forebay.observability.writer import Writer
from forebay.worker.driver import Driver
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import Exit

if TYPE_CHECKING:
    from forebay.api.worker import Worker

HANDLERS_END_S = 0.5
LEAVE_MAX_S = 5.0
"""From the last line until the process has ended: threads that user code has left behind get this long, and so do its
hooks at the interpreter's end (`atexit`)."""
EXIT_BUG = 70


class Stop(Protocol):
    """An event of anyio, of asyncio or the program's own."""

    async def wait(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a run ended."""

    status: int
    reason: str
    code_still_runs: bool


def run_worker(worker: Worker, options: RunOptions, *, leave_within_s: float | None = None) -> int:
    """Work until stopped by a signal, by emptiness or by trouble; return the exit status.

    With `leave_within_s` the process ends so long after the last line at the latest, whatever threads are left behind.
    When a handler would not end, the process is left at once (`os._exit`) after the last flush, so this may not return.
    """
    clock = SystemClock()
    signals = StopSignals()
    # Where standard output was closed at the start, its number may be anybody's file by now.
    writer = Writer() if sys.__stdout__ is not None else Writer(descriptor=-1)
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
    prints = take_over(writer)
    try:
        stopped = anyio.run(
            _run, worker, options, reporter, clock, signals, leave_within_s,
            backend_options={"use_uvloop": has_uvloop()},
        )  # fmt: skip
    finally:
        signals.ignore()
        reporter.close()
        give_back(prints)
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

    async def obey(worker: Stoppable) -> None:
        if stop is not None:
            await stop.wait()
            worker.stop("asked to stop")

    async with AsyncExitStack() as opened:
        stopped = await _work(worker, options, reporter, clock, opened, obey, _log_hook)
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


async def _run(
    worker: Worker,
    options: RunOptions,
    reporter: Reporter,
    clock: Clock,
    signals: StopSignals,
    leave_within_s: float | None,
) -> Stopped:
    async with AsyncExitStack() as opened:
        stopped = await _work(worker, options, reporter, clock, opened, signals.obey, _print_hook)
    if leave_within_s is not None:
        platform.leave_within(leave_within_s, stopped.status)
    return stopped


async def _work(
    worker: Worker,
    options: RunOptions,
    reporter: Reporter,
    clock: Clock,
    opened: AsyncExitStack,
    watch: Watch,
    show: Callable[[HookFailed], None],
) -> Stopped:
    settings = options.settings
    registry = worker.registry
    rng = random.Random()
    health = _health(options, clock, opened)
    protection = protection_for(options, clock)
    sources = await sources_or_exit(options, reporter, opened, watch)
    if isinstance(sources, Exit):
        reporter.report("worker.stopped", nothing_received(sources))
        return Stopped(sources.status, sources.reason, code_still_runs=False)
    worker.home.works(list(sources))  # What a handler enqueues goes to the queue that is being worked.
    children = plans(worker, registry, settings, list(sources))
    runs_here = {handler.runs for handler in registry}.difference(*(plan.kinds for plan in children))
    loop = LoopThread()
    # Where all handlers run in children, the hooks do so too, and only there.
    lifespan = worker.lifespan if runs_here else Lifespan({})
    hosting = Hosting(lifespan, loop, reporter, clock, show=show)
    watch = hosting.heard_by(watch)
    refused = await hosting.start_or_exit(watch, health)
    if refused is not None:
        reporter.report("worker.stopped", nothing_received(refused))
        return Stopped(refused.status, refused.reason, refused.code_still_runs)
    policy = policy_for(settings, rng, is_available=protection is not None)
    places = executors_for(registry, settings.slots, loop, children, report=reporting_from_threads(reporter))
    engine = Engine(settings, registry, list(sources), policy=policy, rng=rng)
    driver = Driver(
        engine, registry, sources, places, protection, reporter, clock, health=health, stop_hint=_stop_hint()
    )
    started_at = clock.now()
    identity = await identity_of(options)
    reporter.report("worker.started", started_fields(worker.name, registry, options, list(sources), identity))
    if protection is None and settings.protect != "never":
        reporter.report("protection.absent", {})
    ended = await _drive(driver, watch, reporter)
    if not ended.code_still_runs:
        await hosting.stop(watch, health, drain_s=settings.drain_s)
    has_hooks_in_children = bool(children) and worker.lifespan.is_needed
    wait_s = 0.0 if ended.code_still_runs else HOOKS_END_S if has_hooks_in_children else HANDLERS_END_S
    await in_a_thread(partial(_close, places.values(), loop, wait_s=wait_s))
    reporter.report("worker.stopped", stopped_fields(engine, ended, sources, clock.now() - started_at))
    return Stopped(ended.status, ended.reason, ended.code_still_runs)


def _health(options: RunOptions, clock: Clock, opened: AsyncExitStack) -> HealthState:
    health = HealthState(clock.now())
    if options.health is not None:
        opened.callback(HealthServer(health, clock, *options.health).close)
    return health


def _close(places: Iterable[Executor], loop: LoopThread, *, wait_s: float) -> None:
    closing: list[Executor | LoopThread] = [*dict.fromkeys(places), loop]
    for one in closing:
        one.close(wait_s=wait_s)


async def _drive(driver: Driver, watch: Watch, reporter: Reporter) -> Exit:
    """Run the driver to its end. A bug of ours ends it too, but not without a word and a ledger."""
    ended: list[Exit] = []
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, driver)
            ended.append(await driver.run())
            tasks.cancel_scope.cancel()
    except Exception as error:  # noqa: BLE001 - the edge: whatever it is, it is a bug, and it is reported
        reporter.report("internal.error", bug_fields(error))
        if platform.wants_traceback():
            traceback.print_exc()
        return Exit(EXIT_BUG, "a bug in Forebay", code_still_runs=True)
    return ended[0]


def _print_hook(failed: HookFailed) -> None:
    """Show the user's traceback as that of a TARGET which cannot be imported."""
    sys.stderr.write("".join(traceback.format_exception(without_ours(failed.error))))
    sys.stderr.flush()


def _log_hook(failed: HookFailed) -> None:
    logging.getLogger("forebay").error("%s raised", failed.hook, exc_info=without_ours(failed.error))


def _stop_hint() -> str | None:
    return "Ctrl-C again stops now" if platform.is_terminal(sys.stdout) else None
