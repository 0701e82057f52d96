"""One child process as the operating system sees it: spawned, watched, killed with all that it started, and reaped.

Rules kept here and nowhere else:

1. Spawned, never forked: a fork of a process with threads may hang in any lock that one of them held.
2. A child leads a group of its own. A kill takes whatever it has started, and a terminal's Ctrl-C does not reach it.
3. Its number is not given back to the system (`wait4`) before the group is dead, so that no kill ever hits a stranger.
4. Where the code stood when it died, Python itself writes into a file that has no name and that only we two have.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forebay.cgroups import oom_kills
from forebay.handlers.crash_board import BOARD_BYTES
from forebay.platform import descriptor_of_process

DUMP_BYTES_MAX = 64 * 1024
GROUP_END_S = 0.2
"""How long the system may take to end what was killed together with a child."""

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` counts in."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended. Negative codes are signals."""

    exit_code: int
    peak_memory_bytes: int | None
    dump: str
    """What Python wrote about it, if it still could."""
    board: bytes
    """Which thread did which attempt: `crash_board`."""
    was_out_of_memory: bool
    """The kernel has killed some process of our container for want of memory since this one was started."""


class ChildProcess:
    """A running child. All but `kill` is called by one thread."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        """Start `python -m module SOCKET POST_MORTEM PARENT`. Raises `OSError` where the system has no more to give."""
        ours, theirs = socket.socketpair()
        post_mortem = -1
        try:
            post_mortem = _nameless_file()
            self.pid = _spawn(module, theirs.fileno(), post_mortem, environment)
        except BaseException:
            ours.close()
            if post_mortem >= 0:
                os.close(post_mortem)
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self.socket = ours
        self.descriptor = descriptor_of_process(self.pid)
        """Readable when the process has ended; None where the system has no such thing."""
        self._post_mortem = post_mortem
        self._oom_kills = oom_kills()
        self._is_reaped = False
        self._reaping = threading.Lock()

    def kill(self) -> None:
        """End the process, and what it has started that has not left its group, at once. From any thread."""
        with self._reaping:
            if not self._is_reaped:
                self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # Nobody is left in it (macOS denies where only a zombie is).

    def reap(self) -> Death | None:
        """Return how the process ended, once; None while it lives. What is left of its group is killed."""
        with self._reaping:
            assert not self._is_reaped
            if not _has_ended(self.pid):
                return None
            self._kill_group()
            self._is_reaped = True
            try:
                _, status, usage = os.wait4(self.pid, 0)
            except ChildProcessError:
                # Somebody else waits for every child of this process, or SIGCHLD is ignored.
                return self._death(0, None)
        _outlast_group(self.pid)
        return self._death(os.waitstatus_to_exitcode(status), usage.ru_maxrss * _MAXRSS_BYTES)

    def _death(self, exit_code: int, peak_memory_bytes: int | None) -> Death:
        board = os.pread(self._post_mortem, BOARD_BYTES, 0)
        dump = os.pread(self._post_mortem, DUMP_BYTES_MAX, BOARD_BYTES).decode("utf-8", "replace")
        was_out_of_memory = exit_code == -signal.SIGKILL and oom_kills() > self._oom_kills
        return Death(exit_code, peak_memory_bytes, dump, board, was_out_of_memory)

    def close(self) -> None:
        """Give back what the system lent us for it. Not before it has been reaped."""
        assert self._is_reaped
        self.socket.close()
        os.close(self._post_mortem)
        if self.descriptor is not None:
            os.close(self.descriptor)


def _spawn(module: str, pipe: int, post_mortem: int, environment: Mapping[str, str]) -> int:
    # Numbers that neither has: what is duplicated there outlives the `exec`, and nothing else of ours does.
    first = max(pipe, post_mortem) + 1
    # Without -P the working directory would come first when modules are looked for, before Python's own: a `signal.py`
    # of the program's would be ours. The child is told the worker's own path (`hello`).
    command = [sys.executable, *_interpreter_flags(), "-P", "-m", module, str(first), str(first + 1), str(os.getpid())]
    return os.posix_spawn(
        sys.executable,
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, pipe, first),
            (os.POSIX_SPAWN_DUP2, post_mortem, first + 1),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        ],
        setsid=True,
        setsigmask=(),
        # What we ignore would be ignored by the child, too: without SIGCHLD it cannot tell how its own programs ended.
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD),
    )


def _interpreter_flags() -> Sequence[str]:
    """Return the options that our interpreter was started with, such as `-X dev` or `-W error`."""
    # Private, but what `multiprocessing` and `test.support` live on.
    found: Callable[[], list[str]] = vars(subprocess)["_args_from_interpreter_flags"]
    return found()


def _nameless_file() -> int:
    """Return the descriptor of a file that is in no folder: in memory where there is such a thing."""
    memfd_create: Callable[[str], int] | None = getattr(os, "memfd_create", None)
    if memfd_create is not None:
        descriptor = memfd_create("forebay-post-mortem")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, BOARD_BYTES)
    return descriptor


def _outlast_group(leader: int) -> None:
    """Wait until what the dead `leader` had started has ended, too, or the system takes too long over it.

    Where we are process 1, as in a container without an init, those are ours now: they must be reaped.
    """
    until = time.monotonic() + GROUP_END_S
    while time.monotonic() < until:
        try:
            os.waitpid(-leader, os.WNOHANG)
        except ChildProcessError:
            try:
                os.killpg(leader, 0)  # No signal, only the question whether anybody is left.
            except (ProcessLookupError, PermissionError):
                return
        time.sleep(0.001)


def _has_ended(pid: int) -> bool:
    """Say whether the process has ended, and leave it to be reaped."""
    waitid: Callable[..., Any] | None = getattr(os, "waitid", None)
    if waitid is None:  # macOS before Python 3.13.
        return _is_zombie(pid)
    try:
        return waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _is_zombie(pid: int) -> bool:
    """As `waitid`, by kqueue: it tells at once of a process that has ended and is not reaped."""
    import select

    kq: Any = select
    queue = kq.kqueue()
    try:
        end = kq.kevent(pid, filter=kq.KQ_FILTER_PROC, flags=kq.KQ_EV_ADD, fflags=kq.KQ_NOTE_EXIT)
        return bool(queue.control([end], 1, 0))
    except ProcessLookupError:
        return True
    finally:
        queue.close()
