"""Runs the installed command line as a user does: a real process, its own folder, only the variables it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0


def forebay() -> list[str]:
    """The command line of this interpreter's environment."""
    return [str(Path(sys.executable).parent / "forebay")]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


def surroundings(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a child: this process's, of which the tests' conftest has removed what could leak in."""
    return {**os.environ, **(extra or {})}


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "", prefix: Sequence[str] = ()
) -> Ran:
    """Run `forebay ARGUMENTS` to its end."""
    done = subprocess.run(
        [*(prefix or forebay()), *arguments],
        cwd=cwd,
        env=surroundings(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
