"""What a handler can learn about its attempt, and ask for, while it runs.

Rules kept here and nowhere else:

1. Everything works the same in a coroutine, in a thread, and in an event loop that a thread runs by itself.
2. A flag that has risen stays risen. Waiting for one costs nothing until then: nobody polls.
3. The log adapter adds names and ids, never a body or an argument.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Generator, Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from forebay.api.durations import Duration, seconds
from forebay.clock import Clock, SystemClock
from forebay.errors import JobError
from forebay.model import Attempt, Message, Signals
from forebay.settings import check_limit

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

_SYSTEM_CLOCK = SystemClock()


class Flag:
    """Something that may come true while a handler runs: `if flag`, `await flag`, or `flag.wait(timeout_s)`."""

    __slots__ = ("_name", "_signals")

    def __init__(self, signals: Signals, name: Literal["stopping", "lease_lost"]) -> None:
        self._signals = signals
        self._name = name

    def __bool__(self) -> bool:
        return self._signals.stopping if self._name == "stopping" else self._signals.lease_lost

    def __repr__(self) -> str:
        return f"<{self._name}: {bool(self)}>"

    def __await__(self) -> Generator[Any, None, None]:
        """Wait in a coroutine until it is true."""
        loop = asyncio.get_running_loop()
        risen: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not risen.done():
                risen.set_result(None)

        def listener() -> None:
            # Both flags share the listeners, and a loop that a thread ran by itself may be gone by now.
            if self and not loop.is_closed():
                loop.call_soon_threadsafe(tell)

        self._signals.listeners.append(listener)
        try:
            # Listed first, looked at second: see `LoopExecutor.notify`.
            if not self:
                yield from risen
        finally:
            self._signals.listeners.remove(listener)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block this thread until it is true or `timeout_s` have passed, and say whether it is true.

        Raises `JobError` in a coroutine, where it would block every other handler: await the flag there.
        """
        if _is_in_coroutine():
            raise JobError(f"ctx.{self._name}.wait() blocks the event loop: write `await ctx.{self._name}`")
        risen = threading.Event()

        def listener() -> None:
            if self:
                risen.set()

        self._signals.listeners.append(listener)
        try:
            return bool(self) or risen.wait(timeout_s) or bool(self)
        finally:
            self._signals.listeners.remove(listener)


class Context:
    """An attempt as its handler sees it. Take one by making it the handler's first parameter: `ctx: Context`."""

    __slots__ = ("_attempt", "_clock", "_log")

    def __init__(self, attempt: Attempt, *, clock: Clock = _SYSTEM_CLOCK) -> None:
        self._attempt = attempt
        self._clock = clock
        self._log: logging.LoggerAdapter[logging.Logger] | None = None

    def __repr__(self) -> str:
        return f"<Context job={self.job!r} message_id={self.message.message_id!r} attempt={self.attempt}>"

    @property
    def job(self) -> str:
        """The job's name."""
        return self._attempt.job

    @property
    def message(self) -> Message:
        """The delivery that brought the job, with its attributes."""
        return self._attempt.message

    @property
    def attempt(self) -> int:
        """Which delivery of the message this is, from 1. SQS counts; deliveries that were given back count too."""
        return self._attempt.message.receive_count

    @property
    def remaining_s(self) -> float:
        """Seconds left until the time limit. 0 when it has passed."""
        deadline_at = self._attempt.signals.deadline_at
        if deadline_at is None:
            return self._attempt.limit_s
        return max(0.0, deadline_at - self._clock.now())

    @property
    def deadline(self) -> datetime:
        """When the time limit ends, as an aware UTC time."""
        return self._clock.utc() + timedelta(seconds=self.remaining_s)

    @property
    def stopping(self) -> Flag:
        """True once the worker wants to stop: finish soon, or raise `RetryLater` to hand the job on."""
        return Flag(self._attempt.signals, "stopping")

    @property
    def lease_lost(self) -> Flag:
        """True once another worker may have been given the job: what this attempt does will not be settled."""
        return Flag(self._attempt.signals, "lease_lost")

    def extend(self, limit: Duration) -> None:
        """Ask that the time limit end `limit` from now. Raises `SettingsError` for what SQS cannot give."""
        limit_s = check_limit(self.job, seconds("extend(limit)", limit))
        ask = self._attempt.signals.extend
        if ask is None:
            raise JobError(f"no worker runs this attempt of job {self.job!r}, so nobody can extend its time limit")
        ask(self._attempt.number, limit_s)

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger, `forebay.job.NAME`, whose records carry `job`, `message_id` and `attempt`."""
        if self._log is None:
            carried = {"job": self.job, "message_id": self.message.message_id, "attempt": self.attempt}
            self._log = _JobLog(logging.getLogger(f"forebay.job.{self.job}"), carried)
        return self._log


class _JobLog(_Adapter):
    """Adds what it carries to what the caller adds; the standard adapter would put one in the other's place."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        given: Mapping[str, object] = kwargs.get("extra") or {}
        kwargs["extra"] = {**(self.extra or {}), **given}
        return msg, kwargs


def _is_in_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
