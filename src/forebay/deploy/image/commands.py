"""Other programs, run with a list of arguments: what they said and how they ended.

Rules kept here and nowhere else:

1. Arguments are a list and no shell is between. What is secret goes in by standard input, never as an argument.
2. A program that runs for long is heard line by line, without colours and other control codes; the last lines are kept
   for the case that it fails.
3. When we are interrupted the program has been too (a terminal interrupts both): it is waited for, then ended.
"""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

Hear = Callable[[str], None]
"""Is told each line that a program writes."""

_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")

KEPT_LINES = 40
FAREWELL_S = 10.0
"""How long an interrupted program may take to leave."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said to a question."""

    status: int
    text: str
    complaint: str
    """The first line of its standard error, or what kept it from answering."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program that was heard has ended."""

    status: int
    last_lines: tuple[str, ...]


def ask(arguments: Sequence[str], *, within_s: float, environment: Mapping[str, str] | None = None) -> Answer:
    """Run a program that answers at once. One that does not start, or takes longer, answers with status 127."""
    try:
        done = subprocess.run(  # noqa: S603  (a list of ours; no shell)
            list(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within_s,
            check=False,
            env=None if environment is None else dict(environment),
        )
    except subprocess.TimeoutExpired:
        return Answer(127, "", f"no answer within {within_s:g} s")
    except OSError as error:
        return Answer(127, "", error.strerror or type(error).__name__)
    lines = _text(done.stderr).strip().splitlines()
    return Answer(done.returncode, _text(done.stdout), lines[0] if lines else f"status {done.returncode}")


def run(
    arguments: Sequence[str],
    *,
    hear: Hear,
    given: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Ended:
    """Run a program to its end, with `given` as its standard input, and hand each line of its output to `hear`.

    Raises `OSError` when it cannot be started.
    """
    last: deque[str] = deque(maxlen=KEPT_LINES)
    process = subprocess.Popen(  # noqa: S603  (a list of ours; no shell)
        list(arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        cwd=folder,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # One that leaves without reading has a reason: its status and its words tell it.
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(given.encode())
        for line in process.stdout:
            said = _CONTROL.sub("", _text(line)).rstrip()
            last.append(said)
            hear(said)
        return Ended(process.wait(), tuple(last))
    except BaseException:
        _see_off(process)
        raise
    finally:
        process.stdout.close()


def _see_off(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(FAREWELL_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # Whoever interrupts twice waits no longer.
        process.kill()
        process.wait()


def _text(written: bytes) -> str:
    return written.decode("utf-8", errors="replace")
