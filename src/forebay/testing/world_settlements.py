"""What must hold of every delete, burial and conclusion of one worker (DESIGN invariants 3, 5 and 8, decisions 9, 10).

Rules kept here and nowhere else:

1. How an attempt ended is known from its code, not from the engine.
2. A message that SQS delivered twice may be settled by either holder; nothing is asked of its lease.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.model import Crashed, Failed, Interrupted, Rejected, Succeeded, TimedOut
from forebay.testing.world_account import Known
from forebay.worker.retry import attempts_allowed
from forebay.worker.vocabulary import Buried, Bury, Conclude, Delete, Deleted, Entry, Event, Resent

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness
    from forebay.testing.world_code import Code

CEILING_NEAR_S = 43_000


class SettlementChecks:
    """Watches one worker's settlements."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._world = witness.world
        self.stuck: set[int] = set()
        """Attempts whose code would not end when it was told to."""
        self.deleting: dict[int, str] = {}
        """Receipts with a delete under way, by attempt."""
        self._copied: set[int] = set()
        self._has_refused_copy = False
        self._done: set[int] = set()
        """Messages (by the world's number) whose delete, or whose copy, was confirmed here: not to be done again."""
        self._buried_now: list[int] = []
        self._parked: set[str] = set()
        self._concluded: set[int] = set()

    def _broken(self, invariant: str, what: str) -> None:
        self._witness.broken(invariant, what)

    # ── what the other checks ask ──────────────────────────────────────────────────────────────────────────

    def known(self, source: str, entry: Entry) -> Known:
        """Return the message of a delivery, which must be the newest that this worker has of it."""
        known = self._world.service.by_receipt[source, entry.receipt]
        newest = self._witness.receipts.get((source, known.message_id))
        if newest is None or (newest != entry.receipt and not known.is_shared):
            self._broken("3: receipts", f"attempt {entry.number} settles with a receipt that is not its newest")
        return known

    def check_lease(self, known: Known, entry: Entry, what: str) -> None:
        """A settlement needs a lease. What an earlier delete of ours has removed unheard is none of our business."""
        if known.is_shared or known.is_deleted:
            return
        if not known.is_leased(entry.receipt, self._witness.now):
            self._broken("2: trusted lease", f"{what} of message {known.number} after its lease has ended")

    def check_ended(self, known: Known, number: int, what: str) -> None:
        """Nothing is settled while its code may run."""
        codes = self._witness.process.executor.running
        if number in codes or any(code.known is known for code in codes.values()):
            self._broken("5: settle after the end", f"{what} of message {known.number}, whose code runs")

    def attempts(self, code: Code) -> int:
        """How many deliveries the attempt's job gets."""
        plan = self._world.plan
        jobs = plan.jobs if plan.default is None else (*plan.jobs, plan.default)
        job = next(job for job in jobs if job.name == code.attempt.job)
        source = self._world.source_plan(code.known.source)
        is_exact = code.attempt.number in self._witness.copies.exact
        is_told = source.may_describe and source.has_dead_letter and not is_exact
        message = code.attempt.message
        forgiven = self._witness.breaker.forgiven((message.source, message.message_id))
        return (0 if is_exact else forgiven) + attempts_allowed(
            attempts_max=job.attempts_max, receive_count_max=source.receive_count_max if is_told else None
        )

    # ── commands ───────────────────────────────────────────────────────────────────────────────────────────

    def delete(self, command: Delete) -> None:
        """Messages are about to be deleted."""
        for entry in command.entries:
            known = self.known(command.source, entry)
            self.check_ended(known, entry.number, "delete")
            self.check_lease(known, entry, "delete")
            code = self._witness.process.executor.codes.get(entry.number)
            is_success = code is not None and code.is_told and isinstance(code.ended_with, Succeeded)
            if code is not None and code.attempt.signals.lease_lost:
                is_success = False  # It was told that its result counts for nothing, whoever delivered it since.
            is_copied = entry.number in self._copied or entry.number in self._witness.copies.confirmed
            if not is_success and not is_copied and known.number not in self._done:
                self._broken("8: delete", f"attempt {entry.number} of message {known.number} was no success")
            if entry.receipt in self._witness.lost:
                self._broken("8: delete", f"attempt {entry.number} has lost its lease")
            self.deleting[entry.number] = entry.receipt
            self._witness.releases.withdrawn(entry.number)

    def bury(self, command: Bury) -> None:
        """A copy is about to be sent to the dead-letter queue."""
        number = command.number
        known = self._world.service.by_id[command.message.message_id]
        code = self._witness.process.executor.codes.get(number)
        self.check_ended(known, number, "burial")
        if code is None:
            if not self._world.is_unroutable(known):
                self._broken("9: burial", f"message {known.number} never ran")
            return
        outcome = self._witness.copies.outcome(code)
        is_last = code.attempt.count >= self.attempts(code)
        is_hopeless = isinstance(outcome, Rejected) or (isinstance(outcome, Failed | TimedOut | Crashed) and is_last)
        is_ours = number in self._witness.interrupted and not isinstance(outcome, TimedOut)
        if not isinstance(outcome, Rejected):
            self._buried_now.append(number)
        if not is_hopeless or is_ours or code.attempt.signals.lease_lost:
            self._broken("9: burial", f"attempt {number} ended with {outcome} and is buried")

    def parked(self, message_id: str) -> None:
        """A message is reported as parked."""
        known = self._world.service.by_id[message_id]
        if message_id in self._parked:
            self._broken("10: parked", f"message {known.number} is reported as parked twice")
        self._parked.add(message_id)
        source = self._world.source_plan(known.source)
        if source.has_dead_letter and source.may_describe and not self._has_refused_copy:
            self._broken("10: parked", f"message {known.number} is parked beside a dead-letter queue")

    def conclude(self, command: Conclude) -> None:
        self._witness.breaker.conclude(command)
        for conclusion in command.conclusions:
            number = conclusion.attempt.number
            code = self._witness.process.executor.codes.get(number)
            if code is None or not code.is_told or number in self._concluded:
                self._broken("3: once", f"attempt {number} is concluded without an end")
                continue
            self._concluded.add(number)
            is_ours = number in self._witness.interrupted and isinstance(code.ended_with, Failed | Crashed)
            if is_ours and not isinstance(conclusion.outcome, Interrupted):
                self._broken("9: outcomes", f"attempt {number} ended by our stop and counts as {conclusion.outcome}")

    def lease_lost(self, known: Known, reason: str) -> None:
        """The engine reports a lease as lost. On a faultless network none ever is."""
        if not self._world.plan.has_clean_network or self._witness.leaving.stop_at is not None:
            return
        source = self._world.source_plan(known.source)
        is_near_ceiling = self._witness.now - known.received_at > CEILING_NEAR_S
        # Where renewing is denied, and that is known, receives hide for as long as any job may take.
        is_within_limit = self._witness.now < known.received_at + self._world.plan.limit_max_s
        may_keep = source.may_renew or (source.knows_may_renew and is_within_limit)
        if may_keep and not known.is_shared and not is_near_ceiling:
            self._broken("4: heartbeats", f"message {known.number} was lost on a faultless network: {reason}")

    def after_step(self) -> None:
        """What failed for want of something that the job depends on is not buried for it."""
        for number in self._buried_now:
            if number in self._witness.breaker.under_suspicion:
                self._broken("9: burial", f"attempt {number} is buried while its job is suspected")
        self._buried_now.clear()

    # ── answers ────────────────────────────────────────────────────────────────────────────────────────────

    def hears(self, event: Event) -> None:
        match event:
            case Deleted(entries=entries, failed=failed):
                for entry in entries:
                    if self.deleting.get(entry.number) == entry.receipt:
                        del self.deleting[entry.number]
                        if entry.number not in failed:
                            self._is_done(entry.number)
            case Buried(number=number, fault=None):
                self._copied.add(number)
                self._is_done(number)
            case Resent(number=number, fault=None):
                self._is_done(number)
            case Buried(fault=fault):
                assert fault is not None
                self._has_refused_copy |= not fault.kind.is_transient
            case _:
                pass

    def _is_done(self, number: int) -> None:
        record = self._witness.records.get(number)
        if record is not None:
            self._done.add(self._world.service.by_id[record.attempt.message.message_id].number)

    def _is_newest(self, receipt: str) -> bool:
        """Whether no later delivery has taken this one's place, here or anywhere."""
        return any(newest == receipt for newest in self._witness.receipts.values()) and not any(
            known.is_shared for (_, other), known in self._world.service.by_receipt.items() if other == receipt
        )

    def exit(self, *, time_was_up: bool) -> None:
        """The worker leaves: every end is concluded, and no answer is left waiting for while there is time."""
        witness = self._witness
        codes = witness.process.executor.codes
        finished = {number for number, code in codes.items() if code.is_told}
        missing = finished - witness.unfinished - self._concluded - (self.stuck & witness.interrupted)
        if missing:
            self._broken("3: ledger", f"attempts {sorted(missing)} have ended without a conclusion")
        waiting = [
            number
            for number, receipt in self.deleting.items()
            if receipt not in witness.lost and self._is_newest(receipt)
        ]
        if waiting and not time_was_up:
            self._broken("3: exit before the answer", f"deletes of attempts {waiting} are under way")
