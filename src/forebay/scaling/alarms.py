"""Which minutes have a datapoint, and when so many of them in a row make an alarm.

Rules kept here and nowhere else:

1. An alarm rings while its newest datapoints, as many as it asks for, all breach ("3 datapoints of 3 minutes").
2. Missing minutes are no evidence. An alarm looks back `SPARE` minutes further than it must, so that a lost one costs
   nothing, and knows nothing when even so there are too few (INSUFFICIENT_DATA). CloudWatch does the same ("Configuring
   how CloudWatch alarms treat missing data"); how much further it looks back is not documented for 15 datapoints.
3. A minute has one datapoint: what is read again within it is not counted twice.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

SPARE = 2
"""What CloudWatch's own example looks back beyond 3 datapoints; taken for every alarm here."""

State = Literal["ALARM", "OK", "INSUFFICIENT_DATA"]


class Alarm:
    """Rings when `count` datapoints in a row breach. It is told of each minute whether its datapoint did."""

    __slots__ = ("_minutes", "count")

    def __init__(self, count: int) -> None:
        assert count >= 1, count
        self.count = count
        self._minutes: deque[bool | None] = deque(maxlen=count + SPARE)

    def add(self, breaches: bool | None) -> None:
        """Take in one more minute; None: it has no datapoint."""
        self._minutes.append(breaches)

    def _newest(self) -> list[bool]:
        """The datapoints that count, the newest first."""
        return [minute for minute in reversed(self._minutes) if minute is not None][: self.count]

    @property
    def state(self) -> State:
        newest = self._newest()
        if len(newest) < self.count:
            return "INSUFFICIENT_DATA"
        return "ALARM" if all(newest) else "OK"

    @property
    def breaching(self) -> int:
        """How many of the newest datapoints breach in a row, `count` at most."""
        newest = self._newest()
        return newest.index(False) if False in newest else len(newest)


class Minutes:
    """Numbers the minutes, so that each gets one datapoint and one that has none is noticed."""

    __slots__ = ("_began_at", "_length_s", "_number")

    def __init__(self, length_s: float) -> None:
        assert length_s > 0, length_s
        self._length_s = length_s
        self._began_at: float | None = None
        self._number = 0

    def passed(self, at: float) -> int:
        """Return how many minutes have begun since the last call that returned more than 0: 1 when all is well.

        Readings are late by a little now and then; so the nearest minute counts, not the last that is full.
        """
        if self._began_at is None:
            self._began_at = at
            return 1
        number = math.floor((at - self._began_at) / self._length_s + 0.5)
        passed = max(0, number - self._number)
        self._number += passed
        return passed
