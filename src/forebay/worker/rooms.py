"""How many attempts of each job and of each kind of executor may run at once, and how many do.

Rules kept here and nowhere else:

1. A job with a share of its own (`slots=` of the job) never has more attempts running than that.
2. An executor whose places come and go says how many it has; a batch takes one place. Child processes are no places
   before they have said so.
3. What runs keeps its place until it has ended: room that shrinks only stops new starts.
4. A setting that could never be kept is refused at the start.
5. Where places are counted, how long a call takes one is known by a moving mean.
"""

from __future__ import annotations

from collections import defaultdict
from math import inf

from forebay.errors import SettingsError
from forebay.handlers.registry import Handler, Registry, Runs
from forebay.model import Attempt
from forebay.worker.vocabulary import RoomChanged

PACE_WEIGHT = 1 / 8
"""What the newest attempt counts for in the mean."""


class Rooms:
    """Who runs, and for whom there is room."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._runs: dict[str, Runs] = {handler.name: handler.runs for handler in registry}
        self._room: dict[Runs, float] = {"loop": inf, "thread": inf, "process": 0}
        self.bounded: set[Runs] = {handler.runs for handler in registry if handler.runs == "process"}
        """Kinds of jobs here whose executor counts its places."""
        self.limited: set[str] = set()
        """Jobs that cannot always start at once. Nearly always empty, which is all that the hot path asks."""
        self._running: dict[str, int] = defaultdict(int)
        """Attempts that run, by job."""
        self._calls: dict[Runs, int] = defaultdict(int)
        """Places taken, by kind: an attempt's or a batch's."""
        self._members: dict[int, int] = {}
        """Attempts of each running batch that have not ended, by the batch's number."""
        self._lasts_s: dict[Runs, float] = {}
        """How long an attempt of a counted kind lasts, on average of late. Unknown before the first has ended."""
        self._set_limited()

    def changed(self, event: RoomChanged, _now: float) -> None:
        """An executor has said how many places it has."""
        self._room[event.runs] = event.room
        self.bounded.add(event.runs)
        self._set_limited()

    def _set_limited(self) -> None:
        self.limited = {
            handler.name for handler in self._registry if handler.slots_max is not None or handler.runs in self.bounded
        }

    def are_processes(self, job: str) -> bool:
        """Whether attempts of the job run in processes that can be killed."""
        return self._runs[job] == "process"

    def room(self, runs: Runs) -> float:
        """How many places of this kind there are, taken or free; infinitely many where nobody counts."""
        return self._room[runs]

    def places(self, runs: Runs) -> float:
        """How many places of this kind are free; infinitely many where nobody counts."""
        return max(0, self._room[runs] - self._calls[runs])

    def starts_within(self, runs: Runs, seconds: float) -> float:
        """How many attempts will find a place within so many seconds, going by those that have ended lately."""
        lasts_s = self._lasts_s.get(runs)
        return 0.0 if lasts_s is None else self._room[runs] * seconds / max(lasts_s, 0.001)

    def lasted(self, attempt: Attempt, seconds: float) -> None:
        """An attempt has run for so long."""
        runs = self._registry[attempt.job].runs
        if runs in self.bounded:
            before_s = self._lasts_s.get(runs, seconds)
            self._lasts_s[runs] = before_s + (seconds - before_s) * PACE_WEIGHT

    def free(self, handler: Handler) -> float:
        """How many attempts of a job could start now, as far as its share and its executor go."""
        share = inf if handler.slots_max is None else handler.slots_max - self._running[handler.name]
        places = self.places(handler.runs)
        return max(0, min(share, places if handler.batch is None else places * handler.batch.size))

    def started(self, handler: Handler, attempts: int, batch: int) -> None:
        """Attempts have started: one alone (`batch` 0), or the members of a batch."""
        self._running[handler.name] += attempts
        self._calls[handler.runs] += 1
        if batch:
            self._members[batch] = attempts

    def ended(self, attempt: Attempt) -> None:
        """A running attempt has ended, or is not waited for any more."""
        self._running[attempt.job] -= 1
        if attempt.batch:
            self._members[attempt.batch] -= 1
            if self._members[attempt.batch]:
                return
            del self._members[attempt.batch]
        self._calls[self._runs[attempt.job]] -= 1


def slots_least(registry: Registry) -> int:
    """Return how many slots the largest share or batch of a job takes."""
    sizes = (handler.slots_max or (handler.batch.size if handler.batch is not None else 1) for handler in registry)
    return max(sizes, default=1)


def check_shares(registry: Registry, *, slots: int) -> None:
    """Raise `SettingsError` where a job asks for more than the worker has slots."""
    for handler in registry:
        share, batch = handler.slots_max, handler.batch
        if share is not None and share > slots:
            raise SettingsError(
                f"slots={share} of job {handler.name!r} is over the worker's slots={slots}: "
                "a share is a part of them; lower it, or give the worker more slots"
            )
        if batch is not None and batch.size > (slots if share is None else share):
            of = f"the worker's slots={slots}" if share is None else f"its own slots={share}"
            raise SettingsError(
                f"size={batch.size} of batch job {handler.name!r} is over {of}: "
                "such a batch could never be full; lower the size, or raise the slots"
            )
