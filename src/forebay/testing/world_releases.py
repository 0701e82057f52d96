"""What must hold of every message that one worker gives back, and of every lease that it renews.

Rules kept here and nowhere else:

1. How an attempt ended is known from its code, not from the engine; the delay must fit that (decision 9).
2. Code that runs keeps its message, save in the last resort before the exit (invariant 5, decision 8).
3. What is given back must not come to a poll of ours that is still open (decision 8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.model import Continued, Crashed, Failed, Interrupted, Postponed, Rejected, Succeeded, TimedOut
from forebay.settings import VISIBILITY_CEILING_S
from forebay.testing.world_account import PARKED_S, Known
from forebay.worker.vocabulary import Entry, Event, Release, Released, Renew

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness
    from forebay.testing.world_code import Code

VISIBLE_AFTER_EXIT_S = 2.0
BACKOFF_MAX_S = 900
ROUNDING_S = 1e-6
RECEIVE_MAX_S = 60
"""The engine counts a lease's 12 h from its request, which may have waited long for its answer."""


class ReleaseChecks:
    """Watches one worker's releases and renewals."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._under_way: dict[int, str] = {}
        """Receipts with a release under way, by attempt."""
        self._tried: set[str] = set()
        """Receipts released at least once, heard or unheard."""

    def _broken(self, invariant: str, what: str) -> None:
        self._witness.broken(invariant, what)

    def release(self, command: Release) -> None:
        """Messages are about to be given back."""
        witness = self._witness
        for entry in command.entries:
            known = witness.settlements.known(command.source, entry)
            if entry.receipt not in self._tried:  # An earlier try may have been carried out unheard.
                witness.settlements.check_lease(known, entry, "release")
            self._check_ceiling(known, entry)
            code = witness.process.executor.codes.get(entry.number)
            if entry.number in witness.process.executor.running:
                self._last_resort(known, entry)
            else:
                witness.settlements.check_ended(known, entry.number, "release")
                if code is not None and code.is_told:
                    self._after_an_end(code, entry)
            self._check_polls(command.source, code, entry)
            self._under_way[entry.number] = entry.receipt
            self._tried.add(entry.receipt)

    def renew(self, command: Renew) -> None:
        """Leases are about to be renewed."""
        for entry in command.entries:
            known = self._witness.settlements.known(command.source, entry)
            if self._under_way.get(entry.number) == entry.receipt:
                self._broken("4: renewal beside a release", f"attempt {entry.number} of message {known.number}")
            self._check_ceiling(known, entry)
            if entry.seconds < 1:
                self._broken("4: renewals", f"{entry}")

    def withdrawn(self, number: int) -> None:
        """A delete takes the place of a release that is under way."""
        self._under_way.pop(number, None)

    def hears(self, event: Event) -> None:
        if isinstance(event, Released):
            for entry in event.entries:
                if self._under_way.get(entry.number) == entry.receipt:
                    del self._under_way[entry.number]

    def _check_ceiling(self, known: Known, entry: Entry) -> None:
        """SQS refuses what goes beyond 12 h from the receive; ten seconds of that are for the way."""
        until_at = self._witness.now + entry.seconds
        if entry.seconds < 0 or until_at > known.received_at + VISIBILITY_CEILING_S + ROUNDING_S:
            self._broken("4: 12 h ceiling", f"message {known.number} for {entry.seconds} s")

    def _last_resort(self, known: Known, entry: Entry) -> None:
        """Code that would not stop: only after it was interrupted by a stop, and hidden until we are gone."""
        witness = self._witness
        if witness.leaving.stop_at is None or entry.number not in witness.interrupted:
            self._broken("5: settle after the end", f"release of message {known.number}, whose code runs")
            return
        if witness.now + entry.seconds < witness.leaving.exit_at + VISIBLE_AFTER_EXIT_S - ROUNDING_S:
            self._broken("5: last resort", f"message {known.number} is visible {entry.seconds} s from now")

    def _after_an_end(self, code: Code, entry: Entry) -> None:
        """The delay must fit the outcome."""
        witness, number, seconds = self._witness, entry.number, entry.seconds
        if code.attempt.signals.lease_lost:
            return  # Its lease was lost on the way: whatever it did counts for nothing, and it is tried again.
        outcome = witness.copies.outcome(code)
        left_s = int(VISIBILITY_CEILING_S - (witness.now - code.known.received_at)) - RECEIVE_MAX_S
        is_parked = seconds >= min(PARKED_S, left_s)
        if witness.copies.must_be_copied(code) and not is_parked:
            self._broken("8: state", f"attempt {number} is given back, and what it had reached is lost")
        match outcome:
            case Succeeded():
                self._broken("9: outcomes", f"attempt {number} succeeded, and its message is given back")
            case Failed() | TimedOut() | Crashed():
                self._after_a_failure(code, entry, is_parked=is_parked)
            case Rejected():
                if not is_parked:
                    self._broken("9: outcomes", f"attempt {number} was rejected, and is given back")
            case Postponed(delay_s=delay_s):
                if delay_s is not None and seconds < min(delay_s, left_s):
                    self._broken("9: outcomes", f"attempt {number} was postponed by {delay_s} s, not {seconds}")
            case Continued() | Interrupted() | None:
                pass

    def _after_a_failure(self, code: Code, entry: Entry, *, is_parked: bool) -> None:
        attempts = self._witness.settlements.attempts(code)
        count = code.attempt.count
        if count >= attempts and code.attempt.number not in self._witness.breaker.under_suspicion:
            if not is_parked:
                self._broken("9: outcomes", f"attempt {entry.number} was number {count} of {attempts}")
            return
        is_prompt = entry.seconds <= min(BACKOFF_MAX_S, 2**count)
        if entry.seconds < 1 or not (is_prompt or self._witness.leaving.stop_at is not None):
            self._broken("9: outcomes", f"attempt {entry.number} is tried again in {entry.seconds} s")

    def _check_polls(self, source: str, code: Code | None, entry: Entry) -> None:
        """An open poll of ours would take it again at once."""
        witness = self._witness
        # Who goes on working may take again what a second try gives back: it is started then.
        is_late = code is not None or entry.receipt in self._tried
        # What cannot start here is given back with a delay, and may well come here again.
        is_postponed = code is None and entry.seconds >= 1
        if ((is_late or is_postponed) and witness.leaving.stop_at is None) or entry.seconds >= PARKED_S:
            return
        if witness.now + entry.seconds < witness.polls.ends_at(source):
            self._broken("8: release beside a poll", f"attempt {entry.number} comes back before our poll has ended")
