"""One task of the local ECS as an operating-system process: started, listened to, signalled, and cleaned up after.

Rules kept here and nowhere else:

1. A task is a session of its own with nothing to read; SIGTERM goes to its first process, as to process 1 of a
   container, while freezing and killing mean everything that it has started.
2. When the first process has ended the rest is killed, what is left in the pipe is read, and only then the end is told.
3. A chatty task waits for us, never we for it: a turn of the loop reads one piece of at most `READ_BYTES`.
4. The process is reaped by us, and no signal is sent to its number afterwards.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forebay.cloud.ecs_guard import Guard
from forebay.cloud.ecs_process_end import ProcessEnd
from forebay.cloud.ecs_task_log import LineSplitter, TaskLog

READ_BYTES = 64 * 1024
READ_AT_END_MAX_BYTES = 4 * 1024 * 1024
"""Of what is left in the pipe. A pipe holds less; only who has left the task's session can still write into it."""

OnLine = Callable[[str, bytes], None]
"""Gets the task's id and one line without its end."""
OnExit = Callable[[str, int], None]
"""Gets the task's id and its exit code; a negative one is a signal's number."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a task has used until its end."""

    cpu_s: float
    memory_peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommand:
    """What is run in a task."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path | None = None
    """The working directory; None: ours."""


class TaskProcess:
    """The process of one task. Lives on the running asyncio loop."""

    def __init__(self, task_id: str, log: TaskLog, *, guard: Guard, on_line: OnLine, on_exit: OnExit) -> None:
        self.task_id = task_id
        self.log = log
        self.pid: int | None = None
        """The number of the first process; None before its start."""
        self.exit_code: int | None = None
        """None while it runs. A negative one is a signal's number."""
        self.usage: Usage | None = None
        """Known when it has ended."""
        self.is_frozen = False
        self.command: TaskCommand | None = None
        """What runs; None before its start."""
        self._guard = guard
        self._on_line = on_line
        self._on_exit = on_exit
        self._lines = LineSplitter()
        self._pipe = -1
        self._end: ProcessEnd | None = None

    @property
    def is_running(self) -> bool:
        return self.pid is not None and self.exit_code is None

    def start(self, command: TaskCommand) -> None:
        """Start the process. Raises OSError when that cannot be done."""
        assert self.pid is None, "started twice"
        self.command = command
        self._guard.open()
        self._pipe, writing = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: S603 - running the user's command is what this is for
                list(command.arguments),
                env=dict(command.environment),
                cwd=command.folder,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(writing)
        process.returncode = 0  # It is reaped here, not by Popen, which would warn that it still runs.
        try:
            self._guard.watch(process.pid)
        except OSError:  # No guard can be had: then no task either, for nobody would end it after us.
            os.killpg(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
            os.close(self._pipe)
            raise
        self.pid = process.pid
        os.set_blocking(self._pipe, False)
        asyncio.get_running_loop().add_reader(self._pipe, self._read_piece)
        self._end = ProcessEnd(process.pid, self._ended)

    # ── signals ────────────────────────────────────────────────────────────────────────────────────────────

    def terminate(self) -> None:
        """Send SIGTERM to the first process, if it still runs."""
        if self.is_running:
            assert self.pid is not None
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to everything in the task, if it still runs."""
        self._signal_all(signal.SIGKILL)

    def freeze(self, is_frozen: bool) -> None:
        """Hold everything in the task still, or let it go on. A frozen task ends by SIGKILL only."""
        if self.is_running and is_frozen != self.is_frozen:
            self.is_frozen = is_frozen
            self._signal_all(signal.SIGSTOP if is_frozen else signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        if self.is_running:
            assert self.pid is not None
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return  # Everything has ended and is on its way to us; macOS says so with EPERM.

    # ── output ─────────────────────────────────────────────────────────────────────────────────────────────

    def _read_piece(self) -> int:
        """Hand over what one read brings; return how many bytes that was."""
        try:
            read = os.read(self._pipe, READ_BYTES)
        except BlockingIOError:
            return 0
        if read:
            self._hand_over(self._lines.feed(read))
        else:
            self._close_pipe()  # The task has closed its output, and may well work on.
        return len(read)

    def _hand_over(self, lines: list[bytes]) -> None:
        self.log.add(lines)
        for line in lines:
            self._on_line(self.task_id, line)

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            asyncio.get_running_loop().remove_reader(pipe)
            os.close(pipe)

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────

    def _ended(self) -> None:
        """The first process has ended, and is not reaped yet: its number cannot be another's."""
        assert self.pid is not None
        self._signal_all(signal.SIGKILL)  # As the kernel does with a container whose process 1 has ended.
        self.exit_code, self.usage = _reaped(self.pid)
        self._guard.forget(self.pid)
        self.is_frozen = False
        try:
            self._read_rest()
        finally:  # Whatever becomes of the last lines: whoever waits for the end is told of it.
            self._close_pipe()
            self.log.close()
            self._on_exit(self.task_id, self.exit_code)

    def _read_rest(self) -> None:
        left_bytes = READ_AT_END_MAX_BYTES
        while self._pipe >= 0 and left_bytes > 0 and (read_bytes := self._read_piece()):
            left_bytes -= read_bytes
        self._hand_over(self._lines.end())


def _reaped(pid: int) -> tuple[int, Usage | None]:
    """Return the exit code and what was used; the process is gone then."""
    try:
        _, status, used = os.wait4(pid, 0)
    except ChildProcessError:
        return 255, None  # Somebody else in this program has reaped it. That it ended is all that we know.
    # `getrusage(2)` counts in KiB; macOS in bytes.
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return os.waitstatus_to_exitcode(status), Usage(used.ru_utime + used.ru_stime, used.ru_maxrss * unit_bytes)
