"""A manifest as it stands in the file: every key and value with its place. Pure.

Rules kept here and nowhere else:

1. Where the text is what counts (variables, tags, build arguments, `run:`), a plain value stays as it is written:
   `1.10` is no number there, and `yes` is no truth.
2. A key with an empty value counts as not given, so that a section of comments alone is none. What a job or a policy
   carries is kept whole.
3. What may be secret is named nowhere: no complaint shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
"""Keys and list indices, from the outermost."""


class Place(NamedTuple):
    """Line and column of the file, each counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value."""

    at: Place
    value: str | int | float | bool | None
    text: str
    """As it is written, without quotes."""


@dataclass(frozen=True, slots=True)
class Several:
    """A list."""

    at: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value."""

    at: Place
    """Where the key stands."""
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in the order of the file."""

    at: Place
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])


Node = Scalar | Several | Mapping

WORD_CHARACTERS_MAX = 60

AS_WRITTEN: tuple[Path, ...] = (("variables",), ("tags",), ("image", "build", "args"), ("run",))
FREE: tuple[Path, ...] = (("schedules", "*", "body"), ("topics", "*", "filter"), ("permissions", "*", "conditions"))
"""What is handed on as it is: to a job, to SNS, to IAM."""
PRIVATE: tuple[Path, ...] = (("variables",), ("secrets",), ("image", "build", "args"), ("schedules", "*", "body"))


def is_within(path: Path, parts: Sequence[Path]) -> bool:
    """Say whether `path` is one of these parts of a manifest, or inside of one. `*` stands for any key or index."""
    return any(
        len(path) >= len(part) and all(ours in ("*", given) for ours, given in zip(part, path, strict=False))
        for part in parts
    )


def plain(node: Node, path: Path = ()) -> Any:
    """Return what stands in the file as dictionaries, lists and single values."""
    match node:
        case Scalar():
            return node.text if node.value is not None and is_within(path, AS_WRITTEN) else node.value
        case Several():
            return [plain(item, (*path, index)) for index, item in enumerate(node.items)]
        case Mapping():
            keeps_all = is_within(path, (*FREE, ("variables",), ("secrets",)))
            return {
                key: plain(entry.node, (*path, key))
                for key, entry in node.entries.items()
                if keeps_all or not is_empty(entry.node)
            }


def as_word(text: str) -> str:
    """Return a key as it may stand in a sentence: a long one is cut, what no terminal should get is escaped."""
    shown = text if len(text) <= WORD_CHARACTERS_MAX else text[:WORD_CHARACTERS_MAX] + "…"
    return shown if shown.isprintable() and shown else repr(shown)


def is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


@dataclass(frozen=True, slots=True)
class Found:
    """How far into a tree a path leads."""

    path: Path
    """The part of it that is there."""
    at: Place
    """The key of what was found, or the value where it has none."""
    node: Node


def find(root: Node, path: Path) -> Found:
    """Return the innermost node on the way to `path` that the file has."""
    found = Found((), root.at, root)
    for part in path:
        match found.node:
            case Mapping(entries=entries) if part in entries:
                entry = entries[str(part)]
                found = Found((*found.path, part), entry.at, entry.node)
            case Several(items=items) if isinstance(part, int) and part < len(items):
                found = Found((*found.path, part), items[part].at, items[part])
            case _:
                break
    return found
