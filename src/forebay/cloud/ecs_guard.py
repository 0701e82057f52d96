"""Sees that no process of a task survives us, however we end: a second process that waits for our end.

`PR_SET_PDEATHSIG` would do for a worker on Linux, but it is not inherited by what the worker starts, and other systems
have nothing like it. So one small process holds the reading end of a pipe whose other end only we have.

Rules kept here and nowhere else:

1. The pipe ends when we do, also by SIGKILL. Then every group that was told of and not taken back is killed.
2. This file runs as a script, without the package around it: it imports the standard library only, and starts fast.
3. Signals that are meant for us do not end the guard before us.
4. A process that left its task's group, as daemons do, is known by the guard's mark among its variables and killed as
   well, where `/proc` shows it (Linux). A container's end would take it along, too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid

_READ_BYTES = 4096
MARK = "FOREBAY_LOCAL_GUARD"
"""The variable that says to which guard's tasks a process belongs."""
LOOKS_MAX = 100
LOOK_S = 0.01
"""Between two looks for marked processes: so long the system may take to end one."""


class Guard:
    """The guard as we see it. It runs from the first need of it until `close()`."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        """The value of `MARK` in every task."""
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def open(self) -> None:
        """Start the guard, if it does not run yet, so that the first group need not wait for it."""
        if self._process is None:
            self._process = _started(self.mark)

    def watch(self, group: int) -> None:
        """See that this process group is killed when we end."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The group has ended; its number may soon be another's."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the guard. It kills what is still watched."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _tell(self, line: str) -> None:
        if self._process is not None:
            try:
                _write(self._process, line)
            except BrokenPipeError:
                self.close()  # Somebody has killed it. The next one is told everything.
            else:
                return
        if self._groups:
            self._process = _started(self.mark)
            _write(self._process, "".join(f"+{group}\n" for group in sorted(self._groups)))


def _started(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own file
        [sys.executable, "-I", "-S", os.path.abspath(__file__), mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )


def _write(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode())


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def main() -> None:
    """Run the guard: read what to watch until our parent has ended, then kill it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    rest = b""
    while read := os.read(0, _READ_BYTES):
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            group = int(line[1:])
            if line.startswith(b"+"):
                groups.add(group)
            else:
                groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # It has ended; macOS says so with EPERM while it is not reaped.
    if len(sys.argv) > 1:
        _kill_marked(f"{MARK}={sys.argv[1]}".encode())


def _kill_marked(variable: bytes) -> None:
    """Kill whoever has this variable, again until nobody is left: one may have begun another meanwhile."""
    if not os.path.isdir("/proc"):
        return
    for _ in range(LOOKS_MAX):
        marked = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _has(pid, variable)]
        if not marked:
            return
        for pid in marked:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue  # It has ended meanwhile.
        time.sleep(LOOK_S)


def _has(pid: int, variable: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as variables:
            return variable in variables.read().split(b"\0")
    except OSError:
        return False  # It has ended, or is another user's. Of one that has ended nothing is left to read.


if __name__ == "__main__":
    main()
