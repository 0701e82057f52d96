"""How the text of a setting becomes a value, wherever it is written: an option, a variable, a line of a file. Pure.

Each function raises `ValueError` whose text says what would do, such as "a whole number".
"""

from __future__ import annotations

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("a number of seconds, such as 25 or 0.5") from None
    if value != value:  # NaN compares unequal to itself, and would slip through every bound.
        raise ValueError("a number of seconds")
    return value


def whole_seconds(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("whole seconds: SQS takes no fractions") from None


def size(text: str) -> int:
    number = text.rstrip("BKMGibkmg ").strip()
    unit = text[len(number) :].strip().upper()
    try:
        return int(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise ValueError("a number of bytes, such as 67108864 or 64MiB") from None


def flag(text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off" | "":
            return False
        case _:
            raise ValueError("true or false")
