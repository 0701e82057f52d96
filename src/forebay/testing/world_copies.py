"""What must hold of every job that one worker sends again: its state, its count, and when it may (invariants 3 and 8).

Rules kept here and nowhere else:

1. What a copy must carry is known from the account of its message and from the code, not from the engine.
2. A job is sent again for two reasons: it goes on elsewhere from a checkpoint, or a failed attempt is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.model import Continued, Crashed, Failed, Interrupted, Outcome, Succeeded, TimedOut
from forebay.queue.continuation import restored
from forebay.testing.world_account import Known
from forebay.testing.world_service import message_of
from forebay.worker.vocabulary import Event, Resend, Resent

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness
    from forebay.testing.world_code import Code


class CopyChecks:
    """Watches the copies that one worker sends."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.confirmed: set[int] = set()
        """Attempts whose copy is known to be in the queue."""
        self.exact: set[int] = set()
        """Attempts that are counted by copies."""
        self._timed_out: set[int] = set()
        """Attempts interrupted by their limit."""
        self._capped: set[int] = set()
        """Attempts interrupted because SQS ends their lease."""
        self._refused: set[int] = set()

    def _broken(self, invariant: str, what: str) -> None:
        self._witness.broken(invariant, what)

    def outcome(self, code: Code) -> Outcome | None:
        """How an attempt ended, as it must count."""
        ended, number, witness = code.ended_with, code.attempt.number, self._witness
        if isinstance(ended, Continued) and number in self._timed_out:
            return TimedOut(code.attempt.limit_s)
        if isinstance(ended, TimedOut) and number in self._capped and code.attempt.signals.checkpoint is not None:
            return Interrupted()
        if number in witness.interrupted and not isinstance(ended, Succeeded | TimedOut | Continued):
            return Interrupted()
        return ended

    def started(self, code: Code) -> None:
        """An attempt begins: it must see the job as it was sent, and be told the right count."""
        known, attempt = code.known, code.attempt
        message = attempt.message
        if message.body != known.body or message.state != known.state:
            self._broken("8: state", f"message {known.number} comes as {message.state}, not {known.state}")
        is_exact = self._witness.records[attempt.number].is_counted_exactly
        if is_exact:
            self.exact.add(attempt.number)
        count = known.counted + (1 if is_exact else message.receive_count)
        if attempt.count != count:
            self._broken(
                "9: count", f"attempt {attempt.number} of message {known.number} is told to be {attempt.count}"
            )

    def limit_passed(self, number: int) -> None:
        """An attempt is about to be interrupted by its limit, or by SQS's."""
        record = self._witness.records.get(number)
        (self._capped if record is not None and record.is_capped else self._timed_out).add(number)

    def goes_on(self, code: Code) -> bool:
        """Whether the job of an attempt that has ended must go on elsewhere."""
        outcome = self.outcome(code)
        return code.attempt.signals.checkpoint is not None and isinstance(outcome, Continued | Interrupted)

    def must_be_copied(self, code: Code) -> bool:
        """Whether giving the message back would lose what the attempt has reached."""
        if code.attempt.number in self._refused:
            return False
        is_failure = isinstance(self.outcome(code), Failed | TimedOut | Crashed)
        return self.goes_on(code) or (code.attempt.number in self.exact and is_failure)

    def resend(self, command: Resend) -> None:
        """A copy is about to be sent."""
        witness, number = self._witness, command.number
        code = witness.process.executor.codes.get(number)
        if code is None or not code.is_told:
            self._broken("8: copies", f"attempt {number} is sent again before it has ended")
            return
        known, signals = code.known, code.attempt.signals
        witness.settlements.check_ended(known, number, "copy")
        if signals.lease_lost:
            self._broken("8: copies", f"attempt {number} is sent again after its lease was lost")
        came = restored(message_of(command.source, command.message))
        if came is None or came.body != known.body:
            self._broken("8: copies", f"message {known.number} is sent again with another body")
            return
        if self.goes_on(code):
            self._check(known, code, came.state, signals.checkpoint, came.attempts_before, is_retry=False)
        elif isinstance(self.outcome(code), Failed | TimedOut | Crashed):
            state = signals.checkpoint if signals.checkpoint is not None else known.state
            self._check(known, code, came.state, state, came.attempts_before, is_retry=True)
        else:
            self._broken("9: outcomes", f"attempt {number} ended with {code.ended_with} and is sent again")

    def _check(
        self, known: Known, code: Code, state: str | None, expected: str | None, counted: int, *, is_retry: bool
    ) -> None:
        number, witness = code.attempt.number, self._witness
        if state != expected:
            self._broken("8: state", f"attempt {number} is sent again with {state}, and had reached {expected}")
        attempt, is_exact = code.attempt, number in self.exact
        if is_retry and not is_exact:
            self._broken("9: outcomes", f"attempt {number} is counted by a copy, against its job's setting")
        most = attempt.count if is_retry else attempt.count - 1
        is_forgiven = attempt.job in witness.ever_suspected
        if not is_exact:
            is_forgiven = is_forgiven or witness.uncounted(known) > 0
        if counted != most and not (is_forgiven and known.counted <= counted < most):
            self._broken(
                "9: count", f"attempt {number} of message {known.number} is sent again as {counted}, not {most}"
            )
        if is_retry and not is_forgiven and attempt.count >= witness.settlements.attempts(code):
            self._broken("9: outcomes", f"attempt {number} was the last, and is sent again")

    def hears(self, event: Event) -> None:
        if isinstance(event, Resent):
            if event.fault is None:
                self.confirmed.add(event.number)
            elif not event.fault.kind.is_transient:
                self._refused.add(event.number)
