"""What the tasks of one service have told of themselves, and what that comes to.

Rules kept here and nowhere else:

1. A task that ended is still counted: the sums are of the whole run.
2. A task that worked and ended without a ledger was killed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from forebay.local.task_events import TaskTally
from forebay.rules.queue_latencies import Latencies, Percentiles


class Heard:
    """The tallies of all tasks of a service, by their ids."""

    def __init__(self) -> None:
        self._tallies: dict[str, TaskTally] = {}
        self._run = Latencies()

    def feed(self, task_id: str, event: Mapping[str, object], now: float) -> None:
        """Take notice of one event of a task."""
        for lasted_s, count in self._tallies.setdefault(task_id, TaskTally()).feed(event):
            self._run.add(lasted_s, now, count)

    def of(self, task_id: str) -> TaskTally:
        """What a task has told; nothing so far, for one that has not spoken."""
        return self._tallies.get(task_id) or TaskTally()

    def has_started(self) -> bool:
        """Whether any worker has said that it is ready."""
        return any(tally.has_started for tally in self._tallies.values())

    def slots(self) -> int:
        """Of one task, as the newest has told; 0 when none has."""
        told = [tally.slots for tally in self._tallies.values() if tally.slots]
        return told[-1] if told else 0

    def run(self, now: float) -> Percentiles:
        """How long handlers ran, in the last minute."""
        return self._run.percentiles(now)

    def ledger(self) -> dict[str, int]:
        """All tasks' columns, summed, as far as they are known."""
        return _sum(tally.ledger for tally in self._tallies.values())

    def printed_ledger(self) -> dict[str, int]:
        """The columns of those tasks that have ended with a ledger, summed: they balance."""
        return _sum(tally.ledger for tally in self._tallies.values() if tally.has_stopped)

    def ledgers(self) -> int:
        """How many tasks have ended with a ledger."""
        return sum(1 for tally in self._tallies.values() if tally.has_stopped)

    def killed(self, alive: Container[str]) -> int:
        """How many tasks have worked, are not among those `alive`, and left no ledger."""
        return sum(
            1
            for task_id, tally in self._tallies.items()
            if tally.has_started and not tally.has_stopped and task_id not in alive
        )


def _sum(ledgers: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for ledger in ledgers:
        for column, count in ledger.items():
            total[column] = total.get(column, 0) + count
    return total
