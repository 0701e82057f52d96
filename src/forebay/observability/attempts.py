"""The fields of the lines about attempts, and what of a failure may be shown.

Rules kept here and nowhere else:

1. Bodies and arguments never become fields. An exception's message and source lines do so only by choice (`full`).
2. `attempt` is the number of the delivery, as the handler's Context has it; the engine's own number stays inside.
"""

from __future__ import annotations

from typing import Literal, Protocol

from forebay.model import (
    Attempt,
    Continued,
    Crashed,
    Failed,
    Interrupted,
    Outcome,
    Postponed,
    Rejected,
    Succeeded,
    TimedOut,
)

ErrorDetail = Literal["frames", "full"]

FRAMES_SHOWN = 6
"""The innermost frames of a failure that a line shows."""

WORDS: dict[type, str] = {
    Succeeded: "succeeded",
    Failed: "failed",
    Postponed: "postponed",
    Rejected: "rejected",
    TimedOut: "timed_out",
    Crashed: "crashed",
    Continued: "continued",
    Interrupted: "interrupted",
}
"""The word for each outcome: `events.OUTCOMES`."""


class Conclusion(Protocol):
    """How one attempt ended and what follows: `worker.vocabulary.Conclusion` is one."""

    @property
    def attempt(self) -> Attempt: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def lasted_s(self) -> float: ...
    @property
    def settlement(self) -> str: ...
    @property
    def delay_s(self) -> float: ...


def queue_name(source: str) -> str:
    """Return the last part of a queue's URL."""
    return source.rsplit("/", 1)[-1]


def started_fields(attempt: Attempt) -> dict[str, object]:
    """Return the fields that every line about an attempt has."""
    message = attempt.message
    return {
        "job": attempt.job,
        "message_id": message.message_id,
        "attempt": attempt.count,
        "queue": queue_name(message.source),
    }


def finished_fields(conclusion: Conclusion, detail: ErrorDetail) -> dict[str, object]:
    """Return the fields of `attempt.finished`."""
    outcome = conclusion.outcome
    fields: dict[str, object] = {
        **started_fields(conclusion.attempt),
        "outcome": WORDS[type(outcome)],
        "lasted_s": conclusion.lasted_s,
        "settlement": conclusion.settlement,
    }
    if conclusion.settlement in ("release", "resend"):
        fields["delay_s"] = conclusion.delay_s
    match outcome:
        case Failed():
            fields |= {"error": outcome.error, "fingerprint": outcome.fingerprint}
            if outcome.frames:
                fields["frames"] = " > ".join(outcome.frames[-FRAMES_SHOWN:])
            if detail == "full":
                fields |= {"error_message": outcome.message, "traceback": outcome.traceback}
        case Postponed(reason=reason) | Rejected(reason=reason):
            if reason:
                fields["reason"] = reason
        case TimedOut(limit_s=limit_s, stopped=stopped):
            fields |= {"limit_s": limit_s, "stopped": stopped}
        case Crashed():
            fields |= crash_fields(outcome)
            if outcome.stack:
                fields["stack"] = " > ".join(outcome.stack[-FRAMES_SHOWN:])
            if detail == "full" and outcome.log_tail:
                fields["log_tail"] = "\n".join(outcome.log_tail)
        case Succeeded() | Continued() | Interrupted():
            pass
    return fields


def crash_fields(outcome: Crashed) -> dict[str, object]:
    """Return what is known of the death of a process, but for where its code stood."""
    fields = {
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "reason": outcome.reason,
        "peak_memory_bytes": outcome.peak_memory_bytes,
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}
