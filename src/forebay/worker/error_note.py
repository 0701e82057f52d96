"""What a buried message says of its failure, in the one attribute that we add to it.

Rules kept here and nowhere else:

1. Types, fingerprints and places in the code are always there; messages and tracebacks only by choice, since
   encryption at rest does not cover attributes (facts/sqs.md section 8).
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.model import Crashed, Failed
from forebay.observability.attempts import WORDS, crash_fields
from forebay.worker.records import Record

FRAMES_MAX = 10
TEXT_MAX = 20_000


def error_note(record: Record, reason: str, *, detail: str) -> Mapping[str, object]:
    """Return the content of `forebay.error`; the driver adds the queue's ARN, the versions and the time."""
    message = record.attempt.message
    outcome = record.outcome
    note: dict[str, object] = {
        "reason": reason,
        "job": record.attempt.job,
        "attempt": record.attempt.count,
        "receive_count": message.receive_count,
        "message_id": message.message_id,
        "sent_at_ms": message.sent_at_ms,
    }
    if message.first_sent_at_ms != message.sent_at_ms:
        note["first_sent_at_ms"] = message.first_sent_at_ms
    if outcome is not None:
        note["outcome"] = WORDS[type(outcome)]
    if isinstance(outcome, Failed):
        note["type"] = outcome.error
        note["fingerprint"] = outcome.fingerprint
        note["frames"] = list(outcome.frames[-FRAMES_MAX:])
        if detail == "full":
            note["message"] = outcome.message[:TEXT_MAX]
            note["traceback"] = outcome.traceback[-TEXT_MAX:]
    if isinstance(outcome, Crashed):
        note |= crash_fields(outcome) | {"reason": reason, "cause": outcome.reason}
        note["frames"] = list(outcome.stack[-FRAMES_MAX:])
        if detail == "full":
            note["log_tail"] = list(outcome.log_tail)
    return note
