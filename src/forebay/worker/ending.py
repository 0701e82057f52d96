"""What the end of an attempt leads to: its outcome as it counts, and the settlement that follows.

Rules kept here and nowhere else:

1. What ends with an exception after our stop told it to is our doing, not its failure. So is what ends because SQS's
   twelve hours are over, if it left a state to go on from.
2. A time limit is a limit: an attempt that reaches a checkpoint only after its own has timed out all the same.
3. A job goes on elsewhere by a copy with its newest state. Where no copy can be made it is given back instead, and
   starts again from the state that it came with.
4. With `retry="resend"` a failed attempt is counted by a copy too. Nothing is sent on the strength of a lost lease.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from forebay.handlers.executor import Ended
from forebay.handlers.registry import Registry
from forebay.model import CONTINUED, SUCCEEDED, Continued, Crashed, Failed, Interrupted, Outcome, Succeeded, TimedOut
from forebay.queue.contents import DELAY_MAX_S
from forebay.worker.breaker import Breaker
from forebay.worker.ledger import Column
from forebay.worker.records import Desk, Record
from forebay.worker.retry import (
    DELETE,
    SettleByBurial,
    SettleByDelete,
    SettleByRelease,
    SettleByResend,
    Settlement,
    attempts_allowed,
    retry_delay_s,
    settlement,
)


class End(NamedTuple):
    """One attempt's end, and what follows."""

    outcome: Outcome
    settlement: Settlement
    word: str
    """The settlement in a word, for reports."""
    delay_s: float
    column: Column


_DONE = End(SUCCEEDED, DELETE, "delete", 0.0, "succeeded")
_DONE_IN_VAIN = _DONE._replace(word="none")


class Ending:
    """Decides what follows from each end."""

    def __init__(self, desk: Desk, registry: Registry, breaker: Breaker) -> None:
        self._desk = desk
        self._registry = registry
        self._breaker = breaker

    def of(self, record: Record, ended: Ended, now: float) -> End:
        """Return what follows from the end of this record's attempt."""
        if type(ended.outcome) is Succeeded and not record.is_forfeited:  # The usual end, in a few steps.
            self._breaker.ended(record.attempt.job, record.number, ended.outcome, now)
            return _DONE_IN_VAIN if record.is_lease_lost else _DONE
        outcome = _as_it_counts(record, ended)
        attempt = record.attempt
        self._breaker.ended(attempt.job, attempt.number, outcome, now)
        if _goes_on(outcome, ended):
            what: Settlement = self._continued(record, ended)
        else:
            what = self._settled(record, outcome, ended)
        if record.is_forfeited and not isinstance(what, SettleByRelease):
            what = SettleByRelease(retry_delay_s(attempt.count, self._desk.rng), is_retry=True)
        word, delay_s, column = _in_words(what)
        if word == "bury" and self._desk.descriptions[record.source].dead_letter is None:
            word = "park"
        return End(outcome, what, "none" if record.is_lease_lost else word, delay_s, column)

    def _continued(self, record: Record, ended: Ended) -> SettleByResend:
        attempt = record.attempt
        counted = attempt.count - 1  # All before this one, which failed in nothing.
        if not record.is_counted_exactly:
            # Deliveries, so those that were not held against the message are not held against its copy either.
            counted = max(attempt.message.attempts_before, counted - self._desk.uncounted.of(record.key))
        return SettleByResend(0.0, is_retry=False, attempts=counted, state=ended.checkpoint)

    def _settled(self, record: Record, outcome: Outcome, ended: Ended) -> Settlement:
        attempt = record.attempt
        handler = self._registry[attempt.job]
        is_suspected = attempt.job in self._breaker.suspected
        if is_suspected and not record.is_counted_exactly:
            self._desk.uncounted.add(record.key)
        what = settlement(
            outcome,
            count=attempt.count,
            attempts=sys.maxsize if is_suspected else self._attempts(record),
            rng=self._desk.rng,
            backoff_s=(handler.backoff_first_s, handler.backoff_ceiling_s),
            unit="attempt" if record.is_counted_exactly else "delivery",
        )
        if not record.is_counted_exactly or not isinstance(what, SettleByRelease):
            return what
        if not isinstance(outcome, Failed | TimedOut | Crashed):
            return what
        state = ended.checkpoint if ended.checkpoint is not None else attempt.message.state
        counted = attempt.count - is_suspected  # What a broken dependency cost is not the message's fault.
        return SettleByResend(min(what.delay_s, DELAY_MAX_S), is_retry=True, attempts=counted, state=state)

    def _attempts(self, record: Record) -> int:
        """Return how many attempts (or deliveries) the job gets before a failure is final."""
        own = self._registry[record.attempt.job].attempts_max
        attempts_max = self._desk.settings.attempts if own is None else own
        if record.is_counted_exactly:
            return attempts_allowed(attempts_max=attempts_max, receive_count_max=None)
        receive_count_max = self._desk.descriptions[record.source].receive_count_max
        allowed = attempts_allowed(attempts_max=attempts_max, receive_count_max=receive_count_max)
        return self._desk.uncounted.of(record.key) + allowed


def _as_it_counts(record: Record, ended: Ended) -> Outcome:
    outcome = ended.outcome
    if isinstance(outcome, Continued) and record.is_limit_passed and not record.is_capped:
        return TimedOut(record.attempt.limit_s)
    if isinstance(outcome, TimedOut) and record.is_capped and ended.checkpoint is not None:
        return Interrupted()
    if record.is_interrupted and not isinstance(outcome, Succeeded | TimedOut | Continued | Interrupted):
        return Interrupted()
    return outcome


def _goes_on(outcome: Outcome, ended: Ended) -> bool:
    """Whether the job goes on elsewhere from a state that this attempt has reached."""
    return ended.checkpoint is not None and (outcome == CONTINUED or isinstance(outcome, Interrupted))


def _in_words(what: Settlement) -> tuple[str, float, Column]:
    """Return a settlement's word, its delay in seconds, and the ledger's column that it leads to."""
    match what:
        case SettleByDelete():
            return "delete", 0.0, "succeeded"
        case SettleByRelease(delay_s=delay_s, is_retry=is_retry):
            return "release", delay_s, "retried" if is_retry else "released"
        case SettleByResend(delay_s=delay_s, is_retry=is_retry):
            return ("resend", delay_s, "retried") if is_retry else ("continue", delay_s, "continued")
        case SettleByBurial():
            return "bury", 0.0, "buried"
