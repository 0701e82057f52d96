"""CPU time and memory of a process and its children, from /proc.

Rules kept here and nowhere else:

1. CPU is user plus system time of every process in the tree, children that have ended included.
2. Where there is no /proc the figures are NaN, which every table shows as "not measured".
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import NamedTuple

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Usage(NamedTuple):
    """What a process tree has used so far."""

    cpu_s: float
    memory_mb: float
    """Resident now. Pages that processes share are counted in each."""
    memory_peak_mb: float

    @classmethod
    def of(cls, process_id: int) -> Usage:
        if not (_PROC / "self").exists():
            return cls(math.nan, math.nan, math.nan)
        parts = [_of_one(one) for one in _tree(process_id)]
        return cls(
            sum(part.cpu_s for part in parts), sum(p.memory_mb for p in parts), sum(p.memory_peak_mb for p in parts)
        )


def _tree(process_id: int) -> list[int]:
    found, waiting = [], [process_id]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for task in _listed(_PROC / str(one) / "task"):
            waiting += [int(child) for child in _text(task / "children").split()]
    return found


def _of_one(process_id: int) -> Usage:
    folder = _PROC / str(process_id)
    fields = _text(folder / "stat").rpartition(")")[2].split()
    if not fields:
        return Usage(0.0, 0.0, 0.0)
    live_s = sum(_run_s(task) for task in _listed(folder / "task"))
    ticks_s = (int(fields[11]) + int(fields[12])) * _TICK_S
    ended_children_s = (int(fields[13]) + int(fields[14])) * _TICK_S
    status = dict(line.split(":", 1) for line in _text(folder / "status").splitlines() if ":" in line)
    # Threads' own clocks are exact to the nanosecond; ticks also know the threads that have ended.
    own_s = live_s if abs(live_s - ticks_s) < 0.1 else ticks_s
    return Usage(own_s + ended_children_s, _mb(status.get("VmRSS", "0 kB")), _mb(status.get("VmHWM", "0 kB")))


def _run_s(task: Path) -> float:
    return int((_text(task / "schedstat") or "0").split()[0]) / 1e9


def _mb(kilobytes: str) -> float:
    return int(kilobytes.split()[0]) / 1024


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # The process or thread has just ended.
