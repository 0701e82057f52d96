"""Does the disasters of a schedule to a running local cloud, and writes down what was really done, to whom and when.

Rules kept here and nowhere else:

1. Everything is done by the controls that a person has on the page; lost answers by the control of the local SQS.
2. A disaster of one task meets one that works and that nothing else is being done to. It waits until there is one.
3. Only what can keep a message from being deleted is a deed that explains duplicates; the rest is counted.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

from tests.chaos.disasters import OF_ONE_TASK, Disaster, Kind
from tests.chaos.verdict import Deed

from forebay.local.port import ControlError, LocalCloud, TaskFigures

LOOK_S = 0.2
FEW_TASKS = 2
PATIENCE_S = 30.0
"""For a task to be found that a disaster can meet; tasks start slowly when they all start at once."""
LOST_TIMES = 40
LOST_ANSWERS: Mapping[str, object] = {
    "effect": "drop_after",
    "probability": 0.5,
    "times": LOST_TIMES,
    "operations": ["ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"],
}
"""Carried out, and the connection cut in place of an answer. Not for sends: those are another's concern."""


@dataclass(slots=True)
class Journal:
    """What was done."""

    done: Counter[Kind] = field(default_factory=Counter[Kind])
    deeds: list[Deed] = field(default_factory=list[Deed])
    killed: dict[str, int] = field(default_factory=dict[str, int])
    """Task id → pid of those that we killed."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """What could not be done, by the reason."""


class Havoc:
    """Plays a schedule. Lives on the cloud's loop."""

    def __init__(self, cloud: LocalCloud, rng: Random, *, tasks: int) -> None:
        self.journal = Journal()
        self._cloud = cloud
        self._rng = rng
        self._tasks = tasks
        self._struck: set[str] = set()
        """Ids of tasks to which something was done; no second disaster is wasted on one that is about to end."""

    async def play(self, schedule: Sequence[Disaster]) -> None:
        """Do all of it; return when the last disaster is over."""
        began_at = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for disaster in schedule:
                # Nothing happens between two looks at the schedule.
                await asyncio.sleep(max(0.0, began_at + disaster.at_s - time.monotonic()))  # between two looks
                group.create_task(self._do(disaster))

    async def _do(self, disaster: Disaster) -> None:
        try:
            if disaster.kind in OF_ONE_TASK:
                await self._strike(disaster)
            else:
                await self._spread(disaster)
        except (ControlError, TimeoutError) as error:
            self.journal.left_out[f"{disaster.kind}: {error or 'no task to be found'}"] += 1
        else:
            self.journal.done[disaster.kind] += 1

    # ── what is done to one task ───────────────────────────────────────────────────────────────────────────

    async def _strike(self, disaster: Disaster) -> None:
        async with asyncio.timeout(PATIENCE_S):
            victim = await self._victim()
        task_id, pid = victim["task_id"], victim["pid"]
        assert pid is not None, victim
        self._struck.add(task_id)
        match disaster.kind:
            case Kind.KILL:
                self._cloud.kill(task_id)
                self.journal.killed[task_id] = pid
                now = time.monotonic()
                self.journal.deeds.append(Deed(disaster.kind, pid, now, now, is_end=True))
            case Kind.FREEZE:
                await self._freeze(task_id, pid, disaster.lasts_s)
            case Kind.SPOT:
                self._cloud.interrupt_spot(task_id)
            case _:
                self._cloud.stop_task(task_id)

    async def _freeze(self, task_id: str, pid: int, lasts_s: float) -> None:
        began_at = time.monotonic()
        self._cloud.freeze(task_id, True)
        await asyncio.sleep(lasts_s)  # The disaster itself: it is over between two looks.
        self.journal.deeds.append(Deed(Kind.FREEZE, pid, began_at, time.monotonic()))
        with suppress(ControlError):  # It may have been killed meanwhile: its stop timeout was over.
            self._cloud.freeze(task_id, False)
        self._struck.discard(task_id)

    async def _victim(self) -> TaskFigures:
        """Return a task that runs, one with work if there is any; wait until there is one."""
        while True:
            tasks = [
                task
                for task in self._cloud.picture()["services"][0]["tasks"]
                if task["state"] in ("idle", "busy") and task["task_id"] not in self._struck
            ]
            busy = [task for task in tasks if task["state"] == "busy"]
            if tasks:
                return self._rng.choice(busy or tasks)
            await asyncio.sleep(LOOK_S)  # between two looks

    # ── what is done to all ────────────────────────────────────────────────────────────────────────────────

    async def _spread(self, disaster: Disaster) -> None:
        began_at = time.monotonic()
        match disaster.kind:
            case Kind.HOLE:
                self._cloud.hole(disaster.lasts_s)
                self._note(disaster)
            case Kind.THROTTLE:
                self._cloud.throttle(disaster.lasts_s)
                self._note(disaster)
            case Kind.REFUSAL:
                self._cloud.refuse_protection(disaster.lasts_s)
            case Kind.DEPLOYMENT:
                self._cloud.deploy()
            case Kind.SCALE_IN:
                self._cloud.set_desired(min(FEW_TASKS, self._tasks - 1))
                await asyncio.sleep(disaster.lasts_s)  # The disaster itself: it is over between two looks.
                self._cloud.set_desired(self._tasks)
            case _:
                await self._lose_answers(began_at)

    def _note(self, disaster: Disaster) -> None:
        """Write down a fault that ends by itself, at the cloud's next tick."""
        now = time.monotonic()
        self.journal.deeds.append(Deed(disaster.kind, None, now, now + disaster.lasts_s + 2 * LOOK_S))

    async def _lose_answers(self, began_at: float) -> None:
        """Let answers be lost until the rule is used up; tasks that have little to ask do not use it up in time."""
        url = self._cloud.picture()["endpoint"] + "/_forebay/chaos"
        before = _strikes(await asyncio.to_thread(_call, "GET", url, None))
        await asyncio.to_thread(_call, "POST", url, LOST_ANSWERS)
        ended_at = inf
        while time.monotonic() < began_at + PATIENCE_S:
            if _strikes(await asyncio.to_thread(_call, "GET", url, None)) >= before + LOST_TIMES:
                ended_at = time.monotonic()
                break
            await asyncio.sleep(LOOK_S)  # between two looks
        self.journal.deeds.append(Deed(Kind.LOST_ANSWERS, None, began_at, ended_at))


def _call(method: str, url: str, rule: Mapping[str, object] | None) -> Sequence[Mapping[str, Any]]:
    content = None if rule is None else json.dumps(rule).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=content, method=method), timeout=10) as answer:
        rules: list[dict[str, Any]] = json.loads(answer.read())["rules"]
    return rules


def _strikes(rules: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(rule["struck"]) for rule in rules if rule["effect"] == LOST_ANSWERS["effect"])
