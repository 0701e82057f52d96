"""The queue metrics of the local SQS: a point a minute for each active queue, as CloudWatch has them, and live figures.

Rules kept here and nowhere else (facts/sqs.md section 5):

1. A period is a minute, divided by the time-lapse factor. Gauges are read at its end, counts are those within it.
2. A queue is active while it holds a message and for six hours after that, or after the last call that named it, be it
   a denied one. An inactive one has no points: data are missing, not nought. The six hours are divided likewise.
3. The last 360 points are kept, six hours of them. CloudWatch's delay of up to 15 minutes after a queue has woken up is
   not played.

A metrics object takes its turns in the order of time with the queues, so each point is that of its moment, even when
time leaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from forebay.clock import Clock
from forebay.rules.queue_latencies import Percentiles
from forebay.rules.queue_messages import NEVER
from forebay.rules.queue_metrics import Gauges, Point, Totals, gauges, point
from forebay.rules.queue_semantics import QueueService
from forebay.rules.queue_store import StandardQueue

PERIOD_S = 60.0
ACTIVE_S = 6 * 3600.0
POINTS_KEPT = 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A queue now."""

    gauges: Gauges
    totals: Totals
    """Since its creation, or since the server has started."""


class _Record:
    """What is remembered of one queue."""

    __slots__ = ("active_at", "before", "points", "queue")

    def __init__(self, queue: StandardQueue, now: float) -> None:
        self.queue = queue
        self.before = Totals()
        """At the start of the present period."""
        self.active_at = now
        self.points: deque[Point] = deque(maxlen=POINTS_KEPT)


class QueueMetrics:
    """The metrics of all queues of one service."""

    def __init__(self, service: QueueService, clock: Clock, *, time_lapse: float = 1.0) -> None:
        """`time_lapse=20` makes the minute three seconds long. The first period begins now."""
        if not 0.01 <= time_lapse <= 1_000:
            raise ValueError(f"time_lapse={time_lapse} is outside 0.01 to 1,000")
        self.period_s = PERIOD_S / time_lapse
        self._active_s = ACTIVE_S / time_lapse
        self._service = service
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._started_at = clock.now()
        self._periods = 0
        """So many have ended."""
        service.turn_also(self)

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────

    def touch(self, url: object, now: float) -> None:
        """A call has named this queue, whatever becomes of the call. `url` is as it came, from outside."""
        if type(url) is str:
            record = self._records.get(url.rpartition("/")[2])
            if record is not None:
                record.active_at = now

    def next_event_at(self) -> float:
        """When the present period ends."""
        return self._boundary(self._periods + 1)

    def _boundary(self, number: int) -> float:
        return self._started_at + number * self.period_s

    def turn(self, now: float) -> None:
        """End the present period, if it is over."""
        if now < self.next_event_at():
            return
        self._periods += 1
        at = self._boundary(self._periods)
        for name, queue in self._service.registry.by_name.items():
            record = self._record(name, queue, now)
            if queue.shelves.messages:
                record.active_at = now
            if now - record.active_at <= self._active_s:
                record.points.append(point(queue, record.before, at=at, now=now, period_s=self.period_s))
            record.before = queue.tally.totals
        self._forget_the_deleted(at)

    def _record(self, name: str, queue: StandardQueue, now: float) -> _Record:
        """Return the record of this queue, begun anew when an earlier one had its name."""
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = _Record(queue, now)
        elif record.queue is not queue:
            record.queue, record.before, record.active_at = queue, Totals(), now
        return record

    def _forget_the_deleted(self, at: float) -> None:
        """Drop the records of queues that are gone, once their points are as old as any that is kept."""
        kept_since = at - POINTS_KEPT * self.period_s
        for name in [name for name in self._records if name not in self._service.registry.by_name]:
            points = self._records[name].points
            if not points or points[-1].at <= kept_since:
                del self._records[name]

    # ── what is told ───────────────────────────────────────────────────────────────────────────────────────

    def live(self, url: str) -> Live:
        """Return the figures of this moment. Raises `ServiceFailure` when there is no such queue, as all these do."""
        now = self._clock.now()
        self._service.advance(now)
        queue = self._service.registry.find(url)
        return Live(gauges=gauges(queue, now), totals=queue.tally.totals)

    def points(self, url: str, since: float = -NEVER) -> Sequence[Point]:
        """Return the points of the periods that ended after `since`, the oldest first."""
        record = self._records.get(self._service.registry.find(url).name)
        return [] if record is None else [one for one in record.points if one.at > since]

    def last_point(self, url: str) -> Point | None:
        """Return the point of the period that has just ended; None when there is none for it: data are missing."""
        self._service.advance(self._clock.now())
        points = self.points(url, since=self._boundary(self._periods - 1))
        return points[-1] if points else None

    def wait(self, url: str) -> Percentiles:
        """Return how long messages of the last minute had waited, from being sent to their first receive."""
        return self._service.registry.find(url).tally.wait.percentiles(self._clock.now())

    def total(self, url: str) -> Percentiles:
        """Return how old messages of the last minute were when they were deleted."""
        return self._service.registry.find(url).tally.total.percentiles(self._clock.now())
