"""Reads `planted.txt`: bugs to plant, each one or more replacements of text in a copy of the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Edit(NamedTuple):
    """Replace `old`, whole lines that occur once in `path` below src/forebay, by `new`."""

    path: str
    old: str
    new: str


class Mutant(NamedTuple):
    """One planted bug."""

    name: str
    edits: tuple[Edit, ...]


def _sections(lines: list[str], mark: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what follows each line that begins with `mark`, up to the next one."""
    starts = [index for index, line in enumerate(lines) if line.startswith(mark)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start].removeprefix(mark), lines[start + 1 : end]


def _edit(path: str, lines: list[str]) -> Edit:
    patch = [line for line in lines if not line.startswith("# ")]
    while not patch[-1]:
        patch.pop()
    old = [line[1:] for line in patch if not line.startswith("+")]
    new = [line[1:] for line in patch if not line.startswith("-")]
    return Edit(path, "\n".join(old), "\n".join(new))


def read(text: str) -> tuple[Mutant, ...]:
    """Return the planted bugs that `text` tells of."""
    return tuple(
        Mutant(name, tuple(_edit(path, patch) for path, patch in _sections(lines, "@ ")))
        for name, lines in _sections(text.splitlines(), "= ")
    )


MUTANTS = read((Path(__file__).parent / "planted.txt").read_text(encoding="utf-8"))
