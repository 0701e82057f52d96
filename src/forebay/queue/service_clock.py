"""What the service's clock shows, learnt from the Date headers of its answers. Pure: times are arguments.

A Date has whole seconds, so each answer says no more than "between D and D + 1". Successive answers narrow that
down. The correction in force is the smallest one that contradicts none of them: zero for a machine that keeps time.
"""

from __future__ import annotations

from datetime import UTC, datetime

_MONTHS = {
    name: number
    for number, name in enumerate("JanFebMarAprMayJunJulAugSepOctNovDec"[i : i + 3] for i in range(0, 36, 3))
}
_DELAY_S = 0.25
"""What an answer may spend on its way after its Date was written."""


def parse_date(value: str) -> float | None:
    """Return an HTTP Date (RFC 9110 section 5.6.7, IMF-fixdate) as seconds of the Unix epoch, or None."""
    parts = value.split()
    if len(parts) != 6 or parts[5] != "GMT" or parts[2] not in _MONTHS:
        return None
    try:
        hour, minute, second = parts[4].split(":")
        moment = datetime(
            int(parts[3]),
            _MONTHS[parts[2]] + 1,
            int(parts[1]),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return moment.timestamp()


class ServiceClock:
    """Learns by how much the service's clock is ahead of this machine's."""

    __slots__ = ("_date", "_date_s", "_high_s", "_low_s")

    def __init__(self) -> None:
        self._date = ""
        self._date_s: float | None = None
        self._low_s = float("-inf")
        self._high_s = float("inf")

    def observe(self, date: str | None, *, utc_s: float) -> None:
        """Take the Date of an answer that arrived at `utc_s` by the machine's wall clock."""
        if date is None:
            return
        if date != self._date:
            self._date, self._date_s = date, parse_date(date)
        if self._date_s is None:
            return
        low_s = self._date_s - utc_s
        high_s = low_s + 1.0 + _DELAY_S
        if low_s > self._high_s or high_s < self._low_s:  # one of the two clocks was set: begin anew
            self._low_s, self._high_s = low_s, high_s
        else:
            self._low_s, self._high_s = max(self._low_s, low_s), min(self._high_s, high_s)

    @property
    def offset_s(self) -> float:
        """Seconds to add to the machine's wall clock. 0 as long as every answer agrees with it."""
        return max(self._low_s, min(self._high_s, 0.0))
