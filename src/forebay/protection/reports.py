"""What is told of protection: the events' fields, and what an operator should do about each.

The names and fields stand in `observability.events`; holds and refusals carry figures, never secrets.
"""

from __future__ import annotations

from collections.abc import Sequence

from forebay.protection.port import Refused

Report = tuple[str, dict[str, object]]
Reports = Sequence[Report]

READ_DENIED = "grant ecs:GetTaskProtection to the task role, so that a hold can be confirmed"
FOREIGN_AT_START = "left by an earlier process of this task, or set by another worker in it: it is let go now"
FOREIGN_LONGER = "set by another worker in this task: it is left to whoever set it. Run one worker in a task"
FOREIGN_SHORTER = "another worker in this task has changed or let go the hold of this one. Run one worker in a task"


def refusal(refused: Refused, *, retry_in_s: float | None = None, note: str = "") -> Report:
    fields: dict[str, object] = {"reason": refused.reason, "is_lasting": refused.is_lasting}
    if refused.detail:
        fields["detail"] = refused.detail
    if retry_in_s is not None:
        fields["retry_in_s"] = round(retry_in_s, 1)
    if note:
        fields["note"] = note
    return "protection.refused", fields


def foreign(note: str, until_at: float | None, now: float) -> Report:
    held_s = 0.0 if until_at is None else round(until_at - now, 1)
    return "protection.foreign", {"held_s": held_s, "note": note}
