"""Everything that depends on the operating system: memory, cores, terminals, and how to leave.

Rules kept here and nowhere else:

1. A container's limits count, not the machine's: `cgroups` are asked before the kernel is.
2. Nothing here fails: what cannot be found out is None, and the caller has a default.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from forebay import cgroups

MIB = 1024 * 1024

BUFFER_BYTES_DEFAULT = 256 * MIB
"""Where no memory limit is known."""

SLOTS_ALL_ASYNC = 100
SLOTS_BLOCKING_MAX = 32
SLOTS_PER_CORE = 4

PARENT_VARIABLE = "FOREBAY_LOCAL_PARENT"
"""Set by `forebay local` and by `forebay run --reload` for their worker."""

RELOADED_VARIABLE = "FOREBAY_RELOADED"
"""Set by `forebay run --reload` for its worker, which then polls for a second at a time, so that it can be replaced."""

_PR_SET_PDEATHSIG = 1
"""`prctl(2)`: the signal to get when the parent dies."""

WINDOWS = "Forebay runs on Linux and macOS; on Windows, run it inside WSL (wsl --install)."


def unsupported() -> str | None:
    """Return why this operating system will not do, in one sentence, or None."""
    return WINDOWS if sys.platform == "win32" else None


def default_slots(*, any_blocking: bool, cores: int) -> int:
    """Return how many messages to hold at once: 100 if every job is `async def`, else min(32, 4 × cores)."""
    assert cores >= 1, cores
    return min(SLOTS_BLOCKING_MAX, SLOTS_PER_CORE * cores) if any_blocking else SLOTS_ALL_ASYNC


def default_buffer_bytes(memory_limit_bytes: int | None) -> int:
    """Return how many bytes of bodies to hold: a quarter of the limit (at least 1 MiB), else 256 MiB."""
    if memory_limit_bytes is None:
        return BUFFER_BYTES_DEFAULT
    return max(MIB, memory_limit_bytes // 4)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Return the smallest memory limit of the cgroups that we are in, or None when there is none."""
    limits = [
        limit
        for folder, name in cgroups.files(root, controller="memory", v2="memory.max", v1="memory.limit_in_bytes")
        if (limit := cgroups.number(cgroups.read(folder / name))) is not None
    ]
    # Version 1 writes "no limit" as a number close to 2**63.
    real = [limit for limit in limits if 0 < limit < 1 << 60]
    return min(real, default=None)


def cores(root: Path = Path("/")) -> int:
    """Return how many cores we may use at once: affinity, then the cgroup's quota, rounded down but at least 1."""
    count = float(_affinity())
    for folder, name in cgroups.files(root, controller="cpu", v2="cpu.max", v1="cpu.cfs_quota_us"):
        quota = cgroups.read(folder / name).split()
        if name == "cpu.max" and len(quota) == 2:
            allowed, period = cgroups.number(quota[0]), cgroups.number(quota[1])
        else:
            allowed, period = (
                cgroups.number(" ".join(quota)),
                cgroups.number(cgroups.read(folder / "cpu.cfs_period_us")),
            )
        if allowed is not None and period and allowed > 0:
            count = min(count, allowed / period)
    return max(1, int(count))


def is_terminal(stream: IO[str] | None) -> bool:
    """Say whether a person looks at `stream`."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def process_id() -> int:
    """Return the operating system's number of this process."""
    return os.getpid()


def exit_status(code: int) -> int:
    """Return the exit status that a shell would show for `code`: negative ones mean that a signal ended the process."""
    return code if code >= 0 else 128 - code


def descriptor_of_process(pid: int) -> int | None:
    """Return a descriptor that is readable when the process has ended; None where the system has no such thing."""
    pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if pidfd_open is None:
        return None
    try:
        return pidfd_open(pid)
    except OSError:
        return None  # A kernel before 5.3, or a sandbox that does not know the call.


def leave_now(status: int) -> NoReturn:
    """End the process without waiting for threads: some user code would not stop. Flush before."""
    os._exit(status)


def leave_within(seconds: float, status: int, *, after: threading.Event | None = None) -> None:
    """End the process with `status` after `seconds`, if it has not ended by itself. They count from `after`, if given.

    The interpreter waits at its end for every thread that is not a daemon, and so for user code that will not stop.
    """

    def leave() -> None:
        if after is not None:
            after.wait()
        time.sleep(seconds)
        os._exit(status)

    threading.Thread(target=leave, name="forebay-leave", daemon=True).start()


def leave_soon_after_the_end(seconds: float, status: int) -> None:
    """As `leave_within`, but count from the moment when the main program has ended, however long it goes on."""
    has_ended = threading.Event()
    # Called before executors' threads are waited for, which `atexit` is not. Private, but there since Python 3.9.
    register = getattr(threading, "_register_atexit", atexit.register)
    register(has_ended.set)
    # Begun now: Python 3.12 begins no thread while it shuts down.
    leave_within(seconds, status, after=has_ended)


def leave_on_termination() -> None:
    """Leave at once with status 0 when SIGTERM comes: nothing has been received yet. In the main thread only.

    Process 1 of a container has no default handling of signals: without this one, SIGTERM would not be noticed.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)


def leave_with_parent(parent: str | None) -> None:
    """See that this process is killed when `parent` (its number, from `PARENT_VARIABLE`) ends; None changes nothing.

    For a worker of `forebay local`, whose queue lives in the parent's memory, and for one that is being developed: it
    must not go on with old code behind the developer's back.
    """
    if not parent:
        return
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch_parent, args=(int(parent),), name="forebay-parent", daemon=True).start()
    if os.getppid() != int(parent):  # It ended before we asked.
        os._exit(1)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGKILL)


def fill_standard_descriptors() -> None:
    """Open the null device wherever standard input, output or error are closed.

    Else the next file or socket takes their number, and what is meant for a terminal goes there. Before all else.
    """
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)  # The system gives the lowest number that is free.
        if descriptor > 2:
            os.close(descriptor)
            return
        os.set_inheritable(descriptor, True)


def line_buffer_prints() -> None:
    """Have `print` write whole lines, so that they do not cut lines of ours in two."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # What the user's code says may hold letters that the terminal's encoding has not.
            reconfigure(line_buffering=True, errors="backslashreplace")


def forgive_broken_output() -> None:
    """Flush what `print` left behind; if nobody can read it, let it go, so that the exit status stays ours.

    Python would otherwise find the broken pipe while it shuts down, and exit with 120.
    """
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def _affinity() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def wants_traceback() -> bool:
    """Whether whoever started us asked to see the whole of a bug of ours (FOREBAY_TRACEBACK=1)."""
    return bool(os.environ.get("FOREBAY_TRACEBACK"))
