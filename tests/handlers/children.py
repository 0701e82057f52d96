"""Executors with real children, for tests, and what their code says and reports while they run."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.handlers import isolated_jobs
from tests.handlers.collecting import PATIENCE_S, Collected, opened
from tests.processes.harness import wait_for

from forebay import Worker
from forebay.api.children import plans
from forebay.handlers.executor import Blockage
from forebay.handlers.on_process import ProcessExecutor
from forebay.settings import WorkerSettings

QUEUES = ("http://127.0.0.1:1/000000000000/nowhere",)


def is_alive(process_id: int) -> bool:
    """Whether there is such a process that has not ended. A zombie has."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{process_id}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not os.path.isdir("/proc")


class Words(logging.Handler):
    """What handlers log, and what the executor reports; a test waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.reports: list[tuple[str, Mapping[str, object]]] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()

    def report(self, event: str, fields: Mapping[str, object]) -> None:
        with self._changed:
            self.reports.append((event, fields))
            self._changed.notify_all()

    def logged(self, beginning: str, count: int = 1) -> list[str]:
        """Wait until so many messages begin so; return what follows in each."""
        found: list[str] = []

        def look() -> bool:
            messages = [record.getMessage() for record in self.records]
            found[:] = [one.removeprefix(beginning).strip() for one in messages if one.startswith(beginning)]
            return len(found) >= count

        with self._changed:
            assert self._changed.wait_for(look, PATIENCE_S), [record.getMessage() for record in self.records]
        return found

    def reported(self, event: str, count: int = 1) -> list[Mapping[str, Any]]:
        """Wait until the event has been reported so often; return the fields of each."""
        found: list[Mapping[str, Any]] = []

        def look() -> bool:
            found[:] = [fields for name, fields in self.reports if name == event]
            return len(found) >= count

        with self._changed:
            assert self._changed.wait_for(look, PATIENCE_S), self.reports
        return found


class Children:
    """An executor at work with its children, and everything that comes of it."""

    def __init__(self, executor: ProcessExecutor, collected: Collected, words: Words) -> None:
        self.executor = executor
        self.collected = collected
        self.words = words

    def wait_for_room(self, room: int) -> None:
        """Wait until the executor has said that it has this room."""
        self.collected.wait_until(lambda: bool(self.collected.rooms) and self.collected.rooms[-1][1] == room)

    def wait_for_blockage(self) -> Blockage:
        """Ask as the control loop does until some blockage is found."""
        return wait_for(lambda: self.executor.blockage(now=time.monotonic()), "a blockage")

    def wait_for_stack(self, number: int) -> tuple[str, ...]:
        """Ask until the child has said where the attempt stands."""
        return wait_for(lambda: self.executor.stack_of(number) or None, "a stack")


@contextmanager
def children(
    count: int = 1,
    *,
    runs: str = "process",
    slots: int = 4,
    print_out: Callable[[str], object] | None = None,
    worker: Worker = isolated_jobs.worker,
) -> Iterator[Children]:
    """Run the jobs of `worker` in so many children; they are all up at the start of the block."""
    settings = WorkerSettings(processes=2, slots=slots)
    found = plans(worker, worker.registry, settings, QUEUES)
    plan = next(plan for plan in found if runs in plan.kinds)
    slots_each = 1 if runs == "process" else slots // count
    output = {"level": logging.INFO, "takes_prints": print_out is not None}
    plan = replace(
        plan, children=count, slots_each=slots_each, print_out=print_out,
        hello={**plan.hello, "slots": slots_each, "output": output},
    )  # fmt: skip
    words = Words()
    root = logging.getLogger()
    root.addHandler(words)
    executor = ProcessExecutor(worker.registry, plan, report=words.report)
    try:
        with opened(executor) as collected:
            at_work = Children(executor, collected, words)
            at_work.wait_for_room(count * slots_each)
            yield at_work
    finally:
        root.removeHandler(words)
