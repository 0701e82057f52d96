"""The account of every message received: each ends exactly once, in one column.

Rules kept here and nowhere else:

1. received = succeeded + retried + buried + parked + continued + duplicate + released + lease_lost + held.
2. When the worker stops nothing is held, and `orphaned` (what no column explains) is 0. Anything else is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Column = Literal["succeeded", "retried", "buried", "parked", "continued", "duplicate", "released", "lease_lost"]


@dataclass(slots=True)
class Ledger:
    """Counts of messages received by this worker, by how they ended."""

    received: int = 0
    succeeded: int = 0
    """Done and deleted."""
    retried: int = 0
    """Given back after a failed or postponed attempt."""
    buried: int = 0
    """Copied to the dead-letter queue, then deleted."""
    parked: int = 0
    """Hopeless, but there is no dead-letter queue: hidden for as long as SQS allows."""
    continued: int = 0
    """Sent again with a checkpoint, then deleted."""
    duplicate: int = 0
    """A second delivery of a message that was held or had been done here."""
    released: int = 0
    """Given back unfinished, at no fault of the job."""
    lease_lost: int = 0
    """No longer ours when it ended, so neither deleted nor released."""

    def add(self, column: Column) -> None:
        setattr(self, column, getattr(self, column) + 1)

    @property
    def ended(self) -> int:
        """Messages that have found their column."""
        return (
            self.succeeded
            + self.retried
            + self.buried
            + self.parked
            + self.continued
            + self.duplicate
            + self.released
            + self.lease_lost
        )

    def orphaned(self, *, held: int) -> int:
        """Messages that neither ended nor are held: 0, or the engine has lost count of one."""
        return self.received - self.ended - held

    def as_fields(self) -> dict[str, int]:
        """The flat keys of the event `worker.stopped`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
