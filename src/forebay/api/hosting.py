"""Start and stop hooks within a run: off the control loop, while requests to stop are heard and `/live` stays true.

Rules kept here and nowhere else:

1. Nothing is received before the last start hook has returned. One that raises ends the run with status 1.
2. A request to stop that comes while start hooks run is not kept waiting: the process leaves, nothing was received.
3. Stop hooks get what the drain has left and a few seconds more, and nothing after a second request. They do not run
   while code still runs that would not end: what it uses must not be closed under it, and its messages are released.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio

from forebay.api.lifespan import HookFailed, Lifespan
from forebay.api.opening import Watch, unless_stopped
from forebay.api.signals import Stoppable
from forebay.clock import Clock
from forebay.errors import ForebayError
from forebay.handlers.frames import places_of, told
from forebay.handlers.loop_thread import LoopThread
from forebay.observability.health import HealthState
from forebay.worker.recorder import Recorder
from forebay.worker.vocabulary import Exit

HOOKS_END_S = 3.0
"""For stop hooks after a drain that took all of its time: ECS kills 30 s after SIGTERM, the default drain takes 25."""

_T = TypeVar("_T")
_Show = Callable[[HookFailed], None]
"""Shows the user's traceback, where the user looks for it."""


class Hosting:
    """The lifespan of a worker within one run of it."""

    def __init__(self, lifespan: Lifespan, loop: LoopThread, recorder: Recorder, clock: Clock, *, show: _Show) -> None:
        self._lifespan = lifespan
        self._loop = loop
        self._recorder = recorder
        self._clock = clock
        self._show = show
        self._stopped_at: float | None = None
        self._deciding = threading.Lock()
        self._is_given_up = False

    def heard_by(self, watch: Watch) -> Watch:
        """Return `watch`, with the first request to stop noted for the time that stop hooks get."""

        async def noting(worker: Stoppable) -> None:
            await watch(_Noting(worker, self._note))

        return noting

    async def start_or_exit(self, watch: Watch, health: HealthState) -> Exit | None:
        """Run the start hooks, or say how the run ends without having received anything."""
        self._lifespan.check_idle()
        if not self._lifespan.is_needed:
            self._lifespan.start(self._loop)
            return None

        async def begin() -> Exit | None:
            try:
                await self._while_alive(health, self._start_or_undo)
            except HookFailed as failed:
                for one in (failed, *failed.also):
                    self._tell(one)
                self._loop.close(wait_s=0.0)
                return Exit(1, str(failed), code_still_runs=False)
            return None

        ended = await unless_stopped(watch, begin)
        if not isinstance(ended, str):
            return ended
        # A hook cannot be stopped from outside: whoever was asked to stop leaves without it.
        with self._deciding:
            self._is_given_up = True
        return Exit(0, ended, code_still_runs=True)

    def _start_or_undo(self) -> None:
        """Run the start hooks, and the stop hooks after them if nobody has waited: a program may outlive its worker."""
        self._lifespan.start(self._loop)
        with self._deciding:
            if not self._is_given_up:
                return
        self._lifespan.stop()
        self._loop.close(wait_s=HOOKS_END_S)

    async def stop(self, watch: Watch, health: HealthState, *, drain_s: float) -> None:
        """Run the stop hooks, for no longer than there is time."""
        if not self._lifespan.is_needed:
            self._lifespan.stop()
            return
        gone_s = 0.0 if self._stopped_at is None else self._clock.now() - self._stopped_at
        ended: list[HookFailed] = []
        with anyio.move_on_after(max(0.0, drain_s - gone_s) + HOOKS_END_S) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch, _SecondOnly(tasks.cancel_scope))
                ended = await self._while_alive(health, self._lifespan.stop)
                tasks.cancel_scope.cancel()
        for failed in ended:
            self._tell(failed)
        if scope.cancelled_caught:
            told = {"hook": self._lifespan.ending, "error": "TimeoutError", "frames": ""}
            self._recorder.report("hook.failed", told)

    def _note(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = self._clock.now()

    def _tell(self, failed: HookFailed) -> None:
        frames = " > ".join(told(places_of(failed.error.__traceback__)))
        self._recorder.report(
            "hook.failed", {"hook": failed.hook, "error": type(failed.error).__qualname__, "frames": frames}
        )
        self._show(failed)

    async def _while_alive(self, health: HealthState, work: Callable[[], _T]) -> _T:
        error: BaseException | None = None
        done: list[_T] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._turn, health)
            try:
                done.append(await in_a_thread(work))
            except ForebayError as raised:
                error = raised  # Raised below: a task group would wrap it.
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error
        return done[0]

    async def _turn(self, health: HealthState) -> None:
        while True:
            health.last_turn_at = self._clock.now()
            await anyio.sleep(1.0)


class _Noting:
    """Passes requests to stop on."""

    def __init__(self, worker: Stoppable, note: Callable[[], None]) -> None:
        self._worker = worker
        self._note = note

    def stop(self, reason: str) -> None:
        self._note()
        self._worker.stop(reason)

    def stop_now(self, reason: str) -> None:
        self._worker.stop_now(reason)


class _SecondOnly:
    """Obeys a second request to stop: the first is what brought us here."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope

    def stop(self, reason: str) -> None:
        pass

    def stop_now(self, reason: str) -> None:  # noqa: ARG002 - the run has told its reason already
        self._scope.cancel()


async def in_a_thread(work: Callable[[], _T]) -> _T:
    """Do blocking work in a daemon thread of its own; a wait that is cancelled leaves it behind."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def carry() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            tell(partial(done.set_exception, error))
        else:
            tell(partial(done.set_result, result))

    def tell(settle: Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(lambda: None if done.done() else settle())
        except RuntimeError:
            assert loop.is_closed()  # Nobody waits any more.

    threading.Thread(target=carry, name="forebay-hooks", daemon=True).start()
    return await done
