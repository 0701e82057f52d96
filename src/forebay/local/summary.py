"""What a run of the local system comes to: the ledgers of all tasks summed, and the exit status.

Rules kept here and nowhere else:

1. A task that was killed leaves no ledger; it is counted, and what it held came back to the queue by itself.
2. Orphaned is told in any case, and must be 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = ("succeeded", "retried", "buried", "parked", "continued", "duplicate", "released", "lease_lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What there is to tell at the end."""

    ledger: Mapping[str, int]
    ledgers: int
    """Tasks that printed theirs."""
    killed: int
    """Tasks that ended without one."""
    left_badly: int
    """Tasks that were asked to stop at the end and did not exit with 0."""
    sent: int
    deleted: int
    left: int
    dead: int
    requests: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The last lines, and the exit status."""

    lines: tuple[str, ...]
    status: int


def summary(figures: RunFigures, *, refused_settings: int | None) -> Summary:
    """Return what to say. `refused_settings`: the exit status of a worker that would not start at all."""
    lines: list[str] = []
    if figures.ledgers:
        columns = " + ".join(f"{name} {figures.ledger.get(name, 0)}" for name in COLUMNS)
        of = "one task's ledger" if figures.ledgers == 1 else f"the ledgers of {figures.ledgers} tasks, summed"
        lines.append(
            f"{of}: received {figures.ledger.get('received', 0)} = {columns}; "
            f"orphaned {figures.ledger.get('orphaned', 0)}"
        )
    if figures.killed:
        tasks = "1 task was" if figures.killed == 1 else f"{figures.killed} tasks were"
        lines.append(f"{tasks} killed and left no ledger; what they held came back to the queue by itself")
    lines.append(
        f"{figures.sent} messages sent, {figures.deleted} deleted, {figures.left} left in the queue, "
        f"{figures.dead} in the dead-letter queue; {figures.requests} SQS requests"
    )
    is_bad = figures.dead or figures.left_badly or figures.ledger.get("orphaned", 0)
    return Summary(tuple(lines), refused_settings or (1 if is_bad else 0))
