"""Small programs that stand for workers in tests of the local ECS, and one process of a task with what it told."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from forebay.cloud.ecs_guard import Guard
from forebay.cloud.ecs_task_log import TaskLog
from forebay.cloud.ecs_tasks import TaskCommand, TaskProcess

PATIENCE_S = 30.0
"""The bound of every wait; a passing test never reaches it."""

PRELUDE = "import os,signal,sys,time\ndef say(*words): print(*words,flush=True)\n"

IDLE = "say('ready')\nsignal.pause()\n"
"""Runs until a signal ends it."""
LEAVES_ON_SIGTERM = "signal.signal(signal.SIGTERM,lambda *_:sys.exit(0))\nsay('ready')\nwhile True: signal.pause()\n"
STUBBORN = "signal.signal(signal.SIGTERM,signal.SIG_IGN)\nsay('ready')\nwhile True: signal.pause()\n"
"""Ends by SIGKILL only."""


def program(text: str) -> list[str]:
    """The command that runs `text`; the interpreter starts fast without site packages."""
    return [sys.executable, "-I", "-S", "-c", PRELUDE + text]


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


@dataclass
class Heard:
    """What a task process has told."""

    lines: list[str] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_line(self, _task_id: str, line: bytes) -> None:
        assert not self.exits, "a line after the end"
        self.lines.append(line.decode())
        self.news.set()

    def on_exit(self, _task_id: str, exit_code: int) -> None:
        self.exits.append(exit_code)
        self.news.set()

    async def line(self, text: str) -> None:
        """Wait until the task has written this line."""
        await self._until(lambda: text in self.lines, text)

    async def exit(self) -> int:
        """Wait for the end; return the exit code."""
        await self._until(lambda: bool(self.exits), "the end")
        return self.exits[0]

    async def _until(self, condition: object, what: str) -> None:
        assert callable(condition)
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.news.clear()
                await self.news.wait()


class Task:
    """One task process and its guard, for the length of a block."""

    def __init__(self, text: str, *, file: Path | None = None) -> None:
        self.heard = Heard()
        self.guard = Guard()
        self.log = TaskLog(file)
        self.process = TaskProcess(
            "task-1", self.log, guard=self.guard, on_line=self.heard.on_line, on_exit=self.heard.on_exit
        )
        self._command = TaskCommand(arguments=program(text), environment=environment())

    async def __aenter__(self) -> Task:
        self.process.start(self._command)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.kill()
        await self.heard.exit()
        self.guard.close()


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
