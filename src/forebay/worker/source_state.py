"""What is known of one source's polls: those that are open, how the last ones went, and what may be asked for.

Values only; `polling` decides on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from forebay.queue.port import WAIT_MAX_S


@dataclass(frozen=True, slots=True)
class OpenPoll:
    """One receive that has not been answered yet."""

    number: int
    count_max: int
    asked_at: float
    wait_s: float
    visibility_s: int


@dataclass(slots=True, eq=False)
class SourceState:
    """What is known of one source's polls."""

    key: str
    visibility_s: int
    is_described: bool = False
    polls: dict[int, OpenPoll] = field(default_factory=dict[int, OpenPoll])
    wanted: int = 1
    had_messages: bool = False
    gather_until: float | None = None
    failures: int = 0
    not_before: float = 0.0
    has_answered: bool = False
    refused_since: float | None = None
    """Since when the service says no (missing, denied, no credentials, refused) without an answer in between."""
    wait_max_s: float = float(WAIT_MAX_S)
    count_max: float = inf
    """The most that its open polls together may ask for: what could be started of it."""
    abandoned_until: float = 0.0
    """When the last poll that we gave up waiting for ends by itself, if the service has not noticed."""

    @property
    def room(self) -> float:
        """How many more messages may be asked for here."""
        return self.count_max - sum(poll.count_max for poll in self.polls.values())
