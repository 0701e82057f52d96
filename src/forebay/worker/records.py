"""What the engine remembers: one record for each delivery it holds, and the desk that its parts share.

Rules kept here and nowhere else:

1. A record exists from receive until its message has found its column in the ledger.
2. A slot is taken from receive until the attempt has finished; settling takes none.
3. The engine owns every record. Nobody outside reads or writes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from forebay.model import Attempt, Outcome
from forebay.queue.port import Description
from forebay.settings import WorkerSettings
from forebay.worker.ledger import Column, Ledger
from forebay.worker.retry import Settlement
from forebay.worker.uncounted import Uncounted
from forebay.worker.vocabulary import Command, Report

if TYPE_CHECKING:
    from random import Random


class State(IntEnum):
    """Where a delivery stands."""

    WAITING = 0
    """Received; its attempt has not started: for want of protection, of room or of company."""
    RUNNING = 1
    SETTLING = 2


@dataclass(slots=True, eq=False)
class Record:
    """One delivery held by this worker."""

    attempt: Attempt
    source: str
    key: tuple[str, str]
    """Source and message id: what two deliveries of one message share."""
    receipt: str
    """The newest receipt of this message; a second delivery replaces it."""
    body_bytes: int
    received_at: float
    """When the receive was asked for: SQS's 12 h ceiling is counted from no earlier."""
    visibility_s: int
    trusted_until: float
    needs_protection: bool
    state: State = State.WAITING
    is_lease_lost: bool = False
    is_forfeited: bool = False
    """A lease on the message was lost while its code ran. A later delivery may be adopted, to keep the message hidden
    meanwhile, but the result counts for nothing: the handler has been told so."""
    renewing: str | None = None
    """The receipt that a renewal under way carries, or None."""
    started_at: float = 0.0
    waits_since: float = 0.0
    """When it came to wait for its start."""
    deadline_at: float = 0.0
    is_capped: bool = False
    """Its deadline is earlier than was asked for: SQS ends the lease before."""
    is_limit_passed: bool = False
    is_stuck: bool = False
    """It was told to end, has not ended, and that has been reported."""
    is_interrupted: bool = False
    settlement: Settlement | None = None
    outcome: Outcome | None = None
    column: Column | None = None
    """Where the delivery will be counted once the settlement is confirmed."""
    is_settling_now: bool = False
    """A settling command is under way."""
    is_copied: bool = False
    """The copy in another queue, or in its own, is confirmed."""
    is_counted_exactly: bool = False
    """Its attempts are counted by copies (`retry="resend"`), not by deliveries."""
    is_asked_to_go_on: bool = False
    """It has been asked to go on elsewhere from its next checkpoint."""
    tries: int = 0

    @property
    def number(self) -> int:
        return self.attempt.number

    @property
    def is_given_up(self) -> bool:
        """Whether its code was told to end, did not, and is not waited for any more."""
        return self.state is State.SETTLING and self.outcome is None and self.deadline_at > 0.0


@dataclass(slots=True, eq=False)
class Desk:
    """What the engine's parts share: the settings, the records, the ledger and the commands being written."""

    settings: WorkerSettings
    rng: Random
    ledger: Ledger = field(default_factory=Ledger)
    descriptions: dict[str, Description] = field(default_factory=dict[str, Description])
    """What each source has said of itself. Complete from the start: an unknown source has said nothing."""
    records: dict[int, Record] = field(default_factory=dict[int, Record])
    by_message: dict[tuple[str, str], Record] = field(default_factory=dict[tuple[str, str], Record])
    commands: list[Command] = field(default_factory=list[Command])
    waiting: dict[int, Record] = field(default_factory=dict[int, Record])
    running: int = 0
    protected: int = 0
    """Records that need task protection, in any state."""
    held_bytes: int = 0
    is_stopping: bool = False
    """Nothing is received or started any more, for whatever reason."""
    is_retiring: bool = False
    """Nothing new because code does not end. What else runs goes on as ever, under protection."""
    copies_denied: set[str] = field(default_factory=set[str])
    """Sources that we may not send to."""
    uncounted: Uncounted = field(default_factory=Uncounted)

    @property
    def busy(self) -> int:
        """Slots taken by messages that are here (not by those asked for)."""
        return len(self.waiting) + self.running

    @property
    def settling(self) -> int:
        return len(self.records) - self.busy

    def report(self, event: str, /, **fields: object) -> None:
        self.commands.append(Report(event, fields))

    def end(self, record: Record, column: Column) -> None:
        """Account for a delivery that is no longer ours and forget it. Its slot must be free already."""
        assert record.state is State.SETTLING, record.state
        self.ledger.add(column)
        self.protected -= record.needs_protection
        del self.records[record.attempt.number]
        if self.by_message.get(record.key) is record:
            del self.by_message[record.key]


def about(record: Record) -> dict[str, object]:
    """Return the fields of every report about one delivery. `attempt` is what the handler sees."""
    message = record.attempt.message
    return {
        "job": record.attempt.job,
        "message_id": message.message_id,
        "attempt": record.attempt.count,
        "queue": queue_name(record.source),
    }


def statement_for(action: str) -> str:
    """Return the IAM statement that lets a worker call `action` on its queue, whose ARN is the reader's to fill in."""
    return f'{{"Effect": "Allow", "Action": "{action}", "Resource": "<the queue\'s ARN>"}}'


def queue_name(key: str) -> str:
    """Return the readable name of a source: the last part of a queue's URL."""
    return key.rstrip("/").rsplit("/", 1)[-1]
