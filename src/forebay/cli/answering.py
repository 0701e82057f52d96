"""Questions at a terminal, each with a suggestion; or, without one, what options have answered.

Rules kept here and nowhere else:

1. An answer that will not do is asked for again, with the reason; an option that will not do ends with status 2.
2. Without a terminal nothing is asked: `--yes` takes the suggestions, and what is then open is named.
3. Questions go to standard error. Ctrl-C and the end of input answer nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import typer

from forebay import platform
from forebay.cli import console
from forebay.errors import ManifestError

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is asked."""

    takes_suggestions: bool
    """`--yes`: nobody; each suggestion is taken."""

    @property
    def is_interactive(self) -> bool:
        return not self.takes_suggestions and platform.is_terminal(sys.stdin) and platform.is_terminal(sys.stderr)

    def answer(
        self,
        option: str,
        given: str | None,
        question: str,
        suggestion: str | None,
        read: Callable[[str], Answer],
    ) -> Answer:
        """Return the option's value, else the suggestion or what is answered, as `read` takes it.

        `read` raises `ValueError` with the reason for what will not do.
        """
        if given is not None:
            return self.checked(option, given, read)
        if self.is_interactive:
            return self._asked(question, suggestion, read)
        if self.takes_suggestions and suggestion is not None:
            return self.checked(option, suggestion, read)
        raise ManifestError(f"there is no terminal to ask at: give {option}, or --yes for what would be suggested")

    def checked(self, option: str, text: str, read: Callable[[str], Answer]) -> Answer:
        """Return what an option says."""
        try:
            return read(text)
        except ValueError as error:
            raise ManifestError(f"{option} {text}: {error}") from None

    def choice(self, option: str, question: str, choices: Sequence[str], other: Callable[[str], str]) -> str:
        """Return one of the choices, the first of which is suggested, or what `other` reads of another answer."""
        if not self.is_interactive:
            if self.takes_suggestions and choices:
                return choices[0]
            raise ManifestError(f"there is no terminal to ask at: give {option}, or --yes for what would be suggested")
        console.remark(question)
        for number, choice in enumerate(choices, start=1):
            console.remark(f"  {number}  {choice}")

        def read(text: str) -> str:
            if text.isdecimal() and 1 <= int(text) <= len(choices):
                return choices[int(text) - 1]
            if text.isdecimal():
                raise ValueError(f"answer with a number from 1 to {len(choices)}")
            return other(text)

        return self._asked("Which one?", "1", read)

    def agrees(self, question: str) -> bool:
        """Return whether the answer is yes. Nobody there: no."""
        return self.is_interactive and typer.confirm(question, default=False, err=True)

    def _asked(self, question: str, suggestion: str | None, read: Callable[[str], Answer]) -> Answer:
        while True:
            text: str = typer.prompt(question, default=suggestion, err=True, prompt_suffix=" ")
            try:
                return read(text.strip())
            except ValueError as error:
                console.remark(f"  {error}")
