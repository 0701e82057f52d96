"""The jobs of the chaos run: each leaves one line in a file of its process, and that line is its effect.

Rules kept here and nowhere else:

1. An effect is one line, appended by one `write` (O_APPEND), as the last thing that the job does: whatever is done to
   the process, the line is there in full or not at all.
2. A line tells who did it: the job's key, the message and its delivery, the process, and when it began and ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from forebay import Context, Worker

FOLDER = "CHAOS_EFFECTS"
"""The variable that names the folder of the files."""
LONG_FROM_MS = 200
"""Jobs that take so long are declared with a timeout that does not fit into the drain, so that they are protected. The
others' timeout fits into a drain of ten seconds."""

worker = Worker("chaos")


class Effect(NamedTuple):
    """One line. Instants are those of the machine's monotonic clock, which all processes share."""

    key: str
    message_id: str
    delivery: int
    """SQS's receive count."""
    pid: int
    began_at: float
    ended_at: float


@worker.job(timeout="5s", attempts=15)
def short(ctx: Context, key: str, ms: int) -> None:
    began_at = time.monotonic()
    time.sleep(ms / 1000)  # It stands for work.
    leave(ctx, key, began_at)


@worker.job(timeout="5s", attempts=15)
async def short_async(ctx: Context, key: str, ms: int) -> None:
    began_at = time.monotonic()
    await asyncio.sleep(ms / 1000)  # It stands for work.
    leave(ctx, key, began_at)


@worker.job(timeout="2m", attempts=15)
def long(ctx: Context, key: str, ms: int) -> None:
    began_at = time.monotonic()
    time.sleep(ms / 1000)  # It stands for work.
    leave(ctx, key, began_at)


@worker.job(timeout="2m", attempts=15)
async def long_async(ctx: Context, key: str, ms: int) -> None:
    began_at = time.monotonic()
    await asyncio.sleep(ms / 1000)  # It stands for work.
    leave(ctx, key, began_at)


def job_of(ms: int, *, is_async: bool) -> str:
    """Return the name of the job that is to take so many milliseconds."""
    return ("long" if ms >= LONG_FROM_MS else "short") + ("_async" if is_async else "")


def leave(ctx: Context, key: str, began_at: float) -> None:
    """Leave the effect of this attempt."""
    effect = Effect(key, ctx.message.message_id, ctx.attempt, os.getpid(), began_at, time.monotonic())
    os.write(_file(), (json.dumps(effect) + "\n").encode())


@cache
def _file() -> int:
    """Open this process's file. Two threads may come first at once: then both files are the same one."""
    path = Path(os.environ[FOLDER]) / f"{os.getpid()}.jsonl"
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def effects_in(folder: Path) -> Iterator[Effect]:
    """Read every effect that was left."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield Effect(*json.loads(line))
