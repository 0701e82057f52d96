"""Keeps what the local cloud would forget during a long run: every task's end, and the ledger that it left.

Rules kept here and nowhere else:

1. A task's ledger is the last line of its log stream, as anybody could read it; it is read once, after its end.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping

from forebay.local.port import LocalCloud, TaskFigures
from forebay.observability.events import LEDGER

LOOK_S = 0.25
LAST_LINES = 50


class Watch:
    """What was seen of the tasks."""

    def __init__(self) -> None:
        self.ended: dict[str, TaskFigures] = {}
        """Task id → the task as it was when it was first seen stopped."""
        self.ended_at: dict[str, float] = {}
        self.ledgers: dict[str, Mapping[str, int]] = {}
        self.started: set[int] = set()
        """Process ids of the workers that have said that they are ready."""
        self.leases_lost = 0
        self.refusals = 0
        self.internal_errors: list[str] = []
        self.running_most = 0

    def heard(self, line: str, event: Mapping[str, object] | None) -> None:
        """Take notice of a line of a task."""
        match event and event.get("event"):
            case "worker.started":
                assert event is not None
                self.started.add(int(str(event["process_id"])))
            case "lease.lost":
                self.leases_lost += 1
            case "protection.refused":
                self.refusals += 1
            case "internal.error":
                self.internal_errors.append(line.strip())
            case _:
                pass

    async def keep_looking(self, cloud: LocalCloud) -> None:
        while True:
            self.look(cloud)
            await asyncio.sleep(LOOK_S)  # between two looks

    def look(self, cloud: LocalCloud) -> None:
        """Note who has ended since the last look."""
        service = cloud.picture()["services"][0]
        self.running_most = max(self.running_most, service["running"])
        for task in service["tasks"]:
            task_id = task["task_id"]
            if task["state"] != "stopped" or task_id in self.ended:
                continue
            self.ended[task_id] = task
            self.ended_at[task_id] = time.monotonic()
            for line in cloud.log_lines(task_id, LAST_LINES):
                event = json.loads(line) if line.startswith("{") else {}
                if event.get("event") == "worker.stopped":
                    self.ledgers[task_id] = {column: int(event[column]) for column in LEDGER}
