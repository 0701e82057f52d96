"""What one task has told of itself, added up from the JSON lines of its log.

Rules kept here and nowhere else:

1. Attempts are counted exactly, told one by one or summed up: an attempt is in one line or in one summary. Between the
   lines of a busy second and its summary more may have ended than are known to have started; then none runs.
2. The ledger of `worker.stopped` is the truth. Until it comes the columns hold what the lines have told, and `orphaned`
   is not among them: only the worker itself can say so.
3. A line that is not ours, or not as the catalogue has it (`observability.events`), changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from forebay.observability.events import LEDGER, OUTCOMES

FAILURES: Final = frozenset({"failed", "rejected", "timed_out", "crashed"})
"""Outcomes that are the job's fault. A postponed or interrupted attempt has not failed."""

GIVEN_BACK: Final = frozenset({"interrupted", "continued"})
"""Outcomes that are nobody's fault: a message that is given back after one of them is no retry."""

COLUMN_OF_SETTLEMENT: Final = {
    "delete": "succeeded",
    "resend": "retried",
    "continue": "continued",
    "bury": "buried",
    "park": "parked",
    "none": "lease_lost",
}
"""Settlement of `attempt.finished` → the column in which its message ends."""

COLUMNS_TOLD: Final = ("succeeded", "retried", "buried", "parked", "continued", "duplicate", "released", "lease_lost")
"""Columns that are known before the end."""

Event = Mapping[str, object]
Sample = tuple[float, int]
"""A run time in seconds, and of how many attempts."""


class TaskTally:
    """Counts of one task. Feed it each event of the task's log, in order."""

    def __init__(self) -> None:
        self.has_started = False
        """Whether the worker has said that it is ready."""
        self.is_draining = False
        self.has_stopped = False
        """Whether the worker has written its last line. A task that was killed never does."""
        self.is_exact = True
        """False once lines were dropped because nobody read them."""
        self.is_protected = False
        """By the worker's own word. ECS may say otherwise."""
        self.protection_refusals = 0
        self.slots = 0
        """0: not told yet."""
        self.done_jobs = 0
        self.failed_jobs = 0
        self.exit_status: int | None = None
        self._started = 0
        self._finished = 0
        self._started_never = 0
        """Messages that are known to have been received and never started."""
        self._columns: dict[str, int] = dict.fromkeys(COLUMNS_TOLD, 0)
        self._ledger: dict[str, int] | None = None

    def feed(self, event: Event) -> Sequence[Sample]:
        """Take notice of an event; return the run times that it tells."""
        match event.get("event"):
            case "attempt.started":
                self._started += 1
            case "attempt.finished":
                return self._on_finished(event)
            case "attempts.summary":
                return self._on_summary(event)
            case "message.duplicate":
                self._columns["duplicate"] += 1 + _whole(event, "suppressed")
            case "lease.lost" if event.get("state") == "waiting":  # No attempt will tell of it.
                self._started_never += 1
                self._columns["lease_lost"] += 1
            case "protection.held":
                self.is_protected = True
            case "protection.released":
                self.is_protected = False
            case "protection.refused":
                self.protection_refusals += 1 + _whole(event, "suppressed")
            case "worker.started":
                self.has_started, self.slots = True, _whole(event, "slots")
            case "drain.started":
                self.is_draining = True
            case "worker.stopped":
                self._on_stopped(event)
            case "log.dropped":
                self.is_exact = False
            case _:
                pass
        return ()

    @property
    def running_jobs(self) -> int:
        """Attempts that have started and not finished."""
        return 0 if self.has_stopped else max(0, self._started - self._finished)

    @property
    def state(self) -> str:
        """One word: starting, idle, busy, draining or stopped."""
        if self.has_stopped:
            return "stopped"
        if self.is_draining:
            return "draining"
        if not self.has_started:
            return "starting"
        return "busy" if self.running_jobs else "idle"

    @property
    def ledger(self) -> dict[str, int]:
        """Columns of the ledger: the worker's own at its end, what is known so far before."""
        if self._ledger is not None:
            return dict(self._ledger)
        return {"received": self._started + self._started_never + self._columns["duplicate"], **self._columns}

    def _on_stopped(self, event: Event) -> None:
        if all(_is_whole(event.get(column)) for column in LEDGER):
            self.has_stopped, self.is_protected = True, False
            self.exit_status = _whole(event, "exit_status")
            self._ledger = {column: _whole(event, column) for column in LEDGER}

    def _on_finished(self, event: Event) -> Sequence[Sample]:
        outcome = event.get("outcome")
        if not isinstance(outcome, str) or outcome not in OUTCOMES:
            return ()
        self._count(outcome, 1)
        settlement = event.get("settlement")
        if settlement == "release":
            self._columns["released" if outcome in GIVEN_BACK else "retried"] += 1
        elif isinstance(settlement, str) and settlement in COLUMN_OF_SETTLEMENT:
            self._columns[COLUMN_OF_SETTLEMENT[settlement]] += 1
        lasted_s = _number(event, "lasted_s")
        return () if lasted_s is None else ((lasted_s, 1),)

    def _on_summary(self, event: Event) -> Sequence[Sample]:
        self._started += _whole(event, "started")
        for outcome in OUTCOMES:
            self._count(outcome, _whole(event, outcome))
        # What followed on the other outcomes a summary does not tell. The ledger at the end does.
        self._columns["succeeded"] += _whole(event, "succeeded")
        count, total_s = _whole(event, "count"), _number(event, "lasted_s_total")
        return ((total_s / count, count),) if count and total_s is not None else ()

    def _count(self, outcome: str, count: int) -> None:
        self._finished += count
        if outcome == "succeeded":
            self.done_jobs += count
        elif outcome in FAILURES:
            self.failed_jobs += count


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _whole(event: Event, field: str) -> int:
    """Return a count; 0 where it is missing, as counts of nothing are left out."""
    value = event.get(field)
    return value if isinstance(value, int) and _is_whole(value) else 0


def _number(event: Event, field: str) -> float | None:
    value = event.get(field)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
