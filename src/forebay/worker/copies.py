"""What is sent in a message's place before it is deleted: to the dead-letter queue, or to its own queue again.

Rules kept here and nowhere else:

1. While we are stopping, a copy stays hidden until our own polls have ended: an open one would take it at once.
2. A denied copy is told once, with the statement to grant. Until one succeeds, attempts are counted by deliveries.
"""

from __future__ import annotations

from math import ceil

from forebay.errors import Fault, FaultKind
from forebay.queue.contents import DELAY_MAX_S
from forebay.queue.continuation import copy_of
from forebay.worker.error_note import error_note
from forebay.worker.polling import Polling
from forebay.worker.records import Desk, Record, about, queue_name, statement_for
from forebay.worker.retry import SettleByBurial, SettleByRelease, SettleByResend
from forebay.worker.vocabulary import Bury, Resend


class Copies:
    """The copies that records call for."""

    def __init__(self, desk: Desk, polling: Polling) -> None:
        self._desk = desk
        self._polling = polling

    def command(self, record: Record, settlement: SettleByBurial | SettleByResend, now: float) -> Bury | Resend:
        """Return the command that sends the copy."""
        message = record.attempt.message
        if isinstance(settlement, SettleByBurial):
            error = error_note(record, settlement.reason, detail=self._desk.settings.dead_letter_detail)
            return Bury(record.source, record.number, message, error)
        delay_s = max(settlement.delay_s, self._polling.outlast_s(record.source, now))
        if self._desk.is_stopping:
            delay_s = max(delay_s, self._polling.ends_at(record.source) - now)
        copy = copy_of(
            message,
            attempts=settlement.attempts,
            state=settlement.state,
            delay_s=min(ceil(delay_s), DELAY_MAX_S),
            most_bytes=self._desk.descriptions[record.source].message_max_bytes,
        )
        return Resend(record.source, record.number, copy)

    def confirmed(self, record: Record, settlement: SettleByBurial | SettleByResend) -> None:
        """The copy is in its queue: from now on the original may go."""
        record.is_copied = True
        record.tries = 0
        if isinstance(settlement, SettleByBurial):
            self._desk.report("message.buried", **about(record), reason=settlement.reason)
            return
        self._desk.copies_denied.discard(record.source)
        if not settlement.is_retry:
            assert settlement.state is not None, record.number
            self._desk.report("message.continued", **about(record), state_bytes=len(settlement.state.encode()))

    def denied(self, record: Record, fault: Fault, settlement: SettleByResend) -> SettleByRelease:
        """The copy will never be taken. Tell what that costs, and return what is done instead."""
        if fault.kind is not FaultKind.DENIED:
            self._desk.report(
                "settle.failed",
                queue=queue_name(record.source),
                action="SendMessage",
                code=fault.code,
                detail="the message is given back instead, with the state that it came with",
            )
        elif record.source not in self._desk.copies_denied:
            self._desk.report(
                "permission.missing",
                queue=queue_name(record.source),
                action="sqs:SendMessage",
                code=fault.code,
                grant=statement_for("sqs:SendMessage"),
                consequence="jobs that go on elsewhere lose their state, and attempts are counted by deliveries",
            )
        self._desk.copies_denied.add(record.source)
        return SettleByRelease(settlement.delay_s, is_retry=settlement.is_retry)
