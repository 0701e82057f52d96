"""Questions to whoever sits at the terminal.

Rules kept here and nowhere else:

1. `--yes` answers every question; without it and without a terminal nothing is guessed: the command ends with status 2.
2. Questions go to standard error, so that they stand in no result.
"""

from __future__ import annotations

import sys

from forebay.errors import SettingsError


def confirmed(question: str, *, yes: bool) -> bool:
    """Return whether the answer is yes; anything but y and yes is no."""
    return yes or _answer(f"{question} (y/N) ").lower() in ("y", "yes")


def typed(question: str, word: str, *, yes: bool) -> bool:
    """Return whether exactly `word` was typed."""
    return yes or _answer(f"{question} ") == word


def can_ask() -> bool:
    """Return whether somebody may sit at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def _answer(prompt: str) -> str:
    if not can_ask():
        raise SettingsError(f"{prompt.strip()} There is no terminal to ask at: pass --yes")
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
