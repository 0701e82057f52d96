"""When the queues do something by themselves, and letting them do it.

Rules kept here and nowhere else:

1. Time never goes back.
2. However far time is moved at once, what is due happens in the order of time, across all queues.
3. A call that finds nothing due pays one comparison, however many queues and messages there are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Protocol

from forebay.rules.queue_messages import NEVER


class Turning(Protocol):
    """What does something by itself: a queue, or the message move tasks."""

    @abstractmethod
    def next_event_at(self) -> float:
        """When something happens here by itself; infinity for never."""
        ...

    @abstractmethod
    def turn(self, now: float) -> None:
        """Let happen what is due at `now`."""
        ...


class Timeline:
    """The present time of all queues of an account, and when something is due next."""

    def __init__(self, queues: Mapping[str, Turning], *others: Turning) -> None:
        """At one moment the queues come first, then the `others`."""
        self.due_at = NEVER
        """Nothing happens by itself before this; something may at it."""
        self._queues = queues
        self._others = list(others)
        self._now = -NEVER

    def _everybody(self) -> Iterator[Turning]:
        return chain(self._queues.values(), self._others)

    def next_event_at(self) -> float | None:
        """Return when something will happen by itself, or None if nothing will."""
        self.due_at = min((turning.next_event_at() for turning in self._everybody()), default=NEVER)
        return None if self.due_at == NEVER else self.due_at

    def note(self, turning: Turning) -> None:
        """Take notice of one that has changed."""
        self.due_at = min(self.due_at, turning.next_event_at())

    def join(self, turning: Turning) -> None:
        """Let another one take its turns from now on, after all others."""
        self._others.append(turning)
        self.note(turning)

    def look_again(self, now: float) -> None:
        """Let happen what has become overdue by a change."""
        self.due_at = now
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`."""
        assert now >= self._now, f"time went back from {self._now} to {now}"
        while self.due_at <= now:
            at = self.next_event_at()
            if at is None or at > now:
                break
            # What became overdue by a change of attributes happens now, not in the past.
            at = max(at, self._now)
            for turning in self._everybody():
                turning.turn(at)
            self.due_at = at
        self._now = now
