"""When to ask which source for how many messages.

Rules kept here and nowhere else:

1. Never more is asked for than there are free slots and free bytes: a message that waits inside us ages for nothing.
2. One long poll when idle. Another poller starts when an answer brings messages while ten slots are free and no other
   poll is open, or when messages had waited long; it ends on an empty answer. For a batch that gathers out of a backlog
   as many start at once as could fill it.
3. With a backlog, free slots are gathered for a moment before asking, so that receives come back full.
4. With fewer free slots than sources, polls are short and take turns, and no idle one keeps a busy one waiting.
5. After a failure one probe at a time, with growing jittered pauses: short ones while the service does not answer (its
   return must be noticed within seconds), up to 30 s while it throttles or says no.
6. A source that brings nothing but what must go back (no room, a broken dependency) is asked once a second at last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from forebay.errors import Fault, FaultKind
from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, WAIT_MAX_S
from forebay.worker.shares import enough, is_crowded, shares
from forebay.worker.source_state import OpenPoll, SourceState
from forebay.worker.vocabulary import Receive

if TYPE_CHECKING:
    from random import Random

QUEUE_WAIT_LONG_S = 0.2
GATHER_S = 0.05
SHORT_WAIT_S = 2.0
PROBE_WAIT_S = 1.0
POLLS_MAX = 64
"""Polls open at once on one source, each on a connection of its own."""
PAUSE_FIRST_S = 0.2
PAUSE_UNAVAILABLE_MAX_S = 2.0
PAUSE_REFUSED_MAX_S = 30.0
PAUSE_FUTILE_FIRST_S = 0.05
PAUSE_FUTILE_MAX_S = 1.0
"""Between receives that bring nothing but what must go back. Short: a job that can be done may come at any time."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may be asked for now. `free`: slots neither taken nor asked for. `idle`: nothing is held at all."""

    slots: int
    free: int
    free_bytes: int
    is_idle: bool


