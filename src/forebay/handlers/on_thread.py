"""The executor of plain `def` handlers: a pool of our own daemon threads.

Rules kept here and nowhere else:

1. Threads are made when attempts need them, at most `threads` of them, and never end before `close`.
2. A thread cannot be stopped from outside, so an interrupt only raises `signals.stopping` and waits. What the handler
   does then is believed: it returned, so it succeeded; it raised an answer, so it answered; else it failed.
3. An attempt that no thread has taken yet ends at once when interrupted: whoever takes it first, owns it.
4. Each attempt runs in a fresh, empty context: nothing set by one job is seen by the next.
5. A handler that forks and comes back in the child ends there: a second copy of this worker must not go on.
6. A batch of messages is one piece of work; an interrupt of any of its attempts is one of all.
7. Outcomes gather while another thread is handing some over, and go in one batch after it.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from queue import SimpleQueue
from time import monotonic
from typing import cast

from forebay.handlers.batches import ends_of, gathered
from forebay.handlers.executor import Blockage, Deliver, Ended
from forebay.handlers.failure import outcome_of
from forebay.handlers.frames import places_of_running, told
from forebay.handlers.registry import Registry
from forebay.model import SUCCEEDED, Attempt, Interrupted, Outcome, Postponed, TimedOut
from forebay.observability.current import CURRENT_ATTEMPT
from forebay.platform import leave_now, process_id

_ALL_WELL = (SUCCEEDED,)
_BatchCall = Callable[[Sequence[Attempt]], Sequence[Outcome]]
_Work = tuple[Attempt, ...]
"""One attempt, or a batch of them: what one thread does in one go. Known by the number of its first attempt."""


class ThreadExecutor:
    """Runs plain functions on a pool of threads. Implements `handlers.executor.Executor`."""

    def __init__(
        self, registry: Registry, threads: int, *, make_thread: Callable[..., threading.Thread] = threading.Thread
    ) -> None:
        assert threads >= 1, threads
        self._make_thread = make_thread
        self._registry = registry
        self._process_id = process_id()
        self._threads_max = threads
        self._threads: list[threading.Thread] = []
        self._work: SimpleQueue[int | None] = SimpleQueue()
        # Work stands in one of these from its hand-over to its end. Moving it is a single `pop`, which is atomic: a
        # thread and an interrupt that both want it cannot both get it.
        self._waiting: dict[int, _Work] = {}
        self._running: dict[int, _Work] = {}
        self._first_of: dict[int, int] = {}
        """Number of an attempt in a batch → number of the batch's first. Those of other attempts are not in it."""
        self._thread_of: dict[int, int] = {}
        """Which thread does the work: its identifier, by the number of the first attempt."""
        self._ended: deque[Ended] = deque()
        self._delivering = threading.Lock()
        self._closing = False

    @property
    def can_kill(self) -> bool:
        return False

    def open(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def start(self, attempts: Sequence[Attempt]) -> None:
        if self._closing:
            self._hand_over(*(Ended(attempt.number, Interrupted(), 0.0) for attempt in attempts))
            return
        for attempt in attempts:
            attempt.signals.extend = self._deliver.extend
        singles, batches = gathered(attempts)
        for batch in batches:
            self._first_of.update({attempt.number: batch[0].number for attempt in batch})
        for work in (*((attempt,) for attempt in singles), *batches):
            self._waiting[work[0].number] = work
            self._work.put(work[0].number)
        self._make_threads()

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        number = self._first_of.get(number, number)
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            self._tell(waiting, [TimedOut(one.limit_s) if because_of_limit else Interrupted() for one in waiting], 0.0)
            return
        for attempt in self._running.get(number, ()):
            attempt.signals.stopping = True
            self.notify(attempt)

    def notify(self, attempt: Attempt) -> None:
        # Listeners are ours (`api.context`), set an event and return.
        for listener in tuple(attempt.signals.listeners):
            listener()

    def blockage(self, *, now: float) -> Blockage | None:  # noqa: ARG002 - part of the port
        """Threads block; that is what they are for."""
        return None

    def stack_of(self, number: int) -> tuple[str, ...]:
        number = self._first_of.get(number, number)
        thread = self._thread_of.get(number)
        frame = sys._current_frames().get(thread) if thread is not None else None  # pyright: ignore[reportPrivateUsage]
        if frame is None or self._thread_of.get(number) != thread:
            return ()  # It has ended meanwhile, and the frame is another's.
        return told(places_of_running(frame))

    def close(self, *, wait_s: float) -> bool:
        self._closing = True
        for number in list(self._waiting):
            self.interrupt(number, because_of_limit=False)
        for _ in self._threads:
            self._work.put(None)
        until = monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _make_threads(self) -> None:
        wanted = min(self._threads_max, len(self._waiting) + len(self._running))
        while len(self._threads) < wanted:
            name = f"forebay-thread-{len(self._threads) + 1}"
            thread = self._make_thread(target=self._work_on, name=name, daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                # The machine gives no more of them. Those we have carry on; without any, nothing here can start, and
                # the jobs are not to blame.
                if not self._threads:
                    self._postpone_all()
                return
            self._threads.append(thread)

    def _postpone_all(self) -> None:
        for number in list(self._waiting):
            work = self._waiting.pop(number, None)
            if work is not None:
                self._tell(work, [Postponed(None, "no thread could be started")] * len(work), 0.0)

    # ── below, everything runs on the pool's threads ─────────────────────────────────────────────────────────

    def _work_on(self) -> None:
        while (number := self._work.get()) is not None:
            work = self._waiting.get(number)
            if work is None:
                continue
            # It stands in both for a moment rather than in neither: an interrupt in between finds it either way.
            self._running[number] = work
            if self._waiting.pop(number, None) is not None:
                self._run(work)
            self._running.pop(number, None)

    def _run(self, work: _Work) -> None:
        began_at = monotonic()
        outcomes: Sequence[Outcome] = _ALL_WELL
        self._thread_of[work[0].number] = threading.get_ident()
        try:
            if work[0].batch:
                outcomes = Context().run(self._call_batch, work)
            else:
                Context().run(self._call, work[0])
        except BaseException as error:  # noqa: BLE001 - user code may raise anything, and the thread must go on
            outcomes = ends_of(error, work, outcome_of)
        if process_id() != self._process_id:
            leave_now(0 if all(outcome is SUCCEEDED for outcome in outcomes) else 1)
        # Gone from here before its end is told, so that threads are counted for those who still need one.
        self._running.pop(work[0].number, None)
        del self._thread_of[work[0].number]
        self._tell(work, outcomes, monotonic() - began_at)

    def _call(self, attempt: Attempt) -> None:
        CURRENT_ATTEMPT.set(attempt)
        self._registry[attempt.job].call(attempt)

    def _call_batch(self, batch: _Work) -> Sequence[Outcome]:
        CURRENT_ATTEMPT.set(batch[0])
        outcomes = cast("_BatchCall", self._registry[batch[0].job].call)(batch)
        assert len(outcomes) == len(batch), (len(outcomes), len(batch))
        return outcomes

    def _tell(self, work: _Work, outcomes: Sequence[Outcome], lasted_s: float) -> None:
        if work[0].batch:
            for attempt in work:
                self._first_of.pop(attempt.number, None)
        ends = zip(work, outcomes, strict=True)
        self._hand_over(*(Ended(one.number, outcome, lasted_s, one.signals.checkpoint) for one, outcome in ends))

    def _hand_over(self, *ended: Ended) -> None:
        """Deliver these ends, or leave them to the thread that is delivering at the moment."""
        self._ended.extend(ended)
        # Looked at again after letting go: what came while we held the lock has nobody else.
        while self._ended and self._delivering.acquire(blocking=False):
            try:
                batch = [self._ended.popleft() for _ in range(len(self._ended))]
                if batch:
                    self._deliver.ended(batch)
            finally:
                self._delivering.release()
