"""`--exit-when-empty`: when may a worker say that there is nothing left to do?

Rules kept here and nowhere else:

1. A source is empty when its numbers are all 0 and one receive after that came back empty.
2. Where the numbers may not be asked for, one empty long poll says so, unless a retry of ours is still hidden.
3. Any message undoes every finding; so does anything held here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from forebay.queue.port import WAIT_MAX_S
from forebay.worker.vocabulary import Count, Counted

RECOUNT_S = 1.0


class Finding(IntEnum):
    UNKNOWN = 0
    COUNTING = 1
    COUNTING_IN_VAIN = 2
    """Something came after the question was put: its answer is about a time before."""
    NUMBERS_ARE_ZERO = 3
    EMPTY = 4


@dataclass(slots=True, eq=False)
class Emptiness:
    """What is known of each source's emptiness."""

    keys: list[str]
    findings: dict[str, Finding] = field(init=False)
    may_count: dict[str, bool] = field(init=False)
    waited_s: dict[str, float] = field(init=False)
    """How long empty receives of a source have waited in a row."""
    retry_hidden_until: float = 0.0
    """Until when a message that we released with a delay stays hidden."""
    recount_at: float | None = None
    wake_at: float | None = None
    """When to be asked again. None while nothing but a fact can bring news: while something is held, for one."""

    def __post_init__(self) -> None:
        self.findings = dict.fromkeys(self.keys, Finding.UNKNOWN)
        self.may_count = dict.fromkeys(self.keys, True)
        self.waited_s = dict.fromkeys(self.keys, 0.0)

    def undo(self) -> None:
        """Something is there."""
        for key in self.keys:
            is_asked = self.findings[key] in (Finding.COUNTING, Finding.COUNTING_IN_VAIN)
            self.findings[key] = Finding.COUNTING_IN_VAIN if is_asked else Finding.UNKNOWN
            self.waited_s[key] = 0.0

    def polled_empty(self, key: str, *, waited_s: float, now: float) -> None:
        """A receive came back with nothing, while nothing was held here."""
        self.waited_s[key] += waited_s
        has_waited = self.waited_s[key] >= WAIT_MAX_S and now >= self.retry_hidden_until
        if self.findings[key] is Finding.NUMBERS_ARE_ZERO or (not self.may_count[key] and has_waited):
            self.findings[key] = Finding.EMPTY

    def counted(self, event: Counted, *, is_denied: bool, now: float) -> None:
        is_in_vain = self.findings[event.source] is Finding.COUNTING_IN_VAIN
        self.findings[event.source] = Finding.UNKNOWN
        if event.counts is not None and event.counts.is_empty:
            self.findings[event.source] = Finding.UNKNOWN if is_in_vain else Finding.NUMBERS_ARE_ZERO
        elif is_denied:
            self.may_count[event.source] = False
        else:
            self.recount_at = now + RECOUNT_S

    def ask(self, *, now: float) -> list[Count]:
        """Return the questions to put now; to be called while nothing is held."""
        if self.recount_at is not None and now < self.recount_at:
            self.wake_at = self.recount_at
            return []
        self.recount_at = None
        counts: list[Count] = []
        for key in self.keys:
            if self.findings[key] is Finding.UNKNOWN and self.may_count[key]:
                self.findings[key] = Finding.COUNTING
                counts.append(Count(key))
        return counts

    def wait_s(self, key: str, wait_s: float) -> float:
        """Return how long a poll should wait: the confirming one only long enough to ask every server."""
        if self.findings[key] is Finding.NUMBERS_ARE_ZERO:
            return 1.0
        return min(wait_s, 1.0) if self.may_count[key] else wait_s

    @property
    def all_empty(self) -> bool:
        return all(finding is Finding.EMPTY for finding in self.findings.values())
