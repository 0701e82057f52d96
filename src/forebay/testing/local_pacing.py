"""Keeps the clock from skipping while a job's code runs, and what the code raised.

Rules kept here and nowhere else:

1. From the hand-over of an attempt until its end has been told, time is real, whichever executor runs it.
2. `ctx.remaining_s` and `ctx.deadline` are told by the machine's clock, which is the one that code can see.
3. An exception is kept on its way out and goes on as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from forebay.handlers.executor import Blockage, Deliver, Ended, Executor
from forebay.handlers.registry import Call, Handler, Registry, Runs
from forebay.model import Attempt, Extend, Signals
from forebay.testing.local_clock import SkippingClock

Raised = dict[str, BaseException]
"""Receipt of a delivery → what its code raised. Attempts' numbers begin anew with every run."""


class PacedExecutor:
    """An executor whose running code holds the clock. Implements `handlers.executor.Executor` and `Deliver`."""

    def __init__(self, inner: Executor, clock: SkippingClock) -> None:
        self._inner = inner
        self._clock = clock
        self._deliver: Deliver
        self._held: set[int] = set()

    @property
    def can_kill(self) -> bool:
        return self._inner.can_kill

    def open(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._inner.open(self)

    def start(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._held.add(attempt.number)
            self._clock.hold((id(self), attempt.number))
            # Frozen to type checkers; the code has not begun, so nobody else has a hold of its signals.
            object.__setattr__(attempt, "signals", _MachineSignals(attempt.signals, self._clock))
        self._inner.start(attempts)

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        self._inner.interrupt(number, because_of_limit=because_of_limit)

    def notify(self, attempt: Attempt) -> None:
        self._inner.notify(attempt)

    def blockage(self, *, now: float) -> Blockage | None:
        return self._inner.blockage(now=now)

    def stack_of(self, number: int) -> tuple[str, ...]:
        return self._inner.stack_of(number)

    def close(self, *, wait_s: float) -> bool:
        has_ended = self._inner.close(wait_s=wait_s)
        for number in tuple(self._held):  # Code that would not end: the next run is not to wait for it.
            self._clock.let_go((id(self), number))
        return has_ended

    def ended(self, batch: Sequence[Ended], /) -> None:
        self._deliver.ended(batch)  # First: from here on the loop has something to do, so it does not skip.
        for ended in batch:
            self._held.discard(ended.number)
            self._clock.let_go((id(self), ended.number))

    def extend(self, number: int, limit_s: float, /) -> None:
        self._deliver.extend(number, limit_s)

    def room(self, runs: Runs, room: int, /) -> None:
        self._deliver.room(runs, room)


class _MachineSignals(Signals):
    """Signals whose deadline is set by the cloud's clock and read by the machine's."""

    __slots__ = ("_clock", "_deadline_at")

    def __init__(self, before: Signals, clock: SkippingClock) -> None:
        self._clock = clock
        super().__init__()
        self.lease_lost = before.lease_lost
        self.stopping = before.stopping
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


def keeping_what_is_raised(registry: Registry, raised: Raised) -> Registry:
    """Return the same handlers, whose exceptions are kept in `raised`."""
    handlers = [_keeping(handler, raised) for handler in registry if handler is not registry.default]
    default = None if registry.default is None else _keeping(registry.default, raised)
    return Registry(handlers, default=default)


def _keeping(handler: Handler, raised: Raised) -> Handler:
    inner = cast("Any", handler.call)

    async def on_loop(attempt: Attempt) -> None:
        try:
            await inner(attempt)
        except BaseException as error:
            raised[attempt.message.receipt] = error
            raise

    def on_thread(attempt: Attempt) -> None:
        try:
            inner(attempt)
        except BaseException as error:
            raised[attempt.message.receipt] = error
            raise

    call: Call = on_loop if handler.runs == "loop" else on_thread
    return replace(handler, call=call)
