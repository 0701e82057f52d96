"""Sees that no process of a task survives us, however we end: a second process that waits for our end.

`PR_SET_PDEATHSIG` would do for a worker on Linux, but it is not inherited by what the worker starts, and other systems
have nothing like it. So one small process holds the reading end of a pipe whose other end only we have.

Rules kept here and nowhere else:

1. The pipe ends when we do, also by SIGKILL. Then every group that was told of and not taken back is killed.
2. This file runs as a script, without the package around it: it imports the standard library only, and starts fast.
3. Signals that are meant for us do not end the guard before us.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_READ_BYTES = 4096


class Guard:
    """The guard as we see it. It runs from the first need of it until `close()`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def open(self) -> None:
        """Start the guard, if it does not run yet, so that the first group need not wait for it."""
        if self._process is None:
            self._process = _started()

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
            self._process = _started()
            _write(self._process, "".join(f"+{group}\n" for group in sorted(self._groups)))


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own file
        [sys.executable, "-I", "-S", os.path.abspath(__file__)],
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


if __name__ == "__main__":
    main()
