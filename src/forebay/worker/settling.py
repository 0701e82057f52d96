"""Ends leases on purpose: deletes, releases and burials, each until its answer is known.

Rules kept here and nowhere else:

1. Nothing is settled without trust in its lease; what lost it meanwhile is counted as lost.
2. A release waits for a renewal that is under way, and, when we are stopping, for every poll of ours on that source
   to end: an open poll would take it again. One that was abandoned is outlasted.
3. A copy (in the dead-letter queue, or in its own queue to go on elsewhere) is confirmed before the original is
   deleted. With no dead-letter queue nothing is deleted: the message is parked, hidden for as long as SQS allows, and
   reported once. A copy in its own queue that is never taken is replaced by a release.
4. What fails and may succeed later is tried again for as long as the lease is trusted.
"""

from __future__ import annotations

from forebay.errors import Fault, FaultKind
from forebay.model import Outcome, Succeeded
from forebay.settings import VISIBILITY_CEILING_S
from forebay.worker.copies import Copies
from forebay.worker.leasing import Leasing
from forebay.worker.ledger import Column
from forebay.worker.memory import Memory
from forebay.worker.polling import Polling
from forebay.worker.records import Desk, Record, State, about, queue_name, statement_for
from forebay.worker.retry import SettleByBurial, SettleByDelete, SettleByRelease, SettleByResend, Settlement
from forebay.worker.timers import Timers
from forebay.worker.vocabulary import Buried, Delete, Deleted, Entry, Release, Released, Resent

RETRY_FIRST_S = 0.1
RETRY_CEILING_S = 5.0


