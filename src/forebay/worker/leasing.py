"""Keeps every lease alive, and says when one is lost.

Rules kept here and nowhere else:

1. Heartbeats run from receipt until the settlement is confirmed, but never beside a release: a renewal that arrives
   after it would hide the message again.
2. An answer to a renewal counts only for the receipt that it was asked for.
3. Leases that fall due soon are renewed with those that are due, so that batches stay full.
4. Where the permission to renew is missing, nothing is renewed and receives ask for the longest timeout instead.
"""

from __future__ import annotations

from collections.abc import Callable

from forebay.errors import Fault, FaultKind
from forebay.worker.leases import renew_at, renewal_s, trusted_until
from forebay.worker.records import Desk, Record, State, queue_name, statement_for
from forebay.worker.retry import SettleByRelease
from forebay.worker.timers import Timers
from forebay.worker.vocabulary import Entry, Renew, Renewed


class Leasing:
    """The leases of every record."""

    def __init__(self, desk: Desk, *, lost: Callable[[Record, str], None]) -> None:
        self._desk = desk
        self._lost = lost
        self._timers = Timers()
        self._denied: set[str] = set()
        self._margin_s = desk.settings.trust_margin_s

    @property
    def wake_at(self) -> float | None:
        return self._timers.next_at

    def may_renew(self, source: str) -> bool:
        return source not in self._denied

    def grant(self, record: Record, *, anchor_at: float) -> None:
        """Begin (or begin anew) to trust a lease whose visibility timeout started no earlier than `anchor_at`."""
        visibility_s = record.visibility_s
        record.trusted_until = trusted_until(
            anchor_at=anchor_at, visibility_s=visibility_s, margin_s=min(self._margin_s, visibility_s / 6)
        )
        due_at = renew_at(anchor_at=anchor_at, visibility_s=visibility_s)
        if record.source in self._denied:
            due_at = record.trusted_until
        self._timers.set(record.attempt.number, due_at)

    def forget(self, record: Record) -> None:
        self._timers.cancel(record.attempt.number)

    def deny(self, source: str, code: str) -> None:
        """Take note that ChangeMessageVisibility is not permitted; say once what to grant."""
        if source in self._denied:
            return
        self._denied.add(source)
        self._desk.report(
            "permission.missing",
            queue=queue_name(source),
            action="sqs:ChangeMessageVisibility",
            code=code,
            grant=statement_for("sqs:ChangeMessageVisibility"),
            consequence="no heartbeats and no early release; messages are received hidden for the longest timeout",
        )

    def tick(self, now: float) -> None:
        """Renew what is due; give up what can no longer be trusted."""
        first_at = self._timers.next_at
        if first_at is None or first_at > now:
            return
        ahead_s = self._desk.settings.visibility_s / 20
        by_source: dict[str, list[Entry]] = {}
        for number in self._timers.due(now + ahead_s):
            record = self._desk.records[number]
            if now >= record.trusted_until:
                self._lost(record, "not renewed in time")
            elif record.renewing is not None or not self._wants_renewal(record, now):
                self._timers.set(number, record.trusted_until)
            else:
                seconds = renewal_s(visibility_s=record.visibility_s, received_at=record.received_at, now=now)
                record.renewing = record.receipt
                self._timers.set(number, record.trusted_until)
                by_source.setdefault(record.source, []).append(Entry(number, record.receipt, seconds))
        for source, entries in by_source.items():
            self._desk.commands.append(Renew(source, entries))

    def _wants_renewal(self, record: Record, now: float) -> bool:
        if record.is_lease_lost or record.source in self._denied:
            return False
        if record.is_settling_now and isinstance(record.settlement, SettleByRelease):
            return False
        # Near the ceiling a renewal would shorten the lease rather than stretch it.
        seconds = renewal_s(visibility_s=record.visibility_s, received_at=record.received_at, now=now)
        return now + seconds - self._margin_s > record.trusted_until

    def renewed(self, event: Renewed, now: float) -> list[Record]:
        """Take in an answer; return the records whose renewal has ended, in case something waited for that."""
        settled: list[Record] = []
        for number, receipt, seconds in event.entries:
            record = self._desk.records.get(number)
            if record is None or record.renewing != receipt:
                continue
            record.renewing = None
            settled.append(record)
            if record.receipt != receipt or record.is_lease_lost:
                continue
            fault = event.failed.get(number)
            if fault is None:
                self._confirmed(record, asked_at=event.asked_at, seconds=seconds, now=now)
            else:
                self._failed(record, fault, now)
        return settled

    def _confirmed(self, record: Record, *, asked_at: float, seconds: int, now: float) -> None:
        if now >= record.trusted_until:
            self._lost(record, "the renewal was answered too late")
            return
        margin_s = min(self._margin_s, seconds / 6)
        until = trusted_until(anchor_at=asked_at, visibility_s=seconds, margin_s=margin_s)
        record.trusted_until = max(record.trusted_until, until)
        due_at = renew_at(anchor_at=asked_at, visibility_s=seconds)
        self._timers.set(record.attempt.number, min(max(due_at, now), record.trusted_until))

    def _failed(self, record: Record, fault: Fault, now: float) -> None:
        if fault.kind is FaultKind.LEASE_LOST:
            if record.state is State.SETTLING and record.is_settling_now:
                return  # Most likely our own delete came first; its answer decides.
            self._lost(record, f"the renewal was refused: {fault.code}")
            return
        if fault.kind is FaultKind.DENIED:
            self.deny(record.source, fault.code)
            self._timers.set(record.attempt.number, record.trusted_until)
            return
        pause_s = record.visibility_s / 12 * (0.5 + self._desk.rng.random())
        self._timers.set(record.attempt.number, min(now + pause_s, record.trusted_until))
