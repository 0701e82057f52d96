"""The section `run:` of `forebay.yml`, read without a YAML library.

Rules kept here and nowhere else:

1. Only plain `key: value` lines, and lists of plain values, are understood: all that settings need. Anything else in
   the section is refused with its line, never guessed at.
2. Every other section is passed over unread; it belongs to other commands.
3. Each value remembers its line, so that a complaint can name it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from forebay.errors import SettingsError

FILE_NAME = "forebay.yml"
SECTION = "run"

_KEY = re.compile(r"(?P<key>[A-Za-z][\w-]*)\s*:(?:\s+(?P<value>.*))?$")
_UNREADABLE = tuple("&*!|>{@`%")
"""A plain value cannot begin with these in YAML."""


@dataclass(frozen=True, slots=True)
class Written:
    """A value of the file: one or several texts, and where it stands."""

    values: tuple[str, ...]
    place: str


def read(folder: Path) -> dict[str, Written]:
    """Return the section's values by key (with `-` for `_`); empty when there is no file or no section."""
    try:
        text = (folder / FILE_NAME).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{FILE_NAME} cannot be read: {error}") from error
    return parse(text)


def parse(text: str) -> dict[str, Written]:
    """Return the values of the section `run:` of `text`. Raises `SettingsError` naming the line."""
    reader = _Reader()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _without_comment(raw)
        if line.strip():
            reader.take(line, f"{FILE_NAME} line {number}")
    return {key: written for key, written in reader.found.items() if written.values}


class _Reader:
    """Takes the lines in order and keeps what the section says."""

    def __init__(self) -> None:
        self.found: dict[str, Written] = {}
        self._is_inside = False
        self._indent: int | None = None
        """How far the section's keys are indented: as far as the first of them."""
        self._open_list: str | None = None

    def take(self, line: str, place: str) -> None:
        indent = len(line) - len(line.lstrip(" "))
        if line[indent] == "\t":
            raise SettingsError(f"{place}: indented with a tab, which YAML does not allow")
        if indent == 0:
            self._is_inside = _opens_section(line, place)
            self._indent = self._open_list = None
        elif self._is_inside:
            content = line.strip()
            if content == "-" or content.startswith("- "):
                self._take_item(content[1:].strip(), place)
            else:
                self._take_key(content, indent, place)

    def _take_item(self, item: str, place: str) -> None:
        if self._open_list is None:
            raise SettingsError(f"{place}: a list item that belongs to no key")
        known = self.found[self._open_list]
        self.found[self._open_list] = Written((*known.values, _scalar(item, place)), known.place)

    def _take_key(self, content: str, indent: int, place: str) -> None:
        match = _KEY.match(content)
        if match is None or (self._indent is not None and indent != self._indent):
            raise SettingsError(f"{place}: expected `key: value` under `{SECTION}:`")
        self._indent = indent
        key = match["key"].replace("_", "-")
        if key in self.found:
            raise SettingsError(f"{place}: {key} is set twice")
        value = (match["value"] or "").strip()
        self.found[key] = Written(_values(value, place), place)
        self._open_list = None if value else key


def _opens_section(line: str, place: str) -> bool:
    match = _KEY.match(line.strip())
    if match is None or match["key"] != SECTION:
        return False
    if (match["value"] or "").strip() not in ("", "null", "~"):
        raise SettingsError(f"{place}: `{SECTION}:` holds settings, one on each line below it")
    return True


def _values(value: str, place: str) -> tuple[str, ...]:
    if not value or value in ("null", "~"):
        return ()
    if value.startswith("["):
        if not value.endswith("]"):
            raise SettingsError(f"{place}: a list in brackets must end on its line")
        return tuple(_scalar(item.strip(), place) for item in value[1:-1].split(",") if item.strip())
    return (_scalar(value, place),)


def _scalar(text: str, place: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        if "\\" in text and text[0] == '"':
            raise SettingsError(f"{place}: write the value without backslashes")
        return text[1:-1]
    if not text or text.startswith((*_UNREADABLE, "[", '"', "'")) or ": " in text or text.endswith(":"):
        raise SettingsError(f"{place}: {text!r} is not a plain value")
    return text


def _without_comment(line: str) -> str:
    """Return the line up to a `#` that stands at its start or after a space, outside of quotes."""
    quote = ""
    for index, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and (index == 0 or line[index - 1] in " [,-:"):
            quote = character
        elif character == "#" and (index == 0 or line[index - 1] in " \t"):
            return line[:index].rstrip()
    return line.rstrip()
