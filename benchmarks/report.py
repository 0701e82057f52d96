"""Tables of figures: on the terminal, in a results file, and between two marks of the README.

Rules kept here and nowhere else:

1. A figure with a target says whether it was met; one that could not be measured says so and meets nothing.
2. A file is replaced as a whole, and only what stands between the marks of the README is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what was promised of it."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    """What was promised; None: nothing, it is told for information."""
    at_least: bool = False
    """Whether `limit` is the least that will do; else it is the most."""
    beside: str = ""
    """What it was measured beside, in words."""

    @property
    def is_met(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def cells(self) -> list[str]:
        if self.limit is None:
            return [self.name, f"{number(self.value)}{self.unit}", "", "", self.beside]
        bound = f"{'≥' if self.at_least else '≤'} {number(self.limit)}{self.unit}"
        if math.isnan(self.value):
            return [self.name, NOT_MEASURED, bound, "?", self.beside]
        return [self.name, f"{number(self.value)}{self.unit}", bound, "yes" if self.is_met else "**no**", self.beside]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self, *, heading: str = "##") -> str:
        lines = [f"{heading} {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [_line(self.columns), "|" + "---|" * len(self.columns), *(_line(row) for row in self.rows)]
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Results:
    """What a whole command measured."""

    made_of: str
    tables: list[Table] = field(default_factory=list[Table])
    figures: list[Figure] = field(default_factory=list[Figure])

    def add(self, table: Table | None, *figures: Figure) -> None:
        if table is not None:
            self.tables.append(table)
        self.figures += figures

    def figures_table(self) -> Table:
        columns = ("figure", "measured", "promised", "met", "beside")
        return Table("Figures, and what was promised", columns, [figure.cells() for figure in self.figures])

    def markdown(self, title: str) -> str:
        parts = [f"# {title}\n", f"{self.made_of}\n"]
        if self.figures:
            parts.append(self.figures_table().markdown())
        return "\n".join([*parts, *(table.markdown() for table in self.tables)])


def number(value: float) -> str:
    """Return a number as people read it: three figures that count, thousands apart."""
    if math.isnan(value):
        return NOT_MEASURED
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write_between_marks(path: Path, text: str) -> None:
    """Replace what stands between the marks of a file. Raises `ValueError` when it has none."""
    whole = path.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path.name} has no {BEGIN} … {END}")
    path.write_text(f"{before}{BEGIN}\n{text.strip()}\n{END}{after}", encoding="utf-8")
