"""When running attempts are asked to go on elsewhere though the worker does not stop.

Rules kept here and nowhere else:

1. SQS ends every lease twelve hours after its receive. Who may still run then is asked a quarter of an hour before.
2. Protection is at risk when ECS refuses it and what is left of the hold ends within a quarter of an hour, before the
   attempt must. A refusal is asked about again every five minutes at the latest, so no clock of ours is needed.
3. Each attempt is asked once. Asking changes nothing for code that calls no checkpoint.
"""

from __future__ import annotations

from forebay.settings import VISIBILITY_CEILING_S
from forebay.worker.guarding import Guarding
from forebay.worker.records import Desk, Record, State
from forebay.worker.timers import Timers
from forebay.worker.vocabulary import Notify

ASK_BEFORE_S = 900.0
"""How long before an attempt must end it is asked to go on elsewhere: time to reach the next checkpoint."""

SEND_BEFORE_S = 60.0
"""How long before SQS ends the lease an attempt is interrupted, so that its state can still be sent."""

CEILING = "SQS ends every lease after twelve hours"
AT_RISK = "task protection is refused, and ECS may stop this task soon"


def capped(record: Record, deadline_at: float) -> float:
    """Return the deadline that the lease allows, and note on the record whether it is less than was asked for."""
    ceiling_at = record.received_at + VISIBILITY_CEILING_S - SEND_BEFORE_S
    record.is_capped = deadline_at > ceiling_at
    return min(deadline_at, ceiling_at)


class HandingOn:
    """Asks attempts to go on elsewhere."""

    def __init__(self, desk: Desk, guarding: Guarding) -> None:
        self._desk = desk
        self._guarding = guarding
        self._timers = Timers()

    @property
    def wake_at(self) -> float | None:
        return self._timers.next_at

    def watch(self, record: Record) -> None:
        """The record's deadline has been set: it may be so late that the lease ends first."""
        ask_at = record.received_at + VISIBILITY_CEILING_S - ASK_BEFORE_S
        if record.deadline_at > ask_at:
            self._timers.set(record.number, ask_at)

    def forget(self, record: Record) -> None:
        """The record's attempt has ended."""
        self._timers.cancel(record.number)

    def tick(self, now: float) -> None:
        """Ask those whose lease is nearly over."""
        due = [self._desk.records.get(number) for number in self._timers.due(now)]
        self._ask([record for record in due if record is not None], CEILING, left_s=ASK_BEFORE_S)

    def protection_answered(self, now: float) -> None:
        """Ask those whose protection is at risk."""
        guarding = self._guarding
        if not (guarding.is_paused or guarding.is_refused_for_good):
            return
        safe_until = guarding.held_until or now
        if safe_until - now < ASK_BEFORE_S:
            protected = [record for record in self._desk.records.values() if record.needs_protection]
            at_risk = [record for record in protected if record.deadline_at > safe_until]
            self._ask(at_risk, AT_RISK, left_s=max(0.0, safe_until - now))

    def _ask(self, records: list[Record], reason: str, *, left_s: float) -> None:
        asked = [record for record in records if record.state is State.RUNNING and not record.is_asked_to_go_on]
        for record in asked:
            record.is_asked_to_go_on = True
            self._desk.commands.append(Notify(record.attempt, hand_on=True))
        if asked:
            self._desk.report("checkpoint.asked", running=len(asked), reason=reason, left_s=round(left_s, 1))
