"""What a worker did for a test: one line for each attempt, the ledger, and the exceptions themselves.

Rules kept here and nowhere else:

1. Every attempt is told, in the order of their ends; the ledger counts messages, as a worker's does.
2. An attempt's exception is the very object that the job raised, for `pytest.raises` and for the debugger.
3. A repr shows no body, no argument and no exception's words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOLD_MAX = 5
"""Jobs that an error names one by one."""


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """One attempt at one job."""

    job: str
    """The job's name; `default` for the default handler."""
    message_id: str
    attempt: int
    """Which attempt at the job it was, from 1."""
    outcome: str
    """`succeeded`, `failed`, `postponed`, `rejected`, `timed_out`, `crashed`, `continued` or `interrupted`."""
    settlement: str
    """What became of the message: `delete`, `release`, `bury`, `park`, `resend` or `continue` (a copy has taken its
    place), or `none` when its lease was lost."""
    delay_s: float
    """How long the message was hidden before its next attempt. 0 unless it was released."""
    lasted_s: float
    """How long the code ran, by the clock of the run."""
    exception: BaseException | None = field(default=None, repr=False)
    """What the job raised, `Reject` and `RetryLater` included."""
    reason: str = ""
    """What `Reject` or `RetryLater` said, or what did not fit in the arguments."""
    error: str = ""
    """The type of the exception that it failed with. All there is of an item that `items.fail` was called for."""
    state_json: str | None = field(default=None, repr=False)

    @property
    def state(self) -> Any:
        """What it has given to `ctx.checkpoint` last, as JSON gives it back. None when it never has."""
        return None if self.state_json is None else json.loads(self.state_json)

    @property
    def is_given_up(self) -> bool:
        """Whether the message went to the dead-letter queue, or would have with one."""
        return self.settlement in ("bury", "park")


@dataclass(frozen=True, slots=True)
class WorkReport:
    """One run of a worker."""

    attempts: tuple[JobAttempt, ...]
    ledger: Mapping[str, int]
    """Messages received, by how they ended: succeeded, retried, buried, parked, duplicate, released, lease_lost."""
    lasted_s: float
    """How long it took by the cloud's clock, skipped time included."""
    reason: str
    """Why the worker left."""
    exit_status: int
    moved: tuple[str, ...] = ()
    """Ids of messages that SQS itself moved to the dead-letter queue: received more often than the queue allows."""

    @property
    def received(self) -> int:
        return self.ledger["received"]

    @property
    def succeeded(self) -> int:
        return self.ledger["succeeded"]

    @property
    def retried(self) -> int:
        return self.ledger["retried"]

    @property
    def buried(self) -> int:
        return self.ledger["buried"]

    @property
    def outcomes(self) -> list[str]:
        """The outcome of each attempt, in the order of their ends."""
        return [attempt.outcome for attempt in self.attempts]

    @property
    def exceptions(self) -> list[BaseException]:
        """What the jobs raised, in the order of their ends."""
        return [attempt.exception for attempt in self.attempts if attempt.exception is not None]

    def of(self, job: str) -> list[JobAttempt]:
        """The attempts at the job of this name."""
        return [attempt for attempt in self.attempts if attempt.job == job]

    def raise_failures(self) -> None:
        """Raise `JobsGivenUp` if any message was, from the first exception; `NotDrained` if the worker failed."""
        given_up = [attempt for attempt in self.attempts if attempt.is_given_up]
        if given_up:
            raise JobsGivenUp(self, given_up) from given_up[0].exception
        if self.moved:
            raise JobsGivenUp(self, given_up)
        if self.exit_status != 0:
            raise NotDrained(self, f"the worker left with exit status {self.exit_status}: {self.reason}")


class JobsGivenUp(AssertionError):
    """Jobs went to the dead-letter queue in a test that did not say it expects that. `report` holds all attempts."""

    def __init__(self, report: WorkReport, given_up: list[JobAttempt]) -> None:
        self.report = report
        told = [_told(attempt) for attempt in given_up[:TOLD_MAX]]
        if len(given_up) > TOLD_MAX:
            told.append(f"{len(given_up) - TOLD_MAX} more")
        if report.moved:
            told.append(f"{len(report.moved)} moved by SQS itself, received more often than the queue allows")
        super().__init__(f"given up: {', '.join(told)}. If the test expects that, say failures='return'")


class NotDrained(AssertionError):
    """The queue is not empty: the worker took too long, or left. `report` holds the attempts so far."""

    def __init__(self, report: WorkReport, told: str) -> None:
        self.report = report
        super().__init__(told)


def _told(attempt: JobAttempt) -> str:
    name = attempt.error if attempt.exception is None else type(attempt.exception).__name__
    error = f" with {name}" if name else ""
    return f"{attempt.job} ({attempt.outcome}{error} in attempt {attempt.attempt})"
