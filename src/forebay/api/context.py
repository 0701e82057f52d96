"""What a handler can learn about its attempt, and ask for, while it runs.

Rules kept here and nowhere else:

1. The log adapter adds names and ids, never a body or an argument.
2. A state that could not be sent again is an error where it is given, not when the worker stops.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from forebay.api.durations import Duration, seconds
from forebay.api.flag import Flag
from forebay.api.shared import Shared
from forebay.clock import Clock, SystemClock
from forebay.errors import Misuse
from forebay.handlers.failure import GoingOn
from forebay.model import Attempt, Message
from forebay.queue import continuation
from forebay.queue.contents import forbidden_in
from forebay.queue.port import BODY_MAX_BYTES
from forebay.settings import check_limit

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

_SYSTEM_CLOCK = SystemClock()
_UNREAD = object()
_T = TypeVar("_T")


class Context:
    """An attempt as its handler sees it. Take one by making it the handler's first parameter: `ctx: Context`."""

    __slots__ = ("_attempt", "_clock", "_log", "_room_bytes", "_shared", "_state")

    def __init__(self, attempt: Attempt, shared: Shared | None = None, *, clock: Clock = _SYSTEM_CLOCK) -> None:
        """`shared` is what the worker's start hooks have made."""
        self._attempt = attempt
        self._shared = shared
        self._clock = clock
        self._log: logging.LoggerAdapter[logging.Logger] | None = None
        self._room_bytes: int | None = None
        self._state: Any = _UNREAD

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
    def messages(self) -> tuple[Message, ...]:
        """The deliveries that this call is for: one, or those of a batch."""
        return (self._attempt.message,)

    @property
    def attempt(self) -> int:
        """Which attempt at the job this is, from 1.

        Exact with `retry="resend"`. Else SQS counts deliveries, and those that were given back count too.
        """
        return self._attempt.count

    @property
    def first_sent_at_utc(self) -> datetime | None:
        """When the job was first sent: the message itself may be newer, for a job is sent again to go on elsewhere."""
        return self._attempt.message.first_sent_at_utc

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
        """True once this attempt had better end here: finish soon, call `checkpoint`, or raise `RetryLater`.

        The worker stops, its task protection is at risk, or the twelve hours that SQS gives are nearly over.
        """
        return Flag(self._attempt.signals, "stopping")

    @property
    def lease_lost(self) -> Flag:
        """True once another worker may have been given the job: what this attempt does will not be settled."""
        return Flag(self._attempt.signals, "lease_lost")

    def shared(self, kind: type[_T]) -> _T:
        """Return the value of this type that a start hook has made. Raises `JobError` when there is none."""
        if self._shared is None:
            raise Misuse(f"ctx.shared() of job {self.job!r}: no worker runs it, so no start hook has run")
        return self._shared.get(kind)

    def extend(self, limit: Duration) -> None:
        """Ask that the time limit end `limit` from now. Raises `SettingsError` for what SQS cannot give."""
        limit_s = check_limit(self.job, seconds("extend(limit)", limit))
        ask = self._attempt.signals.extend
        if ask is None:
            raise Misuse(f"no worker runs this attempt of job {self.job!r}, so nobody can extend its time limit")
        ask(self._attempt.number, limit_s)

    @property
    def state(self) -> Any:
        """What the job had reached when it was sent again: its last `checkpoint`, as JSON gives it back. Else None."""
        if self._state is _UNREAD:
            self._state = self._read_state()
        return self._state

    def checkpoint(self, state: object) -> None:
        """Note how far the job has come, so that it can go on from there, here or elsewhere.

        `state` is anything that pydantic writes as JSON. If this attempt had better end here (see `stopping`), the call
        does not return: it raises through your `finally` blocks, and the job is sent again with this state. Raises
        `JobError` where the state could not be sent: it is too large, the body is no JSON object, the queue is FIFO.
        """
        signals = self._attempt.signals
        signals.checkpoint = self._written(state)
        if signals.hand_on or signals.stopping:
            raise GoingOn

    def _written(self, state: object) -> str:
        from pydantic_core import PydanticSerializationError, from_json, to_json

        room_bytes = self._room()
        try:
            raw = to_json(state)
            text = raw.decode()
        except (PydanticSerializationError, ValueError) as error:
            raise Misuse(f"checkpoint of job {self.job!r}: {type(error).__name__}: JSON cannot carry it") from None
        if len(raw) > room_bytes:
            raise Misuse(
                f"checkpoint of job {self.job!r}: {len(raw):,} bytes; there is room for {max(0, room_bytes):,} beside "
                "the body: keep the state elsewhere (S3, a database) and checkpoint where it is"
            )
        if (character := forbidden_in(text)) is not None:
            raise Misuse(f"checkpoint of job {self.job!r}: it holds {character}, which SQS does not carry")
        try:
            from_json(raw)
        except ValueError:
            raise Misuse(
                f"checkpoint of job {self.job!r}: it could not be read again: it is nested too deeply, or a number in "
                "it is too long"
            ) from None
        return text

    def _room(self) -> int:
        """Return how large a state may be. Looked at once: the message stays as it is."""
        if self._room_bytes is None:
            message = self.message
            obstacle = continuation.obstacle(message)
            if obstacle is not None:
                raise Misuse(f"checkpoint of job {self.job!r}: this message cannot be sent again: {obstacle}")
            self._room_bytes = continuation.room_bytes(
                message, attempts=self.attempt, most_bytes=self._attempt.message_max_bytes or BODY_MAX_BYTES
            )
        return self._room_bytes

    def _read_state(self) -> Any:
        from pydantic_core import from_json

        text = self.message.state
        if text is None:
            return None
        try:
            return from_json(text)
        except ValueError:
            self.log.warning("the state that came with the message cannot be read: the job starts anew")
            return None

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger, `forebay.job.NAME`, whose records carry `job`, `message_id` and `attempt`."""
        if self._log is None:
            carried = {"job": self.job, "message_id": self.message.message_id, "attempt": self.attempt}
            self._log = JobLog(logging.getLogger(f"forebay.job.{self.job}"), carried)
        return self._log


class JobLog(_Adapter):
    """Adds what it carries to what the caller adds; the standard adapter would put one in the other's place."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        given: Mapping[str, object] = kwargs.get("extra") or {}
        kwargs["extra"] = {**(self.extra or {}), **given}
        return msg, kwargs
