"""What the engine hears (facts) and says (commands). Pure values; batches wherever work is concerned.

Rules kept here and nowhere else:

1. A fact says what happened and when it was asked for; it never says what to do.
2. Everything about work carries the attempt's `number`, never a message id or a job's name.
3. Receipts travel with commands, so that the driver needs no memory of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from forebay.errors import Fault
from forebay.handlers.executor import Ended
from forebay.handlers.registry import Runs
from forebay.model import Attempt, Message, Outcome
from forebay.protection.port import ProtectionAnswer
from forebay.queue.port import Counts, Description, Outgoing


class Entry(NamedTuple):
    """One delivery to settle or renew. `seconds` is its new visibility; unused by `Delete`."""

    number: int
    receipt: str
    seconds: int = 0


# ── facts ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Described:
    """A source has told its dead-letter queue and limits. Comes once for each source before anything else."""

    source: str
    description: Description


@dataclass(frozen=True, slots=True)
class MessagesReceived:
    """A poll has ended with an answer, possibly an empty one."""

    source: str
    poll: int
    messages: Sequence[Message]
    asked_at: float
    answered_at: float
    queue_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReceiveFailed:
    """A poll has ended without an answer."""

    source: str
    poll: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Finished:
    """Attempts have ended; their code no longer runs (save `TimedOut(stopped=False)`)."""

    ended: Sequence[Ended]


@dataclass(frozen=True, slots=True)
class ExtendRequested:
    """The handler of attempt `number` asks that its limit end `limit_s` from now."""

    number: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class Renewed:
    """An answer to (part of) a `Renew`: every entry succeeded but those in `failed` (by attempt number)."""

    entries: Sequence[Entry]
    asked_at: float
    failed: Mapping[int, Fault] = field(default_factory=dict[int, Fault])


@dataclass(frozen=True, slots=True)
class Deleted:
    """An answer to (part of) a `Delete`."""

    entries: Sequence[Entry]
    failed: Mapping[int, Fault] = field(default_factory=dict[int, Fault])


@dataclass(frozen=True, slots=True)
class Released:
    """An answer to (part of) a `Release`."""

    entries: Sequence[Entry]
    failed: Mapping[int, Fault] = field(default_factory=dict[int, Fault])


@dataclass(frozen=True, slots=True)
class Buried:
    """An answer to `Bury`: the copy is in the dead-letter queue, or `fault` says why not."""

    number: int
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Resent:
    """An answer to `Resend`: the copy is in the queue, or `fault` says why not."""

    number: int
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The executor of kind `runs` can run `room` attempts (or batches) at once now: its children have come or gone.

    An executor that never says so has room for everything.
    """

    runs: Runs
    room: int


@dataclass(frozen=True, slots=True)
class ProtectionAnswered:
    """An answer to `Hold`, `Unhold` or `LookAtProtection`, in the order of the commands."""

    answer: ProtectionAnswer


@dataclass(frozen=True, slots=True)
class Counted:
    """An answer to `Count`."""

    source: str
    counts: Counts | None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody asks for a drain (SIGTERM, `stop=…`), or an executor can run nothing. Repeats change nothing."""

    reason: str
    status: int = 0
    """The exit status that the worker is to leave with."""


@dataclass(frozen=True, slots=True)
class StopNow:
    """The second signal: leave at once, releasing what can be released in a second."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing happened but time."""


Event = (
    Described
    | MessagesReceived
    | ReceiveFailed
    | Finished
    | ExtendRequested
    | Renewed
    | Deleted
    | Released
    | Buried
    | Resent
    | RoomChanged
    | ProtectionAnswered
    | Counted
    | StopRequested
    | StopNow
    | Tick
)

# ── commands ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Receive:
    """Open a poll. Exactly one `MessagesReceived` or `ReceiveFailed` with this `poll` number answers it."""

    source: str
    poll: int
    count_max: int
    wait_s: float
    visibility_s: int
    is_probe: bool = False
    """The service was in trouble: give up soon after `wait_s`, so that its return is noticed quickly."""


@dataclass(frozen=True, slots=True)
class AbandonPolls:
    """Stop waiting for polls still open on `source`; what they may have hidden reappears by itself."""

    source: str


@dataclass(frozen=True, slots=True)
class Start:
    """Hand these to their executors, all at once."""

    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ask an attempt to end."""

    number: int
    job: str
    because_of_limit: bool


@dataclass(frozen=True, slots=True)
class Notify:
    """A flag of `attempt.signals` is about to rise: the driver raises it and wakes whoever waits."""

    attempt: Attempt
    lease_lost: bool = False
    stopping: bool = False
    hand_on: bool = False


@dataclass(frozen=True, slots=True)
class Renew:
    """Heartbeat: hide each delivery for its `seconds` from now. Answered by `Renewed` (one or several)."""

    source: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Delete:
    source: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Release:
    """Give deliveries back, visible again in `seconds`. Answered by `Released`."""

    source: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Bury:
    """Send a copy to the dead-letter queue with `error` as attribute `forebay.error`. Answered by `Buried`."""

    source: str
    number: int
    message: Message
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resend:
    """Send `message` to `source` again, in place of the delivery `number`. Answered by `Resent`."""

    source: str
    number: int
    message: Outgoing


@dataclass(frozen=True, slots=True)
class Hold:
    """Protect the task for `minutes` from now. Answered by `ProtectionAnswered`."""

    minutes: int


@dataclass(frozen=True, slots=True)
class Unhold:
    """Let the protection go. Answered by `ProtectionAnswered`."""


@dataclass(frozen=True, slots=True)
class LookAtProtection:
    """Ask for the present state. Answered by `ProtectionAnswered`."""


@dataclass(frozen=True, slots=True)
class Count:
    """Ask the source for its numbers. Answered by `Counted`."""

    source: str


class Conclusion(NamedTuple):
    """How one attempt ended and what follows, for the record."""

    attempt: Attempt
    outcome: Outcome
    lasted_s: float
    settlement: str
    """`delete`, `release`, `bury`, `park`, `resend`, `continue` or `none` (lease lost)."""
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Conclude:
    """Record these ends. The hot path's report: one command for a whole batch."""

    conclusions: Sequence[Conclusion]


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the outside. `event` is a name in `observability.events`; fields are flat, with units, never bodies."""

    event: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Stuck:
    """Report `attempt.stuck` with these fields and, where its executor can tell, the stack of the code."""

    number: int
    job: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Exit:
    """Everything is accounted for (or time is up): flush and leave. The last command of an engine."""

    status: int
    reason: str
    code_still_runs: bool
    """Some handler would not end: the process must leave without waiting for its threads."""


Command = (
    Receive
    | AbandonPolls
    | Start
    | Interrupt
    | Notify
    | Renew
    | Delete
    | Release
    | Bury
    | Resend
    | Hold
    | Unhold
    | LookAtProtection
    | Count
    | Conclude
    | Report
    | Stuck
    | Exit
)
