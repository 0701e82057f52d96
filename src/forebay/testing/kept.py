"""What a test keeps of a run beside what is logged: every end of an attempt, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from forebay.model import Attempt, Crashed, Failed, Postponed, Rejected
from forebay.observability.attempts import WORDS
from forebay.observability.reporter import Reporter
from forebay.testing.local_pacing import Raised
from forebay.testing.local_report import JobAttempt
from forebay.worker.vocabulary import Conclusion


class KeepingRecorder:
    """Keeps every end of an attempt, beside telling it. Implements `worker.recorder.Recorder`."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.conclusions: list[Conclusion] = []
        self.on_concluded: list[Callable[[], object]] = []
        """Called after each of them: before anything else is heard, and so before anything else is begun."""
        self._parked: set[str] = set()

    def has_parked(self, message_id: str) -> bool:
        """Whether the worker has given this message up and could not bury it."""
        return message_id in self._parked

    def report(self, event: str, fields: Mapping[str, object], /) -> None:
        if event == "message.parked":
            self._parked.add(str(fields["message_id"]))
        self.reporter.report(event, fields)

    def started(self, attempts: Sequence[Attempt], /) -> None:
        self.reporter.started(attempts)

    def concluded(self, conclusions: Sequence[Conclusion], /) -> None:
        self.conclusions += conclusions
        self.reporter.concluded(conclusions)
        for listener in self.on_concluded:
            listener()

    def tick(self) -> None:
        self.reporter.tick()


def told(conclusion: Conclusion, raised: Raised) -> JobAttempt:
    """Return the end of an attempt as a test sees it."""
    attempt, outcome = conclusion.attempt, conclusion.outcome
    reason = outcome.reason if isinstance(outcome, Postponed | Rejected | Crashed) else ""
    return JobAttempt(
        job=attempt.job,
        message_id=attempt.message.message_id,
        attempt=attempt.count,
        outcome=WORDS[type(outcome)],
        settlement=conclusion.settlement,
        delay_s=conclusion.delay_s,
        lasted_s=conclusion.lasted_s,
        exception=raised.get(attempt.message.receipt),
        reason=reason,
        error=outcome.error if isinstance(outcome, Failed) else "",
        state_json=attempt.signals.checkpoint,
    )
