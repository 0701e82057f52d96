"""Keeps the clock from skipping while a job's code runs, and what the code raised.

Rules kept here and nowhere else:

1. From the hand-over of an attempt until its end has been told, time is real, whichever executor runs it.
2. `ctx.remaining_s` and `ctx.deadline` are told by the machine's clock, which is the one that code can see.
3. An exception is kept on its way out and goes on as it is.
4. Isolated jobs run in the test's own process, so that a debugger, a coverage tool and the test see into them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, cast

from forebay.handlers.batches import Partly
from forebay.handlers.executor import Blockage, Deliver, Ended, Executor
from forebay.handlers.registry import Call, Handler, Registry, Runs
from forebay.model import Attempt, Extend, Signals
from forebay.testing.local_clock import SkippingClock

BLOCKAGE_ASKED_S = 1.0

Raised = dict[str, BaseException]
"""Receipt of a delivery → what its code raised. Attempts' numbers begin anew with every run."""


class PacedExecutor:
    """An executor whose running code holds the clock. Implements `handlers.executor.Executor` and `Deliver`.

    It may be opened again for another run: then its code goes on where it is, and its ends go to the new run.
    """

    def __init__(self, inner: Executor, clock: SkippingClock, *, holds: bool = True) -> None:
        """`holds=False`: the code's own loop says when time may be skipped."""
        self._inner = inner
        self._clock = clock
        self._holds = holds
        self._deliver: Deliver
        self._is_open = False
        self._blockage_asked_at = float("-inf")
        self._begun_at: dict[int, float] = {}
        self.prepare: Callable[[Signals], None] = _nothing
        """Called with the signals of each attempt before its code begins."""

    @property
    def can_kill(self) -> bool:
        return self._inner.can_kill

    def open(self, deliver: Deliver) -> None:
        self._deliver = deliver
        if not self._is_open:
            self._is_open = True
            self._inner.open(self)

    def start(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._begun_at[attempt.number] = self._clock.now()
            if self._holds:
                self._clock.hold((id(self), attempt.number))
            # Frozen to type checkers; the code has not begun, so nobody else has a hold of its signals.
            signals = MachineSignals(attempt.signals, self._clock)
            object.__setattr__(attempt, "signals", signals)
            self.prepare(signals)
        self._inner.start(attempts)

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        self._inner.interrupt(number, because_of_limit=because_of_limit)

    def notify(self, attempt: Attempt) -> None:
        self._inner.notify(attempt)

    def blockage(self, *, now: float) -> Blockage | None:
        if monotonic() < self._blockage_asked_at + BLOCKAGE_ASKED_S:
            return None  # Code blocks in real time. Skipped seconds are no reason to ask.
        self._blockage_asked_at = monotonic()
        return self._inner.blockage(now=now)

    def stack_of(self, number: int) -> tuple[str, ...]:
        return self._inner.stack_of(number)

    def close(self, *, wait_s: float) -> bool:
        has_ended = self._inner.close(wait_s=wait_s)
        for number in tuple(self._begun_at):  # Code that would not end: the next run is not to wait for it.
            self._clock.let_go((id(self), number))
        return has_ended

    def ended(self, batch: Sequence[Ended], /) -> None:
        now = self._clock.now()
        batch = [one._replace(lasted_s=now - self._begun_at.pop(one.number, now)) for one in batch]
        self._deliver.ended(batch)  # First: from here on the loop has something to do, so it does not skip.
        for one in batch:
            self._clock.let_go((id(self), one.number))

    def extend(self, number: int, limit_s: float, /) -> None:
        self._deliver.extend(number, limit_s)

    def room(self, runs: Runs, room: int, /) -> None:
        self._deliver.room(runs, room)

    def give_up(self, reason: str, /) -> None:
        self._deliver.give_up(reason)


class MachineSignals(Signals):
    """Signals whose deadline is set by the test's clock and read by the machine's."""

    __slots__ = ("_checkpoint", "_clock", "_deadline_at", "on_checkpoint")

    def __init__(self, before: Signals, clock: SkippingClock) -> None:
        self._clock = clock
        self.on_checkpoint: Callable[[], None] | None = None
        """Called where the code runs, when it has reached a new state and before it looks whether to go on."""
        super().__init__()
        self.lease_lost = before.lease_lost
        self.stopping = before.stopping
        self.hand_on = before.hand_on
        self.checkpoint = before.checkpoint  # pyright: ignore[reportIncompatibleVariableOverride]
        self.deadline_at = before.deadline_at  # pyright: ignore[reportIncompatibleVariableOverride]
        self.listeners = before.listeners
        self.extend: Extend | None = before.extend

    @property
    def deadline_at(self) -> float | None:
        at = self._deadline_at
        return None if at is None else at - self._clock.skipped_s

    @deadline_at.setter
    def deadline_at(self, at: float | None) -> None:
        self._deadline_at = at

    @property
    def checkpoint(self) -> str | None:
        return self._checkpoint

    @checkpoint.setter
    def checkpoint(self, state: str | None) -> None:
        self._checkpoint = state
        if state is not None and self.on_checkpoint is not None:
            self.on_checkpoint()


def _nothing(_: Signals, /) -> None:
    return None


def keeping_what_is_raised(registry: Registry, raised: Raised) -> Registry:
    """Return the same handlers in this process, isolated ones too, whose exceptions are kept in `raised`."""
    return registry.changed(lambda handler: _keeping(handler, raised))


def _keeping(handler: Handler, raised: Raised) -> Handler:
    inner = cast("Any", handler.call)

    def keep(attempts: Attempt | Sequence[Attempt], error: BaseException) -> None:
        if not isinstance(attempts, Sequence):
            raised[attempts.message.receipt] = error
            return
        ends = error.own if isinstance(error, Partly) else [None] * len(attempts)
        for attempt, own in zip(attempts, ends, strict=True):
            if own is None:  # Else the item had an end of its own before.
                raised[attempt.message.receipt] = error.error if isinstance(error, Partly) else error

    async def on_loop(attempts: Attempt | Sequence[Attempt]) -> object:
        try:
            return await inner(attempts)
        except BaseException as error:
            keep(attempts, error)
            raise

    def on_thread(attempts: Attempt | Sequence[Attempt]) -> object:
        try:
            return inner(attempts)
        except BaseException as error:
            keep(attempts, error)
            raise

    runs: Runs = handler.runs_inside if handler.runs == "process" else handler.runs
    return replace(handler, call=cast("Call", on_loop if runs == "loop" else on_thread), runs=runs)
