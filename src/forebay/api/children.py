"""How many child processes a run has, and what they are told.

Rules kept here and nowhere else:

1. Isolated jobs share their children. Each job that names its own slots adds as many; all that do not, add as many
   as there are cores.
2. With `processes`, each child has its part of the slots, rounded up: all of them have room for all slots.
3. A child is told what cannot be found out by importing the program: where that is, and what the run decided.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from forebay import platform
from forebay.api.locating import CHILD, whereabouts
from forebay.handlers.children import Report
from forebay.handlers.plan import Plan
from forebay.handlers.registry import Registry, Runs
from forebay.observability.prints import Prints
from forebay.observability.reporter import Reporter
from forebay.settings import WorkerSettings
from forebay.worker.inbox import soon_on_this_loop

if TYPE_CHECKING:
    from forebay.api.worker import Worker


def isolated_children(registry: Registry, *, cores: int) -> int:
    """Return how many children isolated jobs have; 0 when no job is isolated."""
    isolated = [handler for handler in registry if handler.runs == "process"]
    named = sum(handler.slots_max for handler in isolated if handler.slots_max is not None)
    return named + (cores if any(handler.slots_max is None for handler in isolated) else 0)


def isolated_slots(registry: Registry, *, cores: int) -> int | None:
    """Return the slots of a worker that has isolated jobs only: one for each child, or a batch for each. Else None."""
    if any(handler.runs != "process" for handler in registry):
        return None
    largest = max((handler.batch.size for handler in registry if handler.batch is not None), default=1)
    return isolated_children(registry, cores=cores) * largest


def wanted(registry: Registry, settings: WorkerSettings) -> list[tuple[tuple[Runs, ...], int, int]]:
    """Return which children a run has: for each set, the kinds of handlers, how many children, and slots of each."""
    kinds = {handler.runs for handler in registry}
    found: list[tuple[tuple[Runs, ...], int, int]] = []
    if "process" in kinds:
        children = min(isolated_children(registry, cores=platform.cores()), settings.slots)
        found.append((("process",), children, 1))
    shared: tuple[Runs, ...] = tuple(runs for runs in ("loop", "thread") if runs in kinds)
    if shared and settings.processes > 1:
        children = min(settings.processes, settings.slots)
        found.append((shared, children, -(-settings.slots // children)))
    return found


def plans(worker: Worker, registry: Registry, settings: WorkerSettings, queues: Sequence[str]) -> list[Plan]:
    """Return what children a run of `worker` has. Raises `SettingsError` when they could not find the worker."""
    sets = wanted(registry, settings)
    if not sets:
        return []
    print_out = sys.stdout.write if isinstance(sys.stdout, Prints) else None
    hello: dict[str, Any] = {
        "worker": asdict(whereabouts(worker)),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "argv": list(sys.argv),
        "queues": list(queues),
        "output": {"level": logging.getLogger().level, "takes_prints": print_out is not None},
    }
    return [
        Plan(kinds, children, slots, CHILD, {**hello, "kinds": kinds, "slots": slots}, print_out)
        for kinds, children, slots in sets
    ]


def reporting_from_threads(reporter: Reporter) -> Report:
    """Return what reports from any thread, by way of the control loop."""
    soon = soon_on_this_loop()

    def report(event: str, fields: Mapping[str, object]) -> None:
        try:
            soon(lambda: reporter.report(event, fields))
        except RuntimeError:
            return  # The loop has ended: nobody reports any more.

    return report