class Polling:
    """The polls on every source."""

    def __init__(self, keys: list[str], *, visibility_s: int, rng: Random) -> None:
        self.sources = {key: SourceState(key, visibility_s) for key in keys}
        self._order = list(keys)
        self._rng = rng
        self._numbers = 0
        self.slowed: dict[str, int] = {}
        """Sources that bring nothing but what goes back, and how often in a row they did. Nearly always empty."""
        self.asked = 0
        """Messages asked for in open polls."""
        self.wake_at: float | None = None

    def is_open(self, key: str) -> bool:
        return bool(self.sources[key].polls)

    @property
    def any_open(self) -> bool:
        return self.asked > 0

    def ends_at(self, key: str) -> float:
        """When the last open poll on `key` ends by itself at the latest; 0 when none is open."""
        return max((poll.asked_at + poll.wait_s for poll in self.sources[key].polls.values()), default=0.0)

    # ── asking ─────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, room: Room, *, now: float) -> list[Receive]:
        """Open the polls that should be open now."""
        self.wake_at = None
        # The allowance for bodies: each message asked for may be of the largest size. One may always be asked for
        # when nothing is held, or a small buffer would stop the worker for good.
        allowance = room.free_bytes // BODY_MAX_BYTES - self.asked
        if allowance < 1 and room.is_idle and self.asked == 0:
            allowance = 1
        free = min(room.free, allowance)
        receives: list[Receive] = []
        if free < 1:
            return receives
        silent = [source for source in self._in_turn() if not source.polls and self._may_ask(source, now)]
        sources = len(self.sources)
        takes_turns = room.free < sources or is_crowded(room.slots, sources)
        counts = shares(free, room.slots, [source.had_messages for source in silent], sources=sources)
        for source, share in zip(silent, counts, strict=True):
            count = int(min(share, source.count_max))
            if count < 1 or (not takes_turns and self._gathers(source, count, room, now)):
                continue
            wait_s = min(source.wait_max_s, self._turn_wait_s(source) if takes_turns else WAIT_MAX_S)
            receives.append(self._open(source, count, wait_s, now))
            free -= count
        if not takes_turns:
            receives += self._ask_more(free, now)
        for key in dict.fromkeys(receive.source for receive in receives):
            self._order.remove(key)
            self._order.append(key)
        return receives

    def _turn_wait_s(self, source: SourceState) -> float:
        """Return how long a source may keep the others from their turn: not at all while one with work waits for it."""
        others = (other for other in self.sources.values() if other is not source)
        waits = any(other.had_messages and not other.polls and other.room >= 1 for other in others)
        return 0.0 if waits else SHORT_WAIT_S

    def _ask_more(self, free: int, now: float) -> list[Receive]:
        """Let further pollers ask, full batches only, one source after the other."""
        receives: list[Receive] = []
        asked_more = True
        while free >= BATCH_MAX and asked_more:
            asked_more = False
            for source in self._in_turn():
                is_wanted = source.polls and len(source.polls) < source.wanted and not source.failures
                if free >= BATCH_MAX and is_wanted and source.room >= BATCH_MAX:
                    receives.append(self._open(source, BATCH_MAX, source.wait_max_s, now))
                    free -= BATCH_MAX
                    asked_more = True
        return receives

    def _in_turn(self) -> list[SourceState]:
        return [self.sources[key] for key in self._order]

    def _may_ask(self, source: SourceState, now: float) -> bool:
        if not source.is_described or source.room < 1:
            return False
        if source.not_before > now:
            self._wake(source.not_before)
            return False
        return True

    def _gathers(self, source: SourceState, count: int, room: Room, now: float) -> bool:
        """Whether to wait a moment for more free slots, because there is a backlog and slots will come free."""
        busy = sum(other.had_messages for other in self.sources.values())
        if count >= enough(room.slots, busy=busy, sources=len(self.sources)) or not source.had_messages or room.is_idle:
            source.gather_until = None
            return False
        if source.gather_until is None:
            source.gather_until = now + GATHER_S
        if now >= source.gather_until:
            source.gather_until = None
            return False
        self._wake(source.gather_until)
        return True

    def _wake(self, at: float) -> None:
        if self.wake_at is None or at < self.wake_at:
            self.wake_at = at

    def _open(self, source: SourceState, count: int, wait_s: float, now: float) -> Receive:
        self._numbers += 1
        is_probe = source.failures > 0
        if is_probe:
            wait_s = min(wait_s, PROBE_WAIT_S)
        source.polls[self._numbers] = OpenPoll(self._numbers, count, now, wait_s, source.visibility_s)
        source.gather_until = None
        self.asked += count
        return Receive(source.key, self._numbers, count, wait_s, source.visibility_s, is_probe)

    # ── answers ────────────────────────────────────────────────────────────────────────────────────────────

    def close(self, key: str, number: int) -> OpenPoll | None:
        """A poll has ended. None if it had been abandoned."""
        poll = self.sources[key].polls.pop(number, None)
        if poll is not None:
            self.asked -= poll.count_max
        return poll

    def answered(self, key: str, count: int, *, queue_wait_s: float, free: int, missing: int = 0) -> None:
        """Learn from an answer with `count` messages; `free` slots are left beside what is asked for.

        `missing` are the messages that batches which are gathering could still take.
        """
        source = self.sources[key]
        source.failures = 0
        source.not_before = 0.0
        source.has_answered = True
        source.refused_since = None
        source.had_messages = count > 0
        if count == 0:
            self.slowed.pop(key, None)
            source.wanted = max(1, source.wanted - 1)
        elif free >= BATCH_MAX and (not source.polls or queue_wait_s > QUEUE_WAIT_LONG_S):
            # A batch that gathers is worth as many polls as could fill it: it starts when its time is up, full or not.
            to_fill = ceil(missing / BATCH_MAX) if count >= BATCH_MAX or queue_wait_s > QUEUE_WAIT_LONG_S else 0
            source.wanted = min(POLLS_MAX, max(source.wanted, len(source.polls) + 2, to_fill))

    def slow_down(self, key: str, now: float) -> None:
        """What a source has brought only went back: there is no hurry to ask it again, and none for others' sake."""
        source = self.sources[key]
        times = self.slowed[key] = self.slowed.get(key, 0) + 1
        source.had_messages = False
        source.wanted = 1
        pause_s = min(PAUSE_FUTILE_FIRST_S * 2.0 ** min(times - 1, 10), PAUSE_FUTILE_MAX_S)
        source.not_before = max(source.not_before, now + pause_s)

    def failed(self, key: str, fault: Fault, *, now: float) -> float:
        """Learn from a failure; return the pause before the next probe, in seconds."""
        source = self.sources[key]
        if now >= source.not_before:  # Polls that fail together are one failure.
            source.failures += 1
        source.wanted = 1
        source.had_messages = False
        says_no = fault.kind in (FaultKind.MISSING, FaultKind.DENIED, FaultKind.CREDENTIALS, FaultKind.REFUSED)
        if not says_no:
            source.refused_since = None
        elif source.refused_since is None:
            source.refused_since = now
        is_silent = fault.kind in (FaultKind.UNAVAILABLE, FaultKind.NO_ANSWER)
        ceiling_s = PAUSE_UNAVAILABLE_MAX_S if is_silent else PAUSE_REFUSED_MAX_S
        edge_s = min(PAUSE_FIRST_S * 2.0 ** min(source.failures - 1, 20), ceiling_s)
        pause_s = edge_s * (0.5 + self._rng.random() / 2)
        source.not_before = max(source.not_before, now + pause_s)
        return pause_s

    def abandon(self, key: str) -> None:
        """Forget the open polls of a source; their answers are not awaited any more."""
        source = self.sources[key]
        source.abandoned_until = max(source.abandoned_until, self.ends_at(key))
        for number in list(source.polls):
            self.close(key, number)

    def outlast_s(self, key: str, now: float) -> float:
        """Return how long to hide what is given back, so that no poll that we have abandoned takes it to its grave.

        Never longer than such a poll would hide it.
        """
        source = self.sources[key]
        if source.abandoned_until <= now:
            return 0.0
        return min(ceil(source.abandoned_until - now) + 1.0, float(source.visibility_s))
