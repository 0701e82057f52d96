"""What the figures were measured on, and which core each side may use.

Rules kept here and nowhere else:

1. The server (and this process, which mostly sleeps) has the first core, the measured worker the last one, where the
   system can pin at all (Linux with two cores or more and `taskset`). The table says whether it could.
2. What a table was made of stands in its first line: commit, versions, interpreter, cores.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HOME = Path(__file__).resolve().parent
REPOSITORY = HOME.parent


def _cores() -> list[int]:
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))


CORES = _cores()
CAN_PIN = len(CORES) >= 2 and shutil.which("taskset") is not None
SERVER_CORE = CORES[0] if CORES else 0
WORKER_CORE = CORES[-1] if CORES else 0


def pin_this_process() -> None:
    """Keep this process and what it reads off the worker's core."""
    if CAN_PIN and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {SERVER_CORE})


def pinned(command: list[str], core: int) -> list[str]:
    """Return `command` bound to one core, where that is possible."""
    return ["taskset", "--cpu-list", str(core), *command] if CAN_PIN else command


def commit() -> str:
    """Return the commit the tree is at, with a mark if it has been changed since."""
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def ask(*arguments: str) -> str:
        return subprocess.run([git, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout

    changed = ask("status", "--porcelain", "--", "src", "benchmarks/*.py", "benchmarks/peers")
    return (ask("rev-parse", "--short=10", "HEAD").strip() or "unknown") + ("+changes" if changed.strip() else "")


def versions(*names: str) -> str:
    """Return `name version` of each distribution that is installed here."""
    told: list[str] = []
    for name in names:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            told.append(f"{name} absent")
    return ", ".join(told)


def described() -> str:
    """Return one line: when, which commit, which interpreter, which machine."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    cores = os.cpu_count() or 1
    pinning = f"server on core {SERVER_CORE}, worker on core {WORKER_CORE}" if CAN_PIN else "not pinned to cores"
    return (
        f"{when} · commit {commit()} · {platform.python_implementation()} {platform.python_version()} · "
        f"{sys.platform} {platform.machine()}, {cores} cores, {pinning} · load {_load()} at the start"
    )


def _load() -> str:
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except OSError:
        return "unknown"
