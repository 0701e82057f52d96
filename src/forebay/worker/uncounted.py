"""Deliveries that cost a message a receive but no attempt of its own: how long to hide it then, and what to forgive.

Rules kept here and nowhere else:

1. SQS counts every receive. One that we gave back unstarted, or that failed while the job's dependency was broken, is
   not held against the message by this worker. Other workers do not know of it (`retry="resend"` counts exactly).
2. The newest `AT_LEAST` messages are remembered, as in `memory`.
3. A message that has used up half of the receives which its queue allows is hidden ever longer, so that SQS does not
   bury it before it was tried.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from forebay.worker.memory import AT_LEAST

if TYPE_CHECKING:
    from random import Random

DELAY_MAX_S = 60.0
SCARCE_DELAY_MAX_S = 900.0


class Uncounted:
    """How many deliveries of a message count for nothing, by its key (source and id)."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[tuple[str, str], int] = {}
        self._old: dict[tuple[str, str], int] = {}

    def of(self, key: tuple[str, str]) -> int:
        return self._new.get(key) or self._old.get(key, 0)

    def add(self, key: tuple[str, str]) -> None:
        self._new[key] = self.of(key) + 1
        if len(self._new) >= AT_LEAST:
            self._old = self._new
            self._new = {}


def give_back_delay_s(receive_count: int, *, receive_count_max: int | None, least_s: float, rng: Random) -> float:
    """Return for how long to hide a message that cannot start here: whole seconds, at least one and `least_s`.

    Grows with its receives to a minute, and to a quarter of an hour where they run short.
    """
    is_scarce = receive_count_max is not None and 2 * receive_count > receive_count_max
    ceiling_s = SCARCE_DELAY_MAX_S if is_scarce else DELAY_MAX_S
    edge_s = min(2.0 ** min(receive_count - 1, 30), ceiling_s)
    return float(max(1, ceil(max(least_s, edge_s * (0.5 + rng.random() / 2)))))
