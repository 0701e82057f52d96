"""What a worker needs of `forebay.yml`, read without a YAML library: its handler, and the section `run:`.

Rules kept here and nowhere else:

1. Only plain `key: value` lines, and lists of plain values, are understood: all that settings need. Anything else in
   the section is refused with its line, never guessed at.
2. Every other section is passed over unread, whatever it looks like; it belongs to other commands. Those read the file
   as YAML, and refuse one that would mean something else here.
3. Each value remembers its line, so that a complaint can name it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from forebay.errors import SettingsError

FILE_NAME = "forebay.yml"
SECTION = "run"
HANDLER = "handler"

_KEY = re.compile(r"(?P<key>[A-Za-z][\w-]*)\s*:(?:\s+(?P<value>.*))?$")
_UNREADABLE = tuple("&*!|>{@`%")
"""A plain value cannot begin with these in YAML."""
_NOTHING = ("", "null", "~")


@dataclass(frozen=True, slots=True)
class Written:
    """A value of the file: one or several texts, and where it stands."""

    values: tuple[str, ...]
    place: str


class UnreadableLine(SettingsError):
    """A line that belongs to a worker's part of the file cannot be read."""

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(f"{_place(number)}: {sentence}")
        self.number = number
        self.sentence = sentence


def read(folder: Path) -> dict[str, Written]:
    """Return the section's values by key (with `-` for `_`); empty when there is no file or no section."""
    return parse(_text(folder))


def handler(folder: Path) -> Written | None:
    """Return the handler that the file names; None when there is no file, or none in it."""
    return handler_in(_text(folder))


def parse(text: str) -> dict[str, Written]:
    """Return the values of the section `run:` of `text`. Raises `SettingsError` naming the line."""
    reader = _Reader()
    for line, number in _lines(text):
        reader.take(line, number)
    return {key: written for key, written in reader.found.items() if written.values}


def handler_in(text: str) -> Written | None:
    """Return the handler that `text` names. Raises `SettingsError` naming the line."""
    found: Written | None = None
    is_open = False
    for line, number in _lines(text):
        match = _KEY.match(line)
        if is_open and line[0] in " \t":
            raise UnreadableLine(number, f"write the handler on the line of its key, as `{HANDLER}: module:attribute`")
        is_open = match is not None and match["key"] == HANDLER
        if match is not None and is_open:
            if found is not None:
                raise UnreadableLine(number, f"{HANDLER} is set twice")
            value = (match["value"] or "").strip()
            found = Written(() if value in _NOTHING else (_scalar(value, number),), _place(number))
    return found if found is not None and found.values else None


def _place(number: int) -> str:
    return f"{FILE_NAME} line {number}"


def _text(folder: Path) -> str:
    try:
        return (folder / FILE_NAME).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{FILE_NAME} cannot be read: {error}") from error


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield each line that says something, without its comment, and its number."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _without_comment(raw)
        if line.strip():
            yield line, number


class _Reader:
    """Takes the lines in order and keeps what the section says."""

    def __init__(self) -> None:
        self.found: dict[str, Written] = {}
        self._is_inside = False
        self._indent: int | None = None
        """How far the section's keys are indented: as far as the first of them."""
        self._open_list: str | None = None

    def take(self, line: str, number: int) -> None:
        indent = len(line) - len(line.lstrip(" "))
        if indent == 0 and line[0] != "\t":
            self._is_inside = _opens_section(line, number)
            self._indent = self._open_list = None
        elif self._is_inside:
            if line[indent] == "\t":
                raise UnreadableLine(number, "indented with a tab, which YAML does not allow")
            content = line.strip()
            if content == "-" or content.startswith("- "):
                self._take_item(content[1:].strip(), number)
            else:
                self._take_key(content, indent, number)

    def _take_item(self, item: str, number: int) -> None:
        if self._open_list is None:
            raise UnreadableLine(number, "a list item that belongs to no key")
        known = self.found[self._open_list]
        self.found[self._open_list] = Written((*known.values, _scalar(item, number)), known.place)

    def _take_key(self, content: str, indent: int, number: int) -> None:
        match = _KEY.match(content)
        if match is None or (self._indent is not None and indent != self._indent):
            raise UnreadableLine(number, f"expected `key: value` under `{SECTION}:`")
        self._indent = indent
        key = match["key"].replace("_", "-")
        if key in self.found:
            raise UnreadableLine(number, f"{key} is set twice")
        value = (match["value"] or "").strip()
        self.found[key] = Written(_values(value, number), _place(number))
        self._open_list = None if value else key


def _opens_section(line: str, number: int) -> bool:
    match = _KEY.match(line.strip())
    if match is None or match["key"] != SECTION:
        return False
    if (match["value"] or "").strip() not in _NOTHING:
        raise UnreadableLine(number, f"`{SECTION}:` holds settings, one on each line below it")
    return True


def _values(value: str, number: int) -> tuple[str, ...]:
    if value in _NOTHING:
        return ()
    if value.startswith("["):
        if not value.endswith("]"):
            raise UnreadableLine(number, "a list in brackets must end on its line")
        return tuple(_scalar(item.strip(), number) for item in value[1:-1].split(",") if item.strip())
    return (_scalar(value, number),)


def _scalar(text: str, number: int) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        if "\\" in text and text[0] == '"':
            raise UnreadableLine(number, "write the value without backslashes")
        return text[1:-1]
    if not text or text.startswith((*_UNREADABLE, "[", '"', "'")) or ": " in text or text.endswith(":"):
        raise UnreadableLine(number, f"{text!r} is not a plain value")
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
