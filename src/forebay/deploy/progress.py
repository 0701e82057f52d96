"""What CloudFormation has done so far in one operation: a row a resource, and why anything failed. Pure.

Rules kept here and nowhere else:

1. Times are AWS's own, save for the age of what still goes on; `now` is an argument.
2. What an update replaced is deleted at its end under the same logical id; that is no news of the resource, which by
   then has another physical id.
3. A failure is told once. What CloudFormation cancelled because of it is no failure of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from forebay.deploy.hints import resource_hint
from forebay.deploy.stack_values import StackEvent, in_words, is_busy

NOT_STARTED = "NOT_STARTED"
CANCELLED = ("creation cancelled", "update cancelled", "Resource creation cancelled", "deletion cancelled")


@dataclass(frozen=True, slots=True)
class Row:
    """One resource, as its last event tells it."""

    logical_id: str
    kind: str
    description: str
    status: str = NOT_STARTED
    physical_id: str = ""
    started_utc: datetime | None = None
    changed_utc: datetime | None = None
    reason: str = ""

    @property
    def words(self) -> str:
        return in_words(self.status)

    @property
    def is_going_on(self) -> bool:
        return is_busy(self.status)

    @property
    def has_failed(self) -> bool:
        return self.status.endswith("_FAILED")

    def seconds(self, now_utc: datetime) -> float:
        """How long it took, or has taken so far."""
        if self.started_utc is None or self.changed_utc is None:
            return 0.0
        until = max(now_utc, self.changed_utc) if self.is_going_on else self.changed_utc
        return (until - self.started_utc).total_seconds()


@dataclass(frozen=True, slots=True)
class Failure:
    """A resource that could not be made, changed or deleted."""

    logical_id: str
    description: str
    words: str
    reason: str
    hint: str | None


class Progress:
    """Takes events in their order and keeps a row for each resource."""

    def __init__(
        self, stack: str, title: str, descriptions: Mapping[str, str], *, planned: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.stack = Row(stack, "AWS::CloudFormation::Stack", title)
        self.failures: list[Failure] = []
        self._descriptions = descriptions
        self._rows = {logical_id: Row(logical_id, kind, self._told(logical_id, kind)) for logical_id, kind in planned}

    @property
    def rows(self) -> tuple[Row, ...]:
        """The resources: those planned in their order, then others as they came up."""
        return tuple(self._rows.values())

    def row(self, logical_id: str) -> Row | None:
        return self._rows.get(logical_id)

    def take(self, events: Iterable[StackEvent]) -> tuple[list[Row], list[Failure]]:
        """Take events, the oldest first; return the rows that have changed, as often as they have, and new failures."""
        changed: list[Row] = []
        failures: list[Failure] = []
        for event in events:
            if event.is_of_stack:
                began_utc = self.stack.started_utc or event.at_utc  # One operation, also when it turns into a rollback.
                self.stack = replace(_moved(self.stack, event), started_utc=began_utc)
                changed.append(self.stack)
            elif (row := self._taken(event)) is not None:
                changed.append(row)
                if (failure := _failure(row)) is not None:
                    failures.append(failure)
        self.failures += failures
        return changed, failures

    def _taken(self, event: StackEvent) -> Row | None:
        row = self._rows.get(event.logical_id)
        row = row or Row(event.logical_id, event.kind, self._told(event.logical_id, event.kind))
        if event.status.startswith("DELETE_") and row.physical_id not in ("", event.physical_id):
            return None
        self._rows[event.logical_id] = row = _moved(row, event)
        return row

    def _told(self, logical_id: str, kind: str) -> str:
        return self._descriptions.get(logical_id) or f"{logical_id} ({kind})"


def _moved(row: Row, event: StackEvent) -> Row:
    """Return the row after the event. A new act (creating, then deleting in a rollback) has a beginning of its own."""
    is_same_act = row.status.split("_")[0] == event.status.split("_")[0]
    return replace(
        row,
        status=event.status,
        physical_id=event.physical_id or row.physical_id,
        started_utc=row.started_utc if is_same_act and row.started_utc else event.at_utc,
        changed_utc=event.at_utc,
        reason=event.reason,
    )


def _failure(row: Row) -> Failure | None:
    if not row.has_failed or any(words in row.reason for words in CANCELLED):
        return None
    return Failure(row.logical_id, row.description, row.words, row.reason, resource_hint(row.reason))
