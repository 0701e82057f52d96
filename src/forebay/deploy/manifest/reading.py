"""From the bytes of a manifest to a tree whose keys and values know their places.

Rules kept here and nowhere else:

1. Plain values are those of YAML 1.2: `true` and `false`, `null` and `~`, decimal numbers. All else is text, also what
   older YAML takes for something else: `yes`, `12:30`, `2026-11-28`, and what begins with 0, such as account ids.
2. A key stands once in its mapping. Tags (`!Ref`) and merge keys (`<<`) are refused; anchors and aliases are not.
3. A file cannot be large, nor become so: its bytes, the values that aliases make of it, and its depth have bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from forebay.deploy.manifest.tree import Entry, Mapping, Node, Place, Scalar, Several, as_word
from forebay.errors import ManifestError

BYTES_MAX = 128 * 1024
VALUES_MAX = 20_000
DEPTH_MAX = 40

_DIGITS = re.compile(r"[-+]?[0-9]+")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,2})?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_PROBLEMS = {
    "cannot start any token": "a tab, or one of @ ` %, cannot begin anything: indent with spaces, quote such a text",
    "mapping values are not allowed": "no key belongs here: mind the indentation; a text with `: ` in it needs quotes",
    "expected <block end>": "this is indented unlike the lines above it",
    "could not find expected ':'": "a key needs `: ` after it",
    "expected ',' or": "a comma or the closing bracket is missing; in brackets a text with ? : , needs quotes",
}
"""Part of what PyYAML says → what to do about it."""


def read(content: bytes, name: str) -> tuple[str, Mapping]:
    """Return the text of a manifest, and what it holds. Raises `ManifestError`: `name`, line, column, sentence."""
    if len(content) > BYTES_MAX:
        raise ManifestError(f"{name}:1:1: {len(content):,} bytes are more than a manifest may have ({BYTES_MAX:,})")
    text = _text(content, name)
    return text, _Reader(name).read(text)


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ManifestError(f"{name}:{line}:{column}: this is not UTF-8 text: save the file as UTF-8") from None


class _Reader:
    """Makes nodes of the parser's events."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._events: Iterator[Any] = iter(())
        self._anchors: dict[str, tuple[Node, int]] = {}
        """Name → the node, and how many values it holds."""
        self._count = 0

    def read(self, text: str) -> Mapping:
        self._events = self._parsed(text)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            self._refuse(Place(1, 1), "the file is empty: `forebay init` writes one to begin with")
        root = self._node(next(self._events), 1)
        if not isinstance(next(self._events), yaml.DocumentEndEvent):
            raise AssertionError("a document ends after its value")
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._refuse(_place(event), "a second document begins here: a manifest is one. Use `environments:`")
        if not isinstance(root, Mapping) or root.at.column > 1:
            self._refuse(root.at, "a manifest is `key: value` lines, not indented, of which `name: …` is the first")
        return root

    def _parsed(self, text: str) -> Iterator[Any]:
        """Yield the parser's events, from the first document on."""
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if not isinstance(event, yaml.StreamStartEvent):
                    yield event
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            place = Place(before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
            self._refuse(place, f"the character U+{error.character:04X} does not belong in a text file")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
            self._refuse(place, _remedy(error.problem or error.context or "this is not YAML"))

    def _node(self, event: Any, depth: int) -> Node:
        place = _place(event)
        if depth > DEPTH_MAX:
            self._refuse(place, f"this is nested more than {DEPTH_MAX} deep")
        self._counted(1, place)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        before = self._count
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, "tag:yaml.org,2002:seq")
            node = self._list(place, depth)
        else:
            self._check_tag(event, "tag:yaml.org,2002:map")
            node = self._mapping(place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._count - before + 1)
        return node

    def _alias(self, event: Any, place: Place) -> Node:
        if event.anchor not in self._anchors:
            self._refuse(place, f"there is no anchor &{as_word(event.anchor)} above")
        node, count = self._anchors[event.anchor]
        self._counted(count, place)
        return node

    def _list(self, place: Place, depth: int) -> Several:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Several(place, tuple(items))

    def _mapping(self, place: Place, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                self._refuse(_place(event), "a key is a single word: a text that begins with { or [ needs quotes")
            if key.text == "<<":
                self._refuse(key.at, "merge keys (<<) are not read: write the keys out, or use `environments:`")
            if (first := entries.get(key.text)) is not None:
                self._refuse(
                    _place(event), f"{as_word(key.text)} stands here again; it is on line {first.at.line} already"
                )
            entries[key.text] = Entry(_place(event), self._node(next(self._events), depth + 1))
        return Mapping(place, entries)

    def _scalar(self, event: Any, place: Place) -> Scalar:
        text: str = event.value
        if event.tag is not None:
            self._check_tag(event, *_TEXT_TAGS)
            return Scalar(place, text, text)
        return Scalar(place, _value(text) if event.style is None else text, text)

    def _check_tag(self, event: Any, *allowed: str) -> None:
        if event.tag is not None and event.tag not in allowed:
            shown = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._refuse(_place(event), f"the tag {as_word(shown)} means nothing here: write the value itself")

    def _counted(self, count: int, place: Place) -> None:
        self._count += count
        if self._count > VALUES_MAX:
            self._refuse(place, f"the file holds more than {VALUES_MAX:,} values, those of its aliases counted")

    def _refuse(self, place: Place, sentence: str) -> NoReturn:
        raise ManifestError(f"{self._name}:{place.line}:{place.column}: {sentence}")


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _value(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _DIGITS.fullmatch(text):
        return int(text) if _INTEGER.fullmatch(text) else text
    return float(text) if _NUMBER.fullmatch(text) else text


def _remedy(problem: str) -> str:
    return next((remedy for part, remedy in _PROBLEMS.items() if part in problem), problem)
