"""A worker process under measurement: started on its core, its output read, ended without leftovers.

Rules kept here and nowhere else:

1. Standard output is a pipe, and it is read: a worker that logs pays for its logs.
2. It is asked to stop twice: once politely, and again because nobody waits for an open long poll here. What is still
   there after `END_S` is killed, and with it everything it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from benchmarks.machine import WORKER_CORE, pinned
from benchmarks.usage import Usage

POLITE_S = 0.3
END_S = 3.0
TAIL_LINES = 30

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""Of our own environment a worker gets only this: settings of who runs the benchmark must not change it."""


class Process:
    """A running worker. Use as a context manager."""

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        core: int = WORKER_CORE,
        takes_input: bool = False,
    ) -> None:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """The last lines that it wrote."""
        self.output_bytes = 0
        self._process = subprocess.Popen(
            pinned(command, core),
            env={**kept, "PYTHONUNBUFFERED": "1", **environment},
            cwd=folder,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def usage(self) -> Usage:
        return Usage.of(self._process.pid)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def wait(self, timeout_s: float) -> int:
        """Wait for its own end; return the exit status."""
        status = self._process.wait(timeout_s)
        self._reader.join(1.0)
        return status

    def end(self) -> None:
        """Ask it to stop; kill what does not."""
        for patience_s in (POLITE_S, END_S):
            if not self.has_ended:
                self._process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience_s)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # Its children too. The group is its own.
        self._process.wait()
        self._reader.join(1.0)

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        rest = b""
        while chunk := os.read(descriptor, 65_536):
            self.output_bytes += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            self.tail.extend(line.decode("utf-8", "replace") for line in lines[-TAIL_LINES:])
        if rest:
            self.tail.append(rest.decode("utf-8", "replace"))
