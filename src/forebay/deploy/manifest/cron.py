"""Whether a cron expression is one that EventBridge Scheduler takes. Pure.

Rules kept here and nowhere else:

1. Six fields; exactly one of day-of-month and day-of-week is `?`. Sunday is 1.
2. A complaint names the field, what it may hold, and for five fields, as crontab has them, the line that was meant
   where there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WRAPPED = re.compile(r"cron\((.*)\)")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    """Names for the numbers from `least` on."""
    special: str = r"(?!)"
    """What may stand for the whole field besides lists, ranges and steps."""

    def refusal(self, text: str) -> str | None:
        if re.fullmatch(self.special, text, re.IGNORECASE):
            return None
        for part in text.split(","):
            if not self._takes(part):
                words = f" or {self.words[0]} to {self.words[-1]}" if self.words else ""
                return (
                    f"{self.name} cannot be {text!r}: it is {self.least} to {self.most}{words}, *, a-b, a/n or a list"
                )
        return None

    def _takes(self, part: str) -> bool:
        begin, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and 1 <= int(step) <= self.most):
            return False
        if begin == "*":
            return True
        first, dash, last = begin.partition("-")
        numbers = [self._number(first), *([self._number(last)] if dash else [])]
        return None not in numbers

    def _number(self, text: str) -> int | None:
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.least
        if not (text.isascii() and text.isdigit()):
            return None
        return int(text) if self.least <= int(text) <= self.most else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31, special=r"\?|L|LW|(?:[1-9]|[12][0-9]|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, special=rf"\?|L|(?:[1-7]|{'|'.join(_DAYS)})(?:L|#[1-5])"),
    _Field("year", 1970, 2199),
)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
EXAMPLE = "0 6 * * ? *"
_FORM = f"minute hour day-of-month month day-of-week year, such as `{EXAMPLE}`"


def checked(text: str) -> str:
    """Return the six fields, without `cron(…)` around them. Raises `ValueError`, which says what would do."""
    wrapped = _WRAPPED.fullmatch(text.strip())
    fields = (wrapped[1] if wrapped else text).split()
    if len(fields) != len(_FIELDS):
        meant = _from_crontab(fields)
        hint = f" (as crontab has them; here `{meant}`)" if meant else ""
        raise ValueError(f"EventBridge has six fields, here are {len(fields)}{hint}: {_FORM}")
    for field, value in zip(_FIELDS, fields, strict=True):
        if (refusal := field.refusal(value)) is not None:
            raise ValueError(refusal)
    if (fields[_DAY_OF_MONTH] == "?") == (fields[_DAY_OF_WEEK] == "?"):
        raise ValueError(f"one of day-of-month and day-of-week is `?`, the other is not, such as `{EXAMPLE}`")
    return " ".join(fields)


def _from_crontab(fields: list[str]) -> str | None:
    """Return what five fields mean, where that is plain: crontab counts days from 0, EventBridge from 1."""
    if len(fields) != len(_FIELDS) - 1:
        return None
    minute, hour, day, month, weekday = fields
    if weekday == "*":
        weekday = "?"
    elif day == "*" and re.fullmatch(r"[0-7](?:[-,][0-7])*", weekday):
        day, weekday = "?", re.sub(r"[0-7]", lambda number: _DAYS[int(number[0]) % 7], weekday)
    else:
        return None
    meant = [minute, hour, day, month, weekday, "*"]
    return None if any(field.refusal(value) for field, value in zip(_FIELDS, meant, strict=True)) else " ".join(meant)
