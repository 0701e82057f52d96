"""How many messages could be started if they came: of all jobs together, and of the jobs that a source brings.

Rules kept here and nowhere else:

1. A worker whose every job is limited (by a share, by its child processes, by a broken dependency) asks for no more
   than it could start. Of short jobs in child processes some more may wait, if it has more slots than children.
2. So does a poll on a source that has lately brought nothing but such jobs. One that also brings others is asked as
   ever; what cannot be started of it goes back.
3. A suspected job has an appetite for one message, when its probe is due.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from math import inf

from forebay.handlers.registry import Handler, Registry, Runs
from forebay.worker.breaker import Breaker
from forebay.worker.rooms import Rooms

STORE_S = 0.5
"""What waits for a child process is to be started within this time, as things are."""

SEEN_S = 300.0
"""A job that a source brought so long before its newest message is forgotten."""


class Appetite:
    """What could be started."""

    def __init__(
        self, registry: Registry, rooms: Rooms, breaker: Breaker, slots: int, waiting: Callable[[], Counter[str]]
    ) -> None:
        self._handlers = {handler.name: handler for handler in registry}
        self._rooms = rooms
        self._breaker = breaker
        self._slots = slots
        self._count_waiting = waiting
        self._waiting: Counter[str] = Counter()
        """How many wait, by job, when `of_all` was last asked."""
        self._seen: dict[str, dict[str, float]] = defaultdict(dict)
        """When a source last brought a job: source → job → instant."""
        self.wake_at: float | None = None
        """When a probe falls due that a poll should be opened for."""

    def saw(self, source: str, job: str, now: float) -> None:
        """A source has brought a job."""
        self._seen[source][job] = now

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing here is limited at the moment: the usual case."""
        return not (self._breaker.suspected or self._rooms.limited)

    def of_all(self, now: float) -> float:
        """How many messages could be started, whatever job they are for; infinity for any number."""
        self.wake_at = None
        self._waiting = self._count_waiting()
        return self._among(self._handlers.values(), now)

    def of_source(self, source: str, now: float) -> float:
        """The same for what this source brings; to be asked after `of_all`, in the same turn."""
        seen = self._seen[source]
        if not seen:
            return inf
        # Counted from what came last, not from now: a source that is not asked brings nothing.
        forgotten_at = max(seen.values()) - SEEN_S
        for job in [job for job, at in seen.items() if at < forgotten_at]:
            del seen[job]
        return self._among([self._handlers[job] for job in seen], now)

    def _among(self, handlers: Iterable[Handler], now: float) -> float:
        waiting = self._waiting
        by_kind: dict[Runs, float] = defaultdict(float)
        for handler in handlers:
            by_kind[handler.runs] += max(0, self._of_job(handler, now) - waiting[handler.name])
        for runs in by_kind.keys() & self._rooms.bounded:
            by_kind[runs] = min(by_kind[runs], self._of_kind(runs, waiting))
        return sum(by_kind.values())

    def _of_kind(self, runs: Runs, waiting: Counter[str]) -> float:
        """How many attempts an executor that counts its places could take beside those that wait for it."""
        handlers = [handler for handler in self._handlers.values() if handler.runs == runs]
        largest = max(1 if handler.batch is None else handler.batch.size for handler in handlers)
        places = self._rooms.places(runs) * largest + self._in_store(runs, largest)
        return max(0, places - sum(waiting[handler.name] for handler in handlers))

    def _in_store(self, runs: Runs, largest: int = 1) -> int:
        """How many attempts may wait for a place, so that a short job is not followed by a receive of its own.

        No more than start within a moment: a long job that waited here would be kept from workers that are free. Only
        slots beyond the executor's places, and no more than may wait at all (`starting`).
        """
        taken = int(min(self._rooms.room(runs) * largest, self._slots))
        soon = int(min(self._rooms.starts_within(runs, STORE_S), self._slots))
        return min(soon, self._slots // 2, self._slots - taken)

    def _of_job(self, handler: Handler, now: float) -> float:
        free = self._rooms.free(handler)
        if handler.name not in self._breaker.suspected:
            return free + (self._in_store(handler.runs) if handler.slots_max is None else 0)
        if self._breaker.may_probe(handler.name, now):
            return min(1, free)
        due_in_s = self._breaker.due_in_s(handler.name, now)
        if due_in_s > 0 and (self.wake_at is None or now + due_in_s < self.wake_at):
            self.wake_at = now + due_in_s
        return 0
