"""What is known of the death of a child, and whose doing it was.

Rules kept here and nowhere else:

1. Only the attempt that the process died of is blamed. Where that cannot be known, all that it ran are.
2. The stack is what Python wrote in its last moment: files, lines and functions, no values.
3. A guess is worded as one: SIGKILL has no sender.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from forebay.handlers.child_process import Death
from forebay.handlers.crash_board import noted
from forebay.handlers.frames import told_places
from forebay.model import Crashed

OUT_OF_MEMORY = 86
"""The exit status of a child that cannot go on at its memory limit."""
PIPE_CLOSED = 87
"""The exit status of a child whose pipe has been closed from within."""

_OWN_WORDS = {
    OUT_OF_MEMORY: "no memory left under the job's limit",
    PIPE_CLOSED: "the code has closed the pipe between the process and its worker",
}
_THREAD = re.compile(r"^(Current thread|Thread) 0x([0-9a-f]+)")
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')
_FATAL = re.compile(r"^Fatal Python error: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Told:
    """What Python wrote about a death."""

    error: str
    """Such as `Segmentation fault`; empty when nothing was written."""
    thread: int | None
    """The thread in which it happened."""
    stack: tuple[str, ...]
    """Where that thread stood: `file:line function`, outermost first."""


def read_dump(dump: str) -> Told:
    """Read what `faulthandler` has written. What cannot be read is left out."""
    fatal = _FATAL.search(dump)
    thread: int | None = None
    frames: list[tuple[str, int, str]] = []
    for line in dump.splitlines():
        begins = _THREAD.match(line)
        if begins is not None:
            if thread is not None:
                break  # The threads that follow are bystanders.
            if begins[1] == "Current thread":
                thread = int(begins[2], 16)
        elif thread is not None and (frame := _FRAME.match(line)) is not None:
            frames.append((frame[1], int(frame[2]), frame[3]))
    return Told(fatal[1] if fatal is not None else "", thread, told_places(frames[::-1]))


def crashed(death: Death, told: Told, *, trouble: str | None = None, log_tail: Sequence[str] = ()) -> Crashed:
    """Return the outcome of the attempt that a process died of."""
    return Crashed(
        exit_code=death.exit_code,
        reason=reason_of(death, told, trouble=trouble),
        peak_memory_bytes=death.peak_memory_bytes,
        stack=told.stack,
        log_tail=tuple(log_tail),
        signal=signal_name(death.exit_code),
    )


def reason_of(death: Death, told: Told, *, trouble: str | None = None) -> str:
    """Return in a few words what is known of the cause. `trouble` is what we have killed it for, if we have."""
    if trouble is not None:
        return trouble
    if death.was_out_of_memory:
        return "killed by the kernel: the container was out of memory"
    if death.exit_code == -signal.SIGKILL:
        return "killed from outside, perhaps by the kernel for want of memory"
    if death.exit_code in _OWN_WORDS:
        return _OWN_WORDS[death.exit_code]
    if told.error:
        return told.error
    if death.exit_code < 0:
        return signal.strsignal(-death.exit_code) or "ended by a signal"
    return "the process left by itself"


def signal_name(exit_code: int) -> str | None:
    """Return the name of the signal that a process died of, None if it was none."""
    if exit_code >= 0:
        return None
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


def blamed(death: Death, told: Told, running: Collection[int]) -> frozenset[int]:
    """Return which of the attempts that ran the process died of: one, where that is known."""
    everyone = frozenset(running)
    if told.thread is None:
        return everyone
    notes = [(thread, number) for thread, number in noted(death.board) if number in everyone]
    theirs = frozenset(number for thread, number in notes if thread == told.thread)
    # Those of other threads had no part in it. What left no note ran on an event loop, and may have been the one.
    return theirs or (everyone - {number for _, number in notes}) or everyone
