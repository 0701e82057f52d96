"""How long things took within the last minute, as percentiles, at a cost that does not grow with their number.

Rules kept here and nowhere else:

1. Durations are kept as counts in buckets that grow by 4 % each, so a percentile is right to 2 %, or to a millisecond.
2. The last minute is thirty slices of two seconds. Older ones are forgotten, whether anybody asks or not; so "the last
   minute" is 58 to 60 seconds.
3. A percentile is the smallest duration that so large a share of all did not exceed (nearest rank).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from math import ceil, log

WINDOW_S = 60.0
SLICE_S = 2.0
_SLICES = round(WINDOW_S / SLICE_S)

_GROWTH = 1.04
_PER_NATURAL_LOG = 1.0 / log(_GROWTH)
_MIDDLE = 2.0 / (1.0 + _GROWTH)
"""From a bucket's upper edge to the value that is at most 2 % away from either edge."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the last minute, in seconds. None: there was nothing to measure."""

    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None
    count: int = 0


class Latencies:
    """Durations that ended within the last minute."""

    __slots__ = ("_number", "_slice", "_slices")

    def __init__(self) -> None:
        self._number = -1
        self._slice: dict[int, int] = {}
        self._slices: deque[tuple[int, dict[int, int]]] = deque(maxlen=_SLICES)

    def add(self, duration_s: float, now: float, count: int = 1) -> None:
        """Note that something which took `duration_s` has ended at `now`, `count` times."""
        number = int(now / SLICE_S)
        if number != self._number:
            self._number = number
            self._slice = {}
            self._slices.append((number, self._slice))
        bucket = int(log(duration_s * 1000.0) * _PER_NATURAL_LOG) + 1 if duration_s > 0.001 else 0
        self._slice[bucket] = self._slice.get(bucket, 0) + count

    def percentiles(self, now: float) -> Percentiles:
        """Return the percentiles of what ended within the last minute."""
        oldest = int(now / SLICE_S) - _SLICES
        merged: Counter[int] = Counter()
        for number, counts in self._slices:
            if number > oldest:
                merged.update(counts)
        count = merged.total()
        if count == 0:
            return Percentiles()
        ranks = [ceil(share * count / 100) for share in (50, 90, 99)]
        found: list[float] = []
        passed = 0
        for bucket in sorted(merged):
            passed += merged[bucket]
            while len(found) < len(ranks) and passed >= ranks[len(found)]:
                found.append(_seconds(bucket))
        return Percentiles(found[0], found[1], found[2], count)


def _seconds(bucket: int) -> float:
    """The duration that stands for all of a bucket."""
    return 0.0005 if bucket == 0 else _GROWTH**bucket * _MIDDLE / 1000.0
