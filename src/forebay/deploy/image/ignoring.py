"""Which files of a folder a build does not send, as `.dockerignore` says it. Pure.

Rules kept here and nowhere else:

1. The rules are Docker's: the last pattern that fits decides, `!` takes back, a folder's pattern holds for all in it.
2. Where a pattern is not understood nothing is left out: a build too many is cheap, a stale image is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of the file."""

    fits: re.Pattern[str]
    takes_back: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """All lines of the file, in their order."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def of(cls, text: str) -> Ignored:
        return cls(tuple(_patterns(text.splitlines())))

    @property
    def takes_back(self) -> bool:
        """Whether something in an ignored folder may be sent all the same."""
        return any(pattern.takes_back for pattern in self.patterns)

    def holds(self, path: str) -> bool:
        """Whether the file at `path` (relative, with slashes) is left out."""
        parts = path.split("/")
        candidates = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        is_left_out = False
        for pattern in self.patterns:
            if pattern.takes_back == is_left_out and any(map(pattern.fits.fullmatch, candidates)):
                is_left_out = not pattern.takes_back
        return is_left_out


def _patterns(lines: Iterable[str]) -> Iterable[Pattern]:
    for line in lines:
        written = line.removeprefix("\ufeff").strip()
        if not written or line.startswith("#"):
            continue
        takes_back = written.startswith("!")
        cleaned = _cleaned(written.removeprefix("!").strip())
        if cleaned and (fits := _expression(cleaned)) is not None:
            yield Pattern(fits, takes_back)


def _cleaned(written: str) -> str:
    """Without `.`, empty parts and the slash at the front, as Docker reads it."""
    parts: list[str] = []
    for part in written.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)


def _expression(pattern: str) -> re.Pattern[str] | None:
    """Go's `filepath.Match` and Docker's `**`, as a regular expression; None for what is no pattern."""
    made: list[str] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**"):
            at += 3 if rest.startswith("**/") else 2
            made.append("(?:.*/)?" if rest.startswith("**/") else ".*")
        elif pattern[at] == "*":
            at += 1
            made.append("[^/]*")
        elif pattern[at] == "?":
            at += 1
            made.append("[^/]")
        elif pattern[at] == "[" and (among := re.match(r"\[(\^?)([^\[\]\\]+)\]", rest)):
            at += among.end()
            made.append(f"[{among[1]}{among[2]}]")
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            made.append(re.escape(pattern[at + 1]))
            at += 2
        else:
            made.append(re.escape(pattern[at]))
            at += 1
    try:
        return re.compile("".join(made), re.DOTALL)
    except re.error:
        return None
