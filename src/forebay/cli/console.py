"""Where a verb's words go: results to standard output, everything about the command itself to standard error."""

from __future__ import annotations

import sys
from typing import IO

from forebay import platform

USAGE_ERROR = 2


def steady() -> None:
    """Write each line at once, so that it stands where it belongs among the lines of a child process.

    A letter that the terminal's encoding has not is written as its code, so that a ✔ ends no command.
    """
    platform.line_buffer_prints()


def tell(line: str) -> None:
    """Write a line of result to standard output."""
    _write(sys.stdout, line)


def remark(line: str) -> None:
    """Write a line to standard error."""
    _write(sys.stderr, line)


def complain(sentence: str, *, status: int = USAGE_ERROR) -> int:
    """Say on standard error what is wrong and return the exit status."""
    remark(f"forebay: {sentence}")
    return status


def _write(stream: IO[str] | None, line: str) -> None:
    if stream is not None:  # None: it was closed before we started.
        stream.write(line + "\n")
