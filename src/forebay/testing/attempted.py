"""What one attempt at a job came to, run by itself in a test."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.testing.enqueued import EnqueuedJob
from forebay.testing.local_report import JobAttempt


@dataclass(frozen=True, slots=True)
class AttemptResult(JobAttempt):
    """One attempt, with what it has sent."""

    enqueued: tuple[EnqueuedJob, ...] = field(default=())
    """Jobs sent while it ran, in order."""

    def raise_failure(self) -> None:
        """Raise what the job has raised, or `JobNotDone` when it ended otherwise than by returning."""
        if self.exception is not None and self.outcome in ("failed", "rejected", "postponed"):
            raise self.exception
        if self.outcome != "succeeded":
            raise JobNotDone(self) from self.exception


class JobNotDone(AssertionError):
    """An attempt has not succeeded, though its code raised nothing of its own. `result` says more."""

    def __init__(self, result: AttemptResult) -> None:
        self.result = result
        why = result.reason or result.error
        super().__init__(
            f"attempt {result.attempt} at {result.job} ended as {result.outcome} after {result.lasted_s:.3f} s"
            f"{f': {why}' if why else ''}. If the test expects that, use attempt(…)"
        )
