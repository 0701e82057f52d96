"""A scripted local cloud: the page can be built, looked at and tested without a worker, an SQS server or a wait.

    python -m tests.browser.fake_cloud --port 8480

Rules kept here and nowhere else:

1. Time passes when `advance` is called, and only then. By hand, one second passes in a second.
2. Every control does something that can be seen, and refuses what the real cloud refuses, with `ControlError`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.browser.fake_tasks import STEP_S, FakeService, FakeTask

from forebay.local.page import Page
from forebay.local.port import Comparison, ComparisonSide, ControlError, Picture

BEGAN = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SCALING_PERIOD_S = 3.0
JOBS_A_TASK = 10


class FakeSide:
    """One side of the comparison."""

    def __init__(self, title: str, tasks: int, slots: int, jobs: int, job_ms: int) -> None:
        self.service = FakeService(title, tasks, tasks, slots, desired=tasks)
        self.service.send(jobs, job_ms)
        self.title, self.tasks, self.slots, self.jobs = title, tasks, slots, jobs
        self.points: list[tuple[float, int, int]] = []
        self.waiting: list[tuple[float, int]] = []
        self.finished_after_s: float | None = None

    def step(self) -> None:
        self.service.step()
        now = round(self.service.now, 2)
        live = [task for task in self.service.live() if task.state in ("idle", "busy")]
        self.points.append((now, len(live) * self.slots, sum(len(task.running) for task in live)))
        self.waiting.append((now, len(self.service.waiting)))
        if self.finished_after_s is None and self.service.deleted == self.jobs:
            self.finished_after_s = now

    def figures(self) -> ComparisonSide:
        return {
            "title": self.title,
            "tasks": self.tasks,
            "slots": self.slots,
            "points": self.points[::5],
            "waiting": self.waiting[::5],
            "task_seconds": round(self.service.task_seconds, 1),
            "busy_slot_seconds": round(self.service.busy_seconds, 1),
            "done": self.service.deleted,
            "finished_after_s": self.finished_after_s,
        }


class FakeCloud:
    """The local cloud, scripted."""

    def __init__(self, *, can_send: bool = True, slots: int = 10) -> None:
        self.service = FakeService("worker", 0, 12, slots)
        self.up_s = 0.0
        self.can_send = can_send
        self.is_stopping = False
        self.pictures = 0
        self.log: list[str] = []
        self._rate: tuple[float, int] = (0.0, 0)
        self._owed = 0.0
        self._faults: dict[str, float] = {}
        self._sides: tuple[FakeSide, FakeSide] | None = None
        self._compared = (0, 0)
        self._scale_in_s = SCALING_PERIOD_S

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / STEP_S)):
            self._step()

    def fill(self, tasks: int) -> None:
        """Let so many tasks be at work, with a past: events, decisions, and a minute of latencies."""
        self.service.count_max = self.service.desired = tasks
        self.service.is_scaled = False
        self.service.send(tasks * self.service.slots, 3_600_000)
        self.advance(5)
        for number in range(50):
            self.service.tell(self.service.events, f"(service worker) has reached a steady state, {number}")
            self.service.tell(self.service.decisions, f"desired {number} → {number + 1}: {number * 10} messages")

    def _step(self) -> None:
        self.up_s += STEP_S
        self._faults = {name: left - STEP_S for name, left in self._faults.items() if left > STEP_S}
        self._owed += self._rate[0] * STEP_S
        self.service.send(int(self._owed), self._rate[1])
        self._owed -= int(self._owed)
        self.service.step(is_cut_off="hole" in self._faults)
        self._roll_on()
        self._scale_in_s -= STEP_S
        if self._scale_in_s <= 0:
            self._scale_in_s = SCALING_PERIOD_S
            self._scale()
        if self._sides and not all(side.finished_after_s for side in self._sides):
            for side in self._sides:
                side.step()

    def _scale(self) -> None:
        service = self.service
        if not service.is_scaled:
            return
        depth = len(service.waiting) + sum(len(task.running) for task in service.tasks)
        wanted = min(service.count_max, max(service.count_min, math.ceil(depth / JOBS_A_TASK)))
        if wanted != service.desired:
            service.tell(
                service.decisions,
                f"desired {service.desired} → {wanted}: {depth} messages at {JOBS_A_TASK} a task"
                f" ask for {math.ceil(depth / JOBS_A_TASK)}, within {service.count_min} to {service.count_max}",
            )
            service.desired = wanted

    def _roll_on(self) -> None:
        """Replace old tasks by new ones, one at a time."""
        service = self.service
        old = [task for task in service.live() if task.revision < service.revision]
        starting = [task for task in service.live() if task.state in ("pending", "starting")]
        if old and not starting:
            old[0].leave("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/7000000002)")

    def picture(self) -> Picture:
        self.pictures += 1
        return {
            "at_utc": (BEGAN + timedelta(seconds=self.up_s)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "up_s": round(self.up_s, 1),
            "process_id": os.getpid(),
            "endpoint": "http://127.0.0.1:4566",
            "time_lapse": 20.0,
            "rate_per_s": self._rate[0],
            "can_send": self.can_send,
            "services": [self.service.figures()],
            "faults": [{"name": name, "left_s": round(left, 1)} for name, left in self._faults.items()],
            "comparison": self._comparison(),
            "is_stopping": self.is_stopping,
        }

    def _comparison(self) -> Comparison | None:
        if self._sides is None:
            return None
        at_once, smoothed = self._sides
        is_done = all(side.finished_after_s for side in self._sides)
        return {
            "jobs": self._compared[0],
            "job_ms": self._compared[1],
            "state": "done" if is_done else "running",
            "at_once": at_once.figures(),
            "smoothed": smoothed.figures(),
        }

    def _task(self, task_id: str) -> FakeTask:
        for task in self.service.tasks:
            if task.task_id == task_id:
                if task.state == "stopped":
                    raise ControlError(f"task {task_id[:8]} has stopped already")
                return task
        raise ControlError(f"there is no task {task_id[:8]}")

    def log_lines(self, task_id: str, count_max: int) -> Sequence[str]:
        task = next((task for task in self.service.tasks if task.task_id == task_id), None)
        if task is None:
            raise ControlError(f"there is no task {task_id[:8]}")
        lines = [
            f'{{"event":"worker.started","process_id":{41_000 + task.number}}}',
            *(f'{{"event":"attempt.finished","outcome":"succeeded","number":{number}}}' for number in range(task.done)),
            *self.log,
        ]
        return lines[-count_max:]

    async def send(self, count: int, job_ms: int) -> int:
        if not self.can_send:
            raise ControlError("the worker that runs here does not know the sample's jobs")
        self.service.send(count, job_ms)
        return count

    def set_rate(self, per_s: float, job_ms: int) -> None:
        self._rate = (per_s, job_ms)

    def set_desired(self, count: int) -> None:
        if not self.service.count_min <= count <= self.service.count_max:
            raise ControlError(f"{count} tasks are outside {self.service.count_min} to {self.service.count_max}")
        self.service.is_scaled = False
        self.service.tell(self.service.decisions, f"desired {self.service.desired} → {count}: set by hand")
        self.service.desired = count

    def set_scaled(self, is_scaled: bool) -> None:
        self.service.is_scaled = is_scaled

    def deploy(self) -> int:
        self.service.revision += 1
        self.service.tell(self.service.events, f"(service worker) has begun revision {self.service.revision}")
        return self.service.revision

    def stop_task(self, task_id: str) -> None:
        self._task(task_id).leave("UserInitiated", "Stopped by hand on the page")

    def kill(self, task_id: str) -> None:
        task = self._task(task_id)
        for _ in range(task.die()):
            self.service.waiting.append((1.0, self.service.now))

    def freeze(self, task_id: str, is_frozen: bool) -> None:
        self._task(task_id).is_frozen = is_frozen

    def interrupt_spot(self, task_id: str) -> None:
        self._task(task_id).leave("SpotInterruption", "Your Spot Task was interrupted.")

    def hole(self, seconds: float) -> None:
        self._faults["hole"] = seconds

    def throttle(self, seconds: float) -> None:
        self._faults["throttle"] = seconds

    def refuse_protection(self, seconds: float) -> None:
        self._faults["refusal"] = seconds

    def clear_faults(self) -> None:
        self._faults.clear()

    async def compare(self, count: int, job_ms: int) -> None:
        if self._sides and not all(side.finished_after_s for side in self._sides):
            raise ControlError("a comparison is running; wait for its end")
        slots = self.service.slots
        self._compared = (count, job_ms)
        self._sides = (
            FakeSide("Worked at once", 12, slots, count, job_ms),
            FakeSide("Smoothed through the queue", 2, slots, count, job_ms),
        )


async def serve(port: int, *, speed: float, jobs: int, busy_tasks: int) -> None:
    """Show a scripted cloud until stopped. Speed 0: time stands still."""
    cloud = FakeCloud()
    if busy_tasks:
        cloud.fill(busy_tasks)
    if jobs:
        await cloud.send(jobs, 2_000)
    async with Page(cloud, port) as page:
        print(page.url, flush=True)
        if speed == 0:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(STEP_S)
            cloud.advance(STEP_S * speed)


def main() -> None:
    """Read the command line, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="The page over a scripted cloud")
    parser.add_argument("--port", type=int, default=8480)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--busy-tasks", type=int, default=0, help="begin with so many tasks, all at work")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.port, speed=options.speed, jobs=options.jobs, busy_tasks=options.busy_tasks))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
