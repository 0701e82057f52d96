"""What the charts show of the past: a ring of points for each service, so that a reload loses nothing.

Rules kept here and nowhere else:

1. A point holds counters' differences as rates over `RATE_WINDOW_S`, and everything else as it stood.
2. The last `FINE_S` are kept as they came. Of what is older, `COARSE_OF` points become one: the rates are averaged, so
   that nothing that was counted disappears, and the rest is the last one's. Beyond `KEPT_S` nothing is kept.
3. Nobody looks: no point is made. The charts show a gap there, not a line through what nobody saw.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from forebay.local.port import Picture, ServiceFigures

COLUMNS = (
    "at_ms",
    "visible",
    "in_flight",
    "delayed",
    "oldest_age_s",
    "arrivals_per_s",
    "completions_per_s",
    "desired",
    "running",
    "busy",
    "protected",
)
"""What the numbers of a point are, in their order."""
RATES = (COLUMNS.index("arrivals_per_s"), COLUMNS.index("completions_per_s"))

PERIOD_S = 0.5
"""Time between two points while somebody looks."""
FINE_S = 120.0
KEPT_S = 600.0
COARSE_OF = 4
RATE_WINDOW_S = 2.0
"""Counters are compared with what they were so long ago: shorter makes needles of a steady stream."""

Point = tuple[float, ...]


class ServiceHistory:
    """The points of one service."""

    def __init__(self) -> None:
        self._fine: deque[Point] = deque()
        self._coarse: deque[Point] = deque(maxlen=round((KEPT_S - FINE_S) / PERIOD_S / COARSE_OF))
        self._leaving: list[Point] = []
        self._counters: deque[tuple[float, int, int]] = deque(maxlen=round(RATE_WINDOW_S / PERIOD_S) + 1)

    def add(self, at_ms: float, service: ServiceFigures) -> Point:
        """Keep the point of this moment, and return it."""
        queue = service["queue"]
        self._counters.append((at_ms, queue["sent"], queue["deleted"]))
        arrivals, completions = self._rates()
        point: Point = (
            at_ms,
            queue["visible"],
            queue["in_flight"],
            queue["delayed"],
            round(queue["oldest_age_s"], 2),
            arrivals,
            completions,
            service["desired"],
            service["running"],
            sum(1 for task in service["tasks"] if task["running_jobs"] > 0),
            service["protected"],
        )
        self._fine.append(point)
        if len(self._fine) > FINE_S / PERIOD_S:
            self._make_coarse(self._fine.popleft())
        return point

    def points(self) -> list[Point]:
        """Return all points, the oldest first."""
        return [*self._coarse, *self._leaving, *self._fine]

    def _rates(self) -> tuple[float, float]:
        """Return arrivals and completions a second. A service made anew under its old name counts from 0 again."""
        newest = self._counters[-1]
        oldest = next((one for one in self._counters if newest[0] - one[0] <= 2_000 * RATE_WINDOW_S), newest)
        passed_s = (newest[0] - oldest[0]) / 1_000
        if passed_s <= 0:
            return 0.0, 0.0
        return (
            round(max(0, newest[1] - oldest[1]) / passed_s, 1),
            round(max(0, newest[2] - oldest[2]) / passed_s, 1),
        )

    def _make_coarse(self, point: Point) -> None:
        self._leaving.append(point)
        if len(self._leaving) == COARSE_OF:
            self._coarse.append(merged(self._leaving))
            self._leaving = []


def merged(points: Sequence[Point]) -> Point:
    """Return one point for several that follow each other."""
    last = points[-1]
    return tuple(
        round(sum(point[column] for point in points) / len(points), 1) if column in RATES else last[column]
        for column in range(len(last))
    )


class History:
    """The points of all services that there are."""

    def __init__(self) -> None:
        self._services: dict[str, ServiceHistory] = {}
        self._began_ms: float | None = None

    def add(self, picture: Picture) -> dict[str, Point]:
        """Keep a point for each service of the picture, forget the services that are gone; return the points."""
        if self._began_ms is None:  # Once: the time of day may be told in whole seconds, and may be set anew.
            self._began_ms = datetime.fromisoformat(picture["at_utc"]).timestamp() * 1_000 - picture["up_s"] * 1_000
        at_ms = round(self._began_ms + picture["up_s"] * 1_000)
        services = {service["name"]: service for service in picture["services"]}
        self._services = {name: self._services.get(name) or ServiceHistory() for name in services}
        return {name: self._services[name].add(at_ms, service) for name, service in services.items()}

    def points(self) -> dict[str, list[Point]]:
        """Return the points of every service."""
        return {name: kept.points() for name, kept in self._services.items()}
