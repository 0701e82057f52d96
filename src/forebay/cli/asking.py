"""Questions to whoever sits at the terminal.

Rules kept here and nowhere else:

1. `--yes` answers every question; without it and without a terminal nothing is guessed: the command ends with status 2.
2. Questions go to standard error, so that they stand in no result.
"""

from __future__ import annotations

import sys
from typing import Protocol

from forebay import platform
from forebay.errors import SettingsError


class Asking(Protocol):
    """Who answers questions."""

    @property
    def can_answer(self) -> bool:
        """Whether somebody can be asked, or has said yes to everything."""
        ...

    def confirmed(self, question: str) -> bool:
        """Return whether the answer is yes."""
        ...

    def typed(self, question: str, word: str) -> bool:
        """Return whether exactly `word` was typed."""
        ...


class Terminal:
    """The terminal that standard input is, or `--yes`."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    @property
    def can_answer(self) -> bool:
        return self._yes or _has_terminal()

    def confirmed(self, question: str) -> bool:
        """Return whether the answer is yes; anything but y and yes is no."""
        return self._yes or _answer(f"{question} (y/N) ").lower() in ("y", "yes")

    def typed(self, question: str, word: str) -> bool:
        return self._yes or _answer(f"{question} ") == word


def _has_terminal() -> bool:
    return platform.is_terminal(sys.stdin)


def _answer(prompt: str) -> str:
    if not _has_terminal():
        raise SettingsError(f"{prompt.strip()} There is no terminal to ask at: pass --yes")
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
