"""One run of `forebay local`: from the first line on the terminal to the summed ledgers.

Rules kept here and nowhere else:

1. The first signal drains: nothing new is started, what runs may finish. The second stops at once; one that comes
   within a twentieth of a second is the first one's echo.
2. Drained means that something was sent and nothing is visible, in flight or delayed any more.
3. A worker that refuses its own settings (exit status 2) would only refuse them again: it ends the run.
4. The exit status is 2 for such a worker, else 1 when jobs were given up, when a task left badly at the end, when the
   spike was not taken or when it was stopped at once, else 0.
5. What fails where nobody waits for it (in a callback of the loop, in a task of ours, in the view) is not passed over:
   it stops the run at once and is raised when everything has ended.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from forebay.errors import SettingsError
from forebay.local.browser import open_in_browser
from forebay.local.cloud import Cloud
from forebay.local.port import ControlError
from forebay.local.ports import BoundPorts, bind
from forebay.local.summary import summary
from forebay.observability.events import Level

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from forebay.local.plan import LocalPlan
    from forebay.local.view import View

LOOK_S = 0.1
"""How often it is looked whether the queue is drained. A look costs microseconds: the queue is in this process."""
DRAINED_LOOKS = 2
"""In a row: after the last delete a worker has something to say yet, and to let go of its protection."""
PICTURE_S = 0.5
ECHO_S = 0.05
PATIENCE_AT_ONCE_S = 3.0
"""What tasks get after the second signal, to give back what they hold."""
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LocalRun:
    """One run of the local system."""

    def __init__(self, plan: LocalPlan, view: View) -> None:
        self._plan = plan
        self._view = view
        self._stop = asyncio.Event()
        self._stop_at_once = asyncio.Event()
        self._signalled_at = 0.0
        self._failure: BaseException | None = None
        self._is_spike_taken = True

    async def run(self) -> int:
        """Run until drained or stopped; return the exit status. Raises SettingsError for ports and folders."""
        ports = bind(self._plan.port, has_page=self._plan.has_page)
        if ports.remark:
            self._view.tell(ports.remark)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unheard)
        async with AsyncExitStack() as stack:
            for number in STOPPING_SIGNALS:
                loop.add_signal_handler(number, self._signalled)
            stack.callback(_ignore_signals, loop)
            cloud = await self._open(stack, ports)
            self._tell_surroundings(cloud)
            await self._work(cloud)
            status = self._told(cloud)
        if self._failure is not None:
            raise self._failure
        return status

    async def _open(self, stack: AsyncExitStack, ports: BoundPorts) -> Cloud:
        """Begin to serve. Raises SettingsError when that cannot be."""
        cloud = Cloud(self._plan, ports.endpoint_port, self._task_line)
        try:
            await stack.enter_async_context(cloud)
            if self._plan.has_page:
                await self._open_page(stack, cloud, ports)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SettingsError(f"the local cloud cannot begin to listen: {reason}; try another --port") from error
        return cloud

    async def _open_page(self, stack: AsyncExitStack, cloud: Cloud, ports: BoundPorts) -> None:
        from forebay.local.page import Page

        page = await stack.enter_async_context(Page(cloud, ports.page_port))
        self._view.tell(f"The page: {page.url}")
        if self._plan.opens_page:
            open_in_browser(page.url, on_failure=lambda: self._view.tell(f"No browser could be opened: see {page.url}"))

    def _tell_surroundings(self, cloud: Cloud) -> None:
        self._view.tell(
            "SQS and ECS on this machine. For boto3, the AWS CLI, `forebay send` and `status` in another terminal:"
        )
        self._view.tell("  export " + " ".join(f"{name}={value}" for name, value in cloud.for_programs().items()))

    # ── the work ───────────────────────────────────────────────────────────────────────────────────────────

    async def _work(self, cloud: Cloud) -> None:
        """Send the spike, wait until there is a reason to leave, and drain."""
        beside = [asyncio.ensure_future(self._guarded(self._send_spike(cloud)))]
        if self._view.shows_pictures:
            beside.append(asyncio.ensure_future(self._guarded(self._show_pictures(cloud))))
        try:
            await self._until_over(cloud, beside[0])
            beside[0].cancel()
            await self._drain(cloud)
        finally:
            for one in beside:
                one.cancel()
            await asyncio.wait(beside)
        self._view.end(cloud.picture())

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for; its failure is the run's."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - rule 5: it is raised by `run`
            self._fail(error)

    async def _send_spike(self, cloud: Cloud) -> None:
        spike = self._plan.spike
        if spike is None:
            return
        try:
            taken = await cloud.send(spike.count, spike.job_ms)
        except ControlError as error:
            self._is_spike_taken = False
            self._view.tell(f"the spike was not sent as a whole: {error}")
            if self._plan.leave_when_drained and not cloud.figures().sent:
                self._stop.set()
        else:
            self._view.tell(f"{taken} jobs sent to {cloud.queue_url}")

    async def _until_over(self, cloud: Cloud, sending: asyncio.Future[None]) -> None:
        """Return when the run is to end, and say once that everything is done."""
        is_told = False
        drained_looks = 0
        while not self._stop.is_set() and cloud.refused_settings is None:
            drained_looks = drained_looks + 1 if sending.done() and cloud.is_drained() else 0
            failure = cloud.failure()
            if failure is not None:
                self._fail(failure)
            elif drained_looks >= DRAINED_LOOKS:
                if self._plan.leave_when_drained:
                    return
                if not is_told:
                    where = "from the page or with" if self._plan.has_page else "with"
                    self._view.tell(f"Every job is done. Send more {where} `forebay send`; Ctrl-C stops.")
                    is_told = True
            await _first(self._stop, LOOK_S)

    async def _drain(self, cloud: Cloud) -> None:
        """Stop every task: by SIGTERM, and once more, then by SIGKILL, when somebody insists."""
        draining = asyncio.ensure_future(self._guarded(cloud.drain()))
        insisting = asyncio.ensure_future(self._stop_at_once.wait())
        try:
            await asyncio.wait((draining, insisting), return_when=asyncio.FIRST_COMPLETED)
            if not draining.done():
                cloud.terminate_again()
                await asyncio.wait((draining,), timeout=PATIENCE_AT_ONCE_S)
        finally:
            insisting.cancel()
            draining.cancel()

    async def _show_pictures(self, cloud: Cloud) -> None:
        while True:
            self._view.show(cloud.picture())
            await asyncio.sleep(PICTURE_S)

    # ── what happens meanwhile ─────────────────────────────────────────────────────────────────────────────

    def _unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take an error that asyncio would only log."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._fail(error)
        else:
            loop.default_exception_handler(context)

    def _fail(self, error: BaseException) -> None:
        """Stop at once because of this. The first is the one that is told."""
        if self._failure is None:
            self._failure = error
        self._stop.set()
        self._stop_at_once.set()

    def _signalled(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._stop.is_set():
            self._stop.set()
        elif now - self._signalled_at >= ECHO_S:
            self._stop_at_once.set()
            return
        self._signalled_at = now

    def _task_line(self, line: str, event: Mapping[str, object] | None) -> None:
        level = str(event.get("level", "INFO")) if event is not None else "INFO"
        try:
            self._view.task_line(line, is_warning=level in (Level.WARNING.name, Level.ERROR.name, "CRITICAL"))
        except Exception as error:  # noqa: BLE001 - rule 5; the task's end must still be heard of
            self._fail(error)

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────

    def _told(self, cloud: Cloud) -> int:
        """Tell what became of the jobs and return the exit status."""
        told = summary(cloud.figures(), refused_settings=cloud.refused_settings)
        for line in told.lines:
            self._view.tell(line)
        return told.status or (1 if self._stop_at_once.is_set() or not self._is_spike_taken else 0)


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Return when the event comes, or after `seconds`."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def _ignore_signals(loop: asyncio.AbstractEventLoop) -> None:
    """The work is over. What still comes must not kill us by default handling before we have told how it went."""
    # Blocked meanwhile: taking the loop's handler away brings the default one back for a moment.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
    for number in STOPPING_SIGNALS:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
