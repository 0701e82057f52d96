"""A worker and its queues inside of a test: no sockets, no AWS, and no waiting.

Rules kept here and nowhere else:

1. It is the shipped worker (engine, driver, executors) over the queues in memory; nothing of it is imitated. Isolated
   jobs alone run elsewhere than in production: here, beside the others.
2. Handlers and their event loop live as long as the client, so what a start hook has opened serves every call.
3. One thing at a time: a call returns when all that it asked for has ended, or raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

import anyio.to_thread

from forebay.api.durations import Duration, seconds
from forebay.api.queue import Call
from forebay.api.sending import caught_by
from forebay.errors import SettingsError
from forebay.queue.port import Counts
from forebay.testing.attempted import AttemptResult
from forebay.testing.client_run import ClientRuns
from forebay.testing.enqueued import EnqueuedJob
from forebay.testing.given_message import Given
from forebay.testing.glass_queue import GlassQueue
from forebay.testing.interruption import Interruption
from forebay.testing.local_drained import Until
from forebay.testing.local_report import JobAttempt, WorkReport
from forebay.testing.memory_account import MemoryAccount
from forebay.testing.memory_time import MeetingClock
from forebay.testing.queued import QueuedMessage

if TYPE_CHECKING:
    from forebay.api.job import Job
    from forebay.api.worker import Worker

Arg = ParamSpec("Arg")
Failures = Literal["raise", "return"]
Time = Literal["virtual", "real"]

PATIENCE_S = 30.0


class WorkerClient:
    """`with WorkerClient(worker) as client:`; in pytest, `client = forebay_client(worker)`."""

    def __init__(
        self,
        worker: Worker,
        *,
        time: Time = "virtual",
        dead_letter: bool = True,
        receives_max: int = 10,
        visibility_s: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`receives_max` is the queues' maxReceiveCount. `patience_s` is how long a call may take in real time."""
        if time not in ("virtual", "real"):
            raise SettingsError(f"time={time!r} is neither 'virtual' nor 'real'")
        self.worker = worker
        self._clock = MeetingClock(is_virtual=time == "virtual")
        self._began_at = self._clock.now()
        self._account = MemoryAccount(self._clock, dead_letter=dead_letter, receives_max=receives_max)
        self._addresses = worker.home.addresses or (worker.name,)
        self._queues = [self._account.queue(address) for address in self._addresses]
        self._runs = ClientRuns(worker, self._account, self._clock, visibility_s=visibility_s, patience_s=patience_s)
        self._opened = ExitStack()
        self.attempts: list[JobAttempt] = []
        """Every attempt of every `work` so far, in the order of their ends."""

    def __enter__(self) -> WorkerClient:
        with ExitStack() as opened:
            opened.enter_context(caught_by(self._account))
            self.worker.home.works(self._addresses)
            opened.callback(self.worker.home.rests)
            opened.callback(self._runs.close)
            self._runs.open()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.close()

    # ── one attempt ────────────────────────────────────────────────────────────────────────────────────────

    def run(self, job: Job[Arg, Any, Any], /, *args: Arg.args, **kwargs: Arg.kwargs) -> AttemptResult:
        """Run one attempt at the job with these arguments, sent and read as in production.

        Raises what the job raises, `Reject` and `RetryLater` included, and `JobNotDone` when it timed out.
        """
        result = self.attempt(job.call(*args, **kwargs))
        result.raise_failure()
        return result

    async def arun(self, job: Job[Arg, Any, Any], /, *args: Arg.args, **kwargs: Arg.kwargs) -> AttemptResult:
        """The same from a coroutine of asyncio or trio, whose event loop goes on meanwhile."""
        call = job.call(*args, **kwargs)
        result = await anyio.to_thread.run_sync(lambda: self.attempt(call))
        result.raise_failure()
        return result

    def attempt(
        self,
        what: Any,
        /,
        *,
        job: str | None = None,
        attempt: int | None = None,
        state: object = None,
        stopping: bool = False,
        lease_lost: bool = False,
        stop_at_checkpoint: int | None = None,
        group: str | None = None,
        attributes: Mapping[str, str | bytes | int | float] | None = None,
    ) -> AttemptResult:
        """Run one attempt at a call (`job.call(…)`), a `Message` or any body; return what came of it. Raises nothing
        of the job's.

        `attempt` is which one it is, and `state` what an earlier one has reached. `stopping` and `lease_lost` are
        raised before the code begins, `stopping` with the checkpoint of number `stop_at_checkpoint` at the latest.
        """
        given = Given(what=what, job=job, attributes=attributes or {}, group=group, attempt=attempt, state=state)
        interruption = Interruption(stopping=stopping, lease_lost=lease_lost, at_checkpoint=stop_at_checkpoint)
        return self._runs.attempts([given], interruption)[0]

    def attempt_batch(self, calls: Sequence[Call], /, *, stopping: bool = False) -> list[AttemptResult]:
        """Run one attempt at each of these calls, together where their job is a batch. In the order of the calls."""
        return self._runs.attempts([Given(what=call) for call in calls], Interruption(stopping=stopping))

    # ── work ───────────────────────────────────────────────────────────────────────────────────────────────

    def work(
        self,
        *,
        until: Until = "empty",
        failures: Failures = "raise",
        stop_after: Duration | None = None,
        stop_at_checkpoint: int | None = None,
    ) -> WorkReport:
        """Run the worker on its queues until nothing is left to do, with retries and back-offs, in virtual time.

        `until="quiet"`: until nothing can be received at the moment. `stop_after` asks the worker to stop so long after
        its start, as a deployment does, `stop_at_checkpoint` with the checkpoint of that number, whosever it is.

        Raises `JobsGivenUp` when a message went to the dead-letter queue and `NotDrained` when the worker left before
        its time, unless `failures="return"`; and `NotDrained` when patience is at its end in either case.
        """
        interruption = Interruption(
            after_s=None if stop_after is None else seconds("stop_after", stop_after), at_checkpoint=stop_at_checkpoint
        )
        report = self._runs.work([queue.url for queue in self._queues], until, interruption)
        self.attempts += report.attempts
        if failures == "raise":
            report.raise_failures()
        return report

    async def awork(
        self,
        *,
        until: Until = "empty",
        failures: Failures = "raise",
        stop_after: Duration | None = None,
        stop_at_checkpoint: int | None = None,
    ) -> WorkReport:
        """The same from a coroutine of asyncio or trio, whose event loop goes on meanwhile."""
        return await anyio.to_thread.run_sync(
            lambda: self.work(
                until=until, failures=failures, stop_after=stop_after, stop_at_checkpoint=stop_at_checkpoint
            )
        )

    # ── what there is ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def queue(self) -> GlassQueue:
        """The worker's own queue."""
        return self._queues[0]

    def queue_named(self, name: str) -> GlassQueue:
        """Any queue of this test. Raises `SettingsError` when nothing has been sent to one of this name."""
        return self._account.queues.find(name)

    def send(
        self,
        body: object,
        *,
        job: str | None = None,
        delay: Duration | None = None,
        group: str | None = None,
        dedupe: str | None = None,
        **attributes: str | bytes | int | float,
    ) -> str:
        """Send a message to the worker's queue as any program could, and return its id."""
        return self.queue.send(body, job=job, delay=delay, group=group, dedupe=dedupe, **attributes)

    @property
    def enqueued(self) -> list[EnqueuedJob]:
        """Every job that this process has sent so far, to whatever queue, in order."""
        return self._account.enqueued

    def messages(self) -> list[QueuedMessage]:
        """Every message in the worker's queues: visible, in flight (hidden retries too) or delayed."""
        return [message for queue in self._queues for message in queue.messages()]

    def dead_letters(self) -> list[QueuedMessage]:
        """Every message in their dead-letter queues; `error` says why."""
        letters = {queue.dead_letter.url: queue.dead_letters() for queue in self._queues if queue.dead_letter}
        return [letter for group in letters.values() for letter in group]

    def counts(self) -> Counts:
        """How many messages of the worker's queues are visible, in flight and delayed."""
        return Counts(*(sum(numbers) for numbers in zip(*(queue.counts() for queue in self._queues), strict=True)))

    @property
    def retries(self) -> list[JobAttempt]:
        """Attempts whose job is or was tried again, with the delay before that."""
        return [attempt for attempt in self.attempts if attempt.settlement in ("release", "resend")]

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now_s(self) -> float:
        """Seconds since the client was made, skipped time included."""
        return self._clock.now() - self._began_at

    def advance(self, time: Duration) -> None:
        """Let so much time have passed: hidden and delayed messages come back. In real time too."""
        time_s = seconds("advance(time)", time)
        self._account.on_rules(lambda _: self._clock.skip(time_s))
