"""The values that travel through a worker: a message, an attempt at its job, and how an attempt ends.

Rules kept here and nowhere else:

1. Every value is immutable but `Signals`, which is the one channel from the control loop to running code.
2. Durations end in `_s`, instants (monotonic seconds) in `_at`, wall-clock times in `_utc`.
3. A body or an attribute never appears in a repr, so that no log line can leak one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def hot_value(cls: type[T]) -> type[T]:
    """Make a dataclass that is frozen to mypy and pyright, and unguarded at run time.

    Python's own guard costs 2 µs an object (it sets each field through `object.__setattr__`), and these are made for
    every message.
    """
    return dataclass(slots=True)(cls)


JOB_ATTRIBUTE = "job"
"""The message attribute (String) that names the job: the whole of our wire format beside the JSON body."""

ERROR_ATTRIBUTE = "forebay.error"
"""The one attribute added to a buried message."""

CHECKPOINT_ATTRIBUTE = "forebay.checkpoint"
"""Where in the body of a job that goes on elsewhere its state stands: `queue.continuation`."""

ATTEMPT_ATTRIBUTE = "forebay.attempt"
"""On a job that was sent again: how many attempts were counted before."""

FIRST_SENT_ATTRIBUTE = "forebay.first_sent_at"
"""On a job that was sent again: when it was first sent, in milliseconds of the Unix epoch."""


class MessageAttribute(NamedTuple):
    """A message attribute as SQS carries it: a data type such as `String` or `Number.int`, and its value."""

    data_type: str
    value: str | bytes


@hot_value
class Message:
    """One delivery of one SQS message.

    Two deliveries of the same message share `message_id` and differ in `receipt`.
    """

    source: str
    """The key of the source that it came from: for SQS the queue's URL."""
    message_id: str
    receipt: str = field(repr=False)
    """SQS's receipt handle: the right to renew or settle this delivery, and no other."""
    body: str = field(repr=False)
    receive_count: int = 1
    """ApproximateReceiveCount: deliveries so far, this one included. Releases count too."""
    sent_at_ms: int | None = None
    """SentTimestamp, in milliseconds of the Unix epoch."""
    first_received_at_ms: int | None = None
    group: str | None = None
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict[str, MessageAttribute], repr=False)
    system: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    state: str | None = field(default=None, repr=False)
    """What an earlier attempt had reached (JSON) when the job was sent again. The worker takes it out of the body."""

    @property
    def job(self) -> str | None:
        """The job that the message names, or None when it names none (or not as a string)."""
        attribute = self.attributes.get(JOB_ATTRIBUTE)
        return attribute.value if attribute is not None and isinstance(attribute.value, str) else None

    @property
    def attempts_before(self) -> int:
        """Attempts that were counted before the job was sent again. 0 where nothing, or nothing sensible, is told."""
        return _whole(self.attributes.get(ATTEMPT_ATTRIBUTE)) or 0

    @property
    def first_sent_at_ms(self) -> int | None:
        """When the job was first sent, in milliseconds of the Unix epoch; `sent_at_ms` unless it was sent again."""
        return _whole(self.attributes.get(FIRST_SENT_ATTRIBUTE)) or self.sent_at_ms

    @property
    def first_sent_at_utc(self) -> datetime | None:
        return _utc(self.first_sent_at_ms)

    @property
    def sent_at_utc(self) -> datetime | None:
        return _utc(self.sent_at_ms)

    @property
    def first_received_at_utc(self) -> datetime | None:
        return _utc(self.first_received_at_ms)

    @property
    def body_bytes(self) -> int:
        """The size of the body on the wire, in bytes (UTF-8)."""
        return len(self.body) if self.body.isascii() else len(self.body.encode())


def _whole(attribute: MessageAttribute | None) -> int | None:
    """Return the number in one of our attributes. Anybody may have written it, so nonsense counts as absent."""
    value = attribute.value if attribute is not None else None
    return int(value) if isinstance(value, str) and len(value) <= 15 and value.isascii() and value.isdigit() else None


def _utc(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


class Extend(Protocol):
    """Asks the control loop for a later deadline; safe to call from any thread."""

    def __call__(self, number: int, limit_s: float, /) -> None: ...


class Signals:
    """What running code is told while it runs. Written by the control loop, read anywhere; flags only ever rise."""

    __slots__ = ("checkpoint", "deadline_at", "extend", "hand_on", "lease_lost", "listeners", "stopping")

    def __init__(self) -> None:
        self.lease_lost = False
        self.stopping = False
        """The worker stops, or this code has been told to end."""
        self.hand_on = False
        """The job had better go on elsewhere though the worker does not stop: its protection is at risk, or SQS's
        twelve hours are nearly over."""
        self.checkpoint: str | None = None
        """The newest state (JSON) that running code has reached. Written by the code's side, read when it has ended."""
        self.deadline_at: float | None = None
        """Monotonic instant at which the time limit ends. None until the attempt has started."""
        self.listeners: list[Callable[[], None]] = []
        """Called from the executor's side after a flag has risen. Empty for most attempts."""
        self.extend: Extend | None = None
        """How running code asks for a later deadline. Set by the executor before the handler is called."""


@hot_value
class Attempt:
    """One execution of one job, numbered by the engine; numbers never repeat within a worker."""

    number: int
    job: str
    """The handler's name in the registry."""
    message: Message
    limit_s: float
    signals: Signals = field(default_factory=Signals, repr=False)
    batch: int = 0
    """Attempts of one number other than 0 are done by one call of a batch handler."""
    ordinal: int = 0
    """Which attempt at its job this is, from 1, as the limit counts them. 0: as SQS counts the message's deliveries."""
    message_max_bytes: int | None = None
    """What the message's queue takes in one message, if that is known: how large a state may be."""

    @property
    def count(self) -> int:
        """Which attempt at its job this is, from 1."""
        return self.ordinal or self.message.receive_count


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised. `message` and `traceback` may hold user data: they reach logs only by choice."""

    error: str
    """The exception's qualified type name; of a `Misuse` also what it says."""
    fingerprint: str
    """Groups equal failures: derived from the type and the frames (file, function), never from values."""
    frames: tuple[str, ...] = ()
    """`file:line function`, outermost first, without source lines."""
    message: str = field(default="", repr=False)
    traceback: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Postponed:
    """The handler raised `RetryLater`. `delay_s=None` leaves the delay to the back-off."""

    delay_s: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The job can never succeed: the handler raised `Reject`, or the body does not fit the handler."""

    reason: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time limit passed. `stopped` says whether the code has really ended."""

    limit_s: float
    stopped: bool = True


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process that ran the handler died. Negative codes are signals, as `subprocess` has them."""

    exit_code: int
    reason: str = ""
    """What is known of the cause beside the code, such as `killed at its memory limit`."""
    peak_memory_bytes: int | None = None
    stack: tuple[str, ...] = ()
    """`file:line function`, outermost first: where the code stood, if the process could still tell."""
    log_tail: tuple[str, ...] = field(default=(), repr=False)
    """The last lines that the code logged. They are the user's own words: they reach logs only by choice."""
    signal: str | None = None
    """The name of the signal that it died of, such as `SIGSEGV`."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The handler stopped at a checkpoint, so that the job goes on elsewhere. The state is `Ended.checkpoint`."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """We stopped it (a drain, or the second signal). Nobody's fault; not counted as a failed attempt."""


Outcome = Succeeded | Failed | Postponed | Rejected | TimedOut | Crashed | Continued | Interrupted

SUCCEEDED = Succeeded()
"""The commonest outcome, made once."""
CONTINUED = Continued()