class Settling:
    """Every record whose attempt has ended, or that is being given back unstarted."""

    def __init__(
        self,
        desk: Desk,
        leasing: Leasing,
        polling: Polling,
        copies: Copies,
    ) -> None:
        self._desk = desk
        self._leasing = leasing
        self._polling = polling
        self._copies = copies
        self._again = Timers()
        self._held_back: dict[int, Record] = {}
        self._deletes: dict[str, list[Entry]] = {}
        self._releases: dict[str, list[Entry]] = {}
        self._done = Memory()
        self._parked = Memory()
        self.unconfirmed = 0
        """Deliveries given up at the exit without an answer to their settlement."""

    @property
    def wake_at(self) -> float | None:
        return self._again.next_at

    def was_done(self, key: tuple[str, str]) -> bool:
        """Whether a message was done and deleted, or copied, here lately, so that this delivery is a repetition."""
        return key in self._done

    def begin(self, record: Record, settlement: Settlement, column: Column, *, now: float) -> None:
        """Settle a record whose slot is free. `column` is where it will be counted."""
        assert record.state is State.SETTLING, record.state
        assert not record.is_settling_now, record.number
        record.settlement = settlement
        record.column = column
        record.tries = 0
        if record.is_lease_lost or now >= record.trusted_until:
            self.lost(record, "expired before it was settled")
            return
        if isinstance(settlement, SettleByBurial) and self._desk.descriptions[record.source].dead_letter is None:
            self._park(record, settlement.reason, now)
            return
        self._act(record, now)

    def _park(self, record: Record, reason: str, now: float) -> None:
        record.settlement = SettleByRelease(VISIBILITY_CEILING_S, is_retry=False)
        record.column = "parked"
        if not record.is_copied and record.key not in self._parked:
            self._parked.add(record.key)
            self._desk.report(
                "message.parked",
                **about(record),
                reason=reason,
                remedy="give the queue a dead-letter queue (RedrivePolicy), or name one with --dead-letter URL",
            )
        self._act(record, now)

    def _act(self, record: Record, now: float) -> None:
        """Give the command that the record's settlement calls for, or hold it back."""
        settlement = record.settlement
        if isinstance(settlement, SettleByDelete) or record.is_copied:
            record.is_settling_now = True
            self._deletes.setdefault(record.source, []).append(Entry(record.number, record.receipt))
        elif isinstance(settlement, SettleByBurial | SettleByResend):
            record.is_settling_now = True
            self._desk.commands.append(self._copies.command(record, settlement, now))
        else:
            assert isinstance(settlement, SettleByRelease), settlement
            if self._must_wait(record):
                self._held_back[record.number] = record
            else:
                self._release(record, settlement.delay_s, now)

    def _must_wait(self, record: Record) -> bool:
        if record.renewing is not None:
            return True
        # While we go on working, polls follow upon polls: a release that waited for them all might wait for ever.
        return self._desk.is_stopping and record.column != "parked" and self._polling.is_open(record.source)

    def _release(self, record: Record, delay_s: float, now: float) -> None:
        record.is_settling_now = True
        delay_s = max(delay_s, self._polling.outlast_s(record.source, now))
        ceiling_s = max(0, int(VISIBILITY_CEILING_S - (now - record.received_at)))
        seconds = min(int(-(-delay_s // 1)), ceiling_s)
        self._releases.setdefault(record.source, []).append(Entry(record.number, record.receipt, seconds))

    def unblock(self, now: float) -> None:
        """Release what was held back, where nothing stands in its way any more."""
        if not self._held_back:
            return
        for number, record in list(self._held_back.items()):
            settlement = record.settlement
            assert isinstance(settlement, SettleByRelease), settlement
            if not self._must_wait(record):
                del self._held_back[number]
                self._release(record, settlement.delay_s, now)

    def withdraw(self, record: Record, outcome: Outcome) -> bool:
        """Take back the release of an attempt that was given up and has ended after all. False if it is too late.

        For a success it is not even too late while the release is under way: the same receipt still deletes.
        """
        if record.outcome is not None or (record.is_settling_now and not isinstance(outcome, Succeeded)):
            return False
        record.is_settling_now = False
        self._held_back.pop(record.number, None)
        self._again.cancel(record.number)
        return True

    def adopt(self, record: Record, now: float) -> None:
        """The record's message came again while it was being settled; settle the newest delivery instead."""
        is_copy = isinstance(record.settlement, SettleByBurial | SettleByResend)
        if is_copy and not record.is_copied and record.is_settling_now:
            return  # The copy is under way; the delete that follows uses the newest receipt.
        self._again.cancel(record.number)
        record.is_settling_now = False  # What is under way carries the old receipt; its answer says nothing.
        if now >= record.trusted_until:
            self.lost(record, "expired before its delivery was looked at")
        else:
            self._act(record, now)

    def drop(self, record: Record, column: Column) -> None:
        """Account for a record without (further) settling it."""
        self._forget(record)
        self._desk.end(record, column)

    def lost(self, record: Record, why: str) -> None:
        """The lease of a settling record is no longer trusted."""
        if (isinstance(record.settlement, SettleByDelete) or record.is_copied) and record.is_settling_now:
            return  # The delete was asked for while it was trusted; the answer decides.
        if isinstance(record.settlement, SettleByRelease) and record.column != "parked":
            # Our right ended, so the message is visible again: what the release was to bring about.
            assert record.column is not None
            if record.is_settling_now:
                return
            self.drop(record, record.column)
            return
        record.is_lease_lost = True
        self._report_lost(record, why)
        self.drop(record, "lease_lost")

    def _report_lost(self, record: Record, why: str) -> None:
        self._desk.report(
            "lease.lost",
            **about(record),
            state="settling",
            reason=why,
        )

    def _forget(self, record: Record) -> None:
        self._leasing.forget(record)
        self._again.cancel(record.number)
        self._held_back.pop(record.number, None)

    # ── answers ────────────────────────────────────────────────────────────────────────────────────────────

    def deleted(self, event: Deleted, now: float) -> None:
        failed = event.failed
        for number, receipt, _ in event.entries:
            record = self._desk.records.get(number)
            if record is None or not record.is_settling_now or record.receipt != receipt:
                continue
            fault = failed.get(number) if failed else None
            if fault is not None:
                record.is_settling_now = False
                self._delete_failed(record, fault, now)
                continue
            assert record.column is not None
            self._done.add(record.key)
            self.drop(record, record.column)

    def _delete_failed(self, record: Record, fault: Fault, now: float) -> None:
        if fault.kind in (FaultKind.LEASE_LOST, FaultKind.REFUSED):
            record.is_lease_lost = True
            self._report_lost(record, f"the delete was refused: {fault.code}")
            self.drop(record, "lease_lost")
            return
        self._report_failure(record, "DeleteMessage", fault)
        self._try_again(record, now)

    def released(self, event: Released, now: float) -> None:
        for number, receipt, _ in event.entries:
            record = self._desk.records.get(number)
            if record is None or not record.is_settling_now or record.receipt != receipt:
                continue
            if not isinstance(record.settlement, SettleByRelease):
                continue  # It was withdrawn.
            record.is_settling_now = False
            assert record.column is not None
            fault = event.failed.get(number)
            if fault is None or fault.kind in (FaultKind.LEASE_LOST, FaultKind.REFUSED):
                self.drop(record, record.column)  # Visible again either way.
            elif fault.kind is FaultKind.DENIED:
                self._leasing.deny(record.source, fault.code)
                self.drop(record, record.column)  # It comes back when its visibility timeout ends.
            else:
                self._report_failure(record, "ChangeMessageVisibility", fault)
                self._try_again(record, now)

    def copied(self, event: Buried | Resent, now: float) -> None:
        record = self._desk.records.get(event.number)
        if record is None or not record.is_settling_now:
            return
        settlement = record.settlement
        if not isinstance(settlement, SettleByBurial if isinstance(event, Buried) else SettleByResend):
            return
        record.is_settling_now = False
        if event.fault is not None:
            self._copy_failed(record, settlement, event.fault, now)
            return
        self._copies.confirmed(record, settlement)
        self._done.add(record.key)  # Should its delete fail, the original comes back beside its copy.
        if record.is_lease_lost or now >= record.trusted_until:
            self.lost(record, "expired after its copy was made")
        else:
            self._act(record, now)

    def _copy_failed(
        self, record: Record, settlement: SettleByBurial | SettleByResend, fault: Fault, now: float
    ) -> None:
        if fault.kind.is_transient or fault.kind is FaultKind.CREDENTIALS:
            to = "" if isinstance(settlement, SettleByResend) else " to the dead-letter queue"
            self._report_failure(record, f"SendMessage{to}", fault)
            self._try_again(record, now)
        elif isinstance(settlement, SettleByBurial):
            self._park(record, f"the dead-letter queue does not take it: {fault.code}", now)
        else:
            record.settlement = released = self._copies.denied(record, fault, settlement)
            record.column = "retried" if released.is_retry else "released"
            self._act(record, now)

    def _report_failure(self, record: Record, operation: str, fault: Fault) -> None:
        queue = queue_name(record.source)
        if fault.kind is not FaultKind.DENIED:
            self._desk.report("settle.failed", queue=queue, action=operation, code=fault.code)
            return
        action = f"sqs:{operation}"
        grant = statement_for(action)
        self._desk.report("permission.missing", queue=queue, action=action, code=fault.code, grant=grant)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def _try_again(self, record: Record, now: float) -> None:
        record.tries += 1
        edge_s = min(RETRY_FIRST_S * 2.0 ** min(record.tries - 1, 10), RETRY_CEILING_S)
        self._again.set(record.number, now + edge_s * (0.5 + self._desk.rng.random() / 2))

    def tick(self, now: float) -> None:
        for number in self._again.due(now):
            record = self._desk.records[number]
            if now >= record.trusted_until or record.is_lease_lost:
                self.lost(record, "expired before it was settled")
            else:
                self._act(record, now)

    def flush(self) -> None:
        """Write the commands gathered while one event was handled: one for each source and kind."""
        if self._deletes:
            for source, entries in self._deletes.items():
                self._desk.commands.append(Delete(source, entries))
            self._deletes = {}
        if self._releases:
            for source, entries in self._releases.items():
                self._desk.commands.append(Release(source, entries))
            self._releases = {}

    def abandon(self) -> None:
        """Time is up: count what is still unsettled as lost. It comes back when its visibility timeout ends."""
        self._deletes, self._releases = {}, {}  # Nobody waits for an answer to them any more.
        for record in [record for record in self._desk.records.values() if record.state is State.SETTLING]:
            self.unconfirmed += 1
            self._report_lost(record, "the exit came before the answer to its settlement")
            self.drop(record, "lease_lost")
