"""What the loop executor knows of an attempt that runs, and how its end is read when it was asked to end."""

from __future__ import annotations

import asyncio

from forebay.handlers.failure import came_from_cancelling, outcome_of
from forebay.model import Attempt, Failed, Interrupted, Outcome, TimedOut


class Running:
    """An attempt on this loop, or a batch of them, from its hand-over to its end."""

    __slots__ = ("_asked", "asked_to_end", "attempt", "has_begun", "is_limit", "task")

    def __init__(self, attempt: Attempt) -> None:
        """`attempt` is the first of them."""
        self.attempt = attempt
        self.task: asyncio.Task[None] | None = None
        self.has_begun = False
        self.asked_to_end = False
        self.is_limit = False
        self._asked: set[int] = set()

    def is_asked_again(self, number: int) -> bool:
        """Whether an interrupt of this attempt is news to the code. The members of a batch are interrupted one by one,
        and a hundred cancellations would let no clean-up come to its end: each round of them is one.
        """
        is_news = not self._asked or number in self._asked
        if is_news:
            self._asked.clear()
        self._asked.add(number)
        return is_news

    def interrupted(self) -> Outcome:
        return TimedOut(self.attempt.limit_s) if self.is_limit else Interrupted()

    def outcome_of(self, error: BaseException) -> Outcome:
        outcome = outcome_of(error)
        if isinstance(outcome, Failed) and self.asked_to_end and came_from_cancelling(error):
            return self.interrupted()
        return outcome
