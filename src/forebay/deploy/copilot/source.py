"""Copilot's manifest while it is converted: every key is taken by somebody, or told. Pure.

Rules kept here and nowhere else:

1. A key that nobody has taken when its section is done becomes a note: nothing is dropped without a word.
2. A value that cannot be what Copilot's schema says is told by its place and kind, never by its text: it may be
   secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forebay.api import durations
from forebay.deploy.copilot.kinds import is_list, is_section
from forebay.deploy.copilot.notes import Notes
from forebay.errors import SettingsError


class Source:
    """One section of the manifest, and which of its keys have been taken."""

    def __init__(self, values: Mapping[str, Any], place: str, notes: Notes) -> None:
        self._left: dict[str, Any] = {str(key): value for key, value in values.items()}
        self.place = place
        self.notes = notes

    def at(self, key: str) -> str:
        """Return the place of a key of this section."""
        return f"{self.place}.{key}" if self.place else key

    def __contains__(self, key: object) -> bool:
        return self._left.get(str(key)) is not None

    def take(self, key: str) -> Any:
        """Return the key's value, whatever it is; None when it is not there or empty, as for Copilot."""
        return self._left.pop(key, None)

    def text(self, key: str) -> str | None:
        """Return a text; numbers become one."""
        value = self.take(key)
        if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            return str(value)
        self._refuse(key, value, "a text")
        return None

    def whole(self, key: str) -> int | None:
        """Return a whole number, which may be written as text."""
        value = self.take(key)
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._refuse(key, value, "a whole number")
        return None

    def flag(self, key: str) -> bool | None:
        """Return true or false."""
        value = self.take(key)
        if isinstance(value, bool):
            return value
        self._refuse(key, value, "true or false")
        return None

    def duration(self, key: str, *, is_whole: bool = True) -> str | None:
        """Return a length of time as it is written; Go's and ours are the same from `ms` up to `h`."""
        value = self.take(key)
        if value == 0 and type(value) is not bool:
            return "0s"
        if isinstance(value, str) and (seconds := _seconds(value)) is not None and not (is_whole and seconds % 1):
            return value.strip()
        self._refuse(key, value, f"a length of time such as 30s, 5m or 1h30m{', in whole seconds' if is_whole else ''}")
        return None

    def section(self, key: str) -> Source | None:
        """Return the section below a key; None when it is not there."""
        value = self.take(key)
        if is_section(value):
            return Source(value, self.at(key), self.notes)
        self._refuse(key, value, "a section of its own")
        return None

    def sections(self, key: str) -> Iterator[Source]:
        """Yield the sections of a list."""
        value = self.take(key)
        if not is_list(value):
            self._refuse(key, value, "a list")
            return
        for index, item in enumerate(value):
            place = f"{self.at(key)}[{index}]"
            if is_section(item):
                yield Source(item, place, self.notes)
            else:
                self.notes.left_out(place, "it is not what Copilot takes there (a section): look at it yourself.")

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield every key that is left with its value; all are taken."""
        left, self._left = self._left, {}
        yield from left.items()

    def done(self) -> None:
        """Tell of every key that nobody has taken."""
        for key, value in self.items():
            if value is not None:
                self.notes.left_out(self.at(key), "Copilot's schema of a Worker Service has no such key.")

    def _refuse(self, key: str, value: object, expected: str) -> None:
        if value is not None:
            self.notes.left_out(self.at(key), f"it is not what Copilot takes there ({expected}): look at it yourself.")


def _seconds(text: str) -> float | None:
    try:
        return durations.seconds("", text)
    except SettingsError:
        return None
