"""What the loop executor knows of an attempt that runs, and how its end is read when it was asked to end."""

from __future__ import annotations

import asyncio

from forebay.handlers.failure import came_from_cancelling, outcome_of
from forebay.model import Attempt, Failed, Interrupted, Outcome, TimedOut


class Running:
    """An attempt on this loop, or a batch of them, from its hand-over to its end."""

    __slots__ = ("asked_to_end", "attempt", "has_begun", "is_limit", "task")

    def __init__(self, attempt: Attempt) -> None:
        """`attempt` is the first of them."""
        self.attempt = attempt
        self.task: asyncio.Task[None] | None = None
        self.has_begun = False
        self.asked_to_end = False
        self.is_limit = False

    def interrupted(self) -> Outcome:
        return TimedOut(self.attempt.limit_s) if self.is_limit else Interrupted()

    def outcome_of(self, error: BaseException) -> Outcome:
        outcome = outcome_of(error)
        if isinstance(outcome, Failed) and self.asked_to_end and came_from_cancelling(error):
            return self.interrupted()
        return outcome
