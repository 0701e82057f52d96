"""The tasks and services of the scripted cloud: jobs take their time in steps, and nothing is drawn at random.

Rules kept here and nowhere else:

1. A step is `STEP_S` of made-up time. All that the page shows follows from the steps taken and the controls used.
2. It is a stand-in for looks only: what SQS and ECS really do is not to be learnt from it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from forebay.local.port import DeploymentFigures, Percentiles, ServiceFigures, TaskFigures, Told

STEP_S = 0.1
PENDING_S = 1.0
STARTING_S = 0.5
STOPPING_S = 1.0
HOLD_S = 300.0
STOPPED_KEPT = 6


@dataclass(slots=True)
class FakeTask:
    """A task that works through jobs as time is stepped."""

    number: int
    revision: int
    slots: int
    state: str = "pending"
    age_s: float = 0.0
    running: list[float] = field(default_factory=list[float])
    """What is left of each running job, in seconds."""
    done: int = 0
    failed: int = 0
    held_s: float | None = None
    exit_code: int | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    is_frozen: bool = False
    leaving_s: float = 0.0

    @property
    def task_id(self) -> str:
        return f"{self.number:02x}" + "7f3a9c1e5b8d4206af31c94e7d0b62" + f"{self.number:02x}"[::-1]

    @property
    def takes_jobs(self) -> bool:
        return self.state in ("idle", "busy") and not self.is_frozen

    def step(self) -> int:
        """Let a step pass; return how many jobs were done in it."""
        if self.state == "stopped":
            return 0
        self.age_s += STEP_S
        if self.is_frozen:
            return 0
        if self.state in ("pending", "starting"):
            self._start()
            return 0
        left = [remaining - STEP_S for remaining in self.running]
        done = sum(1 for remaining in left if remaining <= 1e-9)
        self.running = [remaining for remaining in left if remaining > 1e-9]
        self.done += done
        self.held_s = None if not self.running else (self.held_s or HOLD_S) - STEP_S
        if self.state in ("draining", "stopping"):
            self.leaving_s -= STEP_S
            if self.leaving_s <= 0 and not self.running:
                self.state, self.exit_code = "stopped", 0
        else:
            self.state = "busy" if self.running else "idle"
        return done

    def _start(self) -> None:
        if self.age_s >= PENDING_S + STARTING_S:
            self.state = "idle"
        elif self.age_s >= PENDING_S:
            self.state = "starting"

    def leave(self, stop_code: str, reason: str) -> None:
        self.state = "draining" if self.running else "stopping"
        self.leaving_s, self.stop_code, self.stopped_reason = STOPPING_S, stop_code, reason

    def die(self) -> int:
        """End at once, as under `kill -9`; return how many jobs come back."""
        lost = len(self.running)
        self.running, self.held_s = [], None
        self.state, self.exit_code = "stopped", 137
        self.stop_code, self.stopped_reason = "EssentialContainerExited", "Essential container in task exited (SIGKILL)"
        return lost

    def figures(self) -> TaskFigures:
        return {
            "task_id": self.task_id,
            "pid": None if self.state in ("pending", "stopped") else 41_000 + self.number,
            "revision": self.revision,
            "state": self.state,
            "is_protected": self.held_s is not None,
            "protected_left_s": self.held_s,
            "running_jobs": len(self.running),
            "done_jobs": self.done,
            "failed_jobs": self.failed,
            "age_s": round(self.age_s, 1),
            "exit_code": self.exit_code,
            "stop_code": self.stop_code,
            "stopped_reason": self.stopped_reason,
            "is_frozen": self.is_frozen,
        }


class FakeService:
    """A service with its queue."""

    def __init__(self, name: str, count_min: int, count_max: int, slots: int, desired: int = 0) -> None:
        self.name, self.count_min, self.count_max, self.slots = name, count_min, count_max, slots
        self.desired, self.revision = desired, 1
        self.tasks: list[FakeTask] = []
        self.waiting: deque[tuple[float, float]] = deque()
        """For each waiting job: how long it takes, and since when it waits."""
        self.is_scaled = True
        self.events: list[Told] = []
        self.decisions: list[Told] = []
        self.now = 0.0
        self.sent = self.deleted = self.received = 0
        self.task_seconds = self.busy_seconds = 0.0
        self._waits: deque[float] = deque(maxlen=500)
        self._runs: deque[float] = deque(maxlen=500)
        self._numbers = 0
        self._is_draining_allowed = True

    def tell(self, where: list[Told], text: str) -> None:
        self._numbers += 1
        minutes, seconds = divmod(int(self.now), 60)
        where.insert(
            0, {"number": self._numbers, "at_utc": f"2026-11-24T14:{minutes:02}:{seconds:02}.000Z", "text": text}
        )
        del where[50:]

    def send(self, count: int, job_ms: int) -> None:
        self.waiting.extend((max(job_ms / 1000, STEP_S), self.now) for _ in range(count))
        self.sent += count

    def live(self) -> list[FakeTask]:
        return [task for task in self.tasks if task.state != "stopped"]

    def step(self, *, is_cut_off: bool = False) -> None:
        """Let a step pass. Cut off: nothing can be received."""
        self.now += STEP_S
        for task in self.tasks:
            self.deleted += task.step()
            if task.state not in ("pending", "stopped"):
                self.task_seconds += STEP_S
                self.busy_seconds += STEP_S * len(task.running)
        if not is_cut_off:
            self._hand_out()
        self._match_desired()
        self._forget_stopped()

    def _hand_out(self) -> None:
        ready = [task for task in self.tasks if task.takes_jobs]
        while self.waiting and (free := [task for task in ready if len(task.running) < task.slots]):
            least = min(free, key=lambda task: len(task.running))
            lasts_s, since = self.waiting.popleft()
            least.running.append(lasts_s)
            least.state, least.held_s = "busy", least.held_s or HOLD_S
            self.received += 1
            self._waits.append(self.now - since)
            self._runs.append(lasts_s)

    def _match_desired(self) -> None:
        wanted = [task for task in self.live() if task.state not in ("draining", "stopping")]
        for _ in range(self.desired - len(wanted)):
            self._started = FakeTask(len(self.tasks) + 1, self.revision, self.slots)
            self.tasks.append(self._started)
        surplus = len(wanted) - self.desired
        idle = [task for task in wanted if not task.running and task.state == "idle"]
        for task in idle[: max(0, surplus)]:
            task.leave("ServiceSchedulerInitiated", "Scaling activity initiated by deployment")
        protected = surplus - len(idle)
        if protected > 0 and self._is_draining_allowed:
            self._is_draining_allowed = False
            self.tell(
                self.events,
                f"(service {self.name}) was unable to scale in due to (reason {protected} tasks under protection)",
            )
        elif surplus <= 0:
            self._is_draining_allowed = True

    def _forget_stopped(self) -> None:
        stopped = [task for task in self.tasks if task.state == "stopped"]
        self._gone = stopped[:-STOPPED_KEPT]

    def shown(self) -> list[FakeTask]:
        stopped = [task for task in self.tasks if task.state == "stopped"][-STOPPED_KEPT:]
        return [*self.live(), *reversed(stopped)]

    def deployments(self) -> list[DeploymentFigures]:
        def of(revision: int) -> list[FakeTask]:
            return [task for task in self.live() if task.revision == revision]

        found: list[DeploymentFigures] = []
        for revision in range(self.revision, 0, -1):
            tasks = of(revision)
            if revision != self.revision and not tasks:
                continue
            running = sum(1 for task in tasks if task.state not in ("pending", "starting"))
            is_primary = revision == self.revision
            found.append(
                {
                    "deployment_id": f"ecs-svc/{7_000_000_000 + revision}",
                    "status": "PRIMARY" if is_primary else "ACTIVE",
                    "rollout_state": "COMPLETED" if is_primary and running == self.desired else "IN_PROGRESS",
                    "revision": revision,
                    "desired": self.desired if is_primary else 0,
                    "running": running,
                    "pending": len(tasks) - running,
                    "failed": 0,
                }
            )
        return found

    def figures(self) -> ServiceFigures:
        live = self.live()
        pending = sum(1 for task in live if task.state in ("pending", "starting"))
        in_flight = sum(len(task.running) for task in self.tasks)
        return {
            "name": self.name,
            "queue_url": f"http://127.0.0.1:4566/000000000000/{self.name}",
            "desired": self.desired,
            "running": len(live) - pending,
            "pending": pending,
            "protected": sum(1 for task in live if task.held_s is not None),
            "count_min": self.count_min,
            "count_max": self.count_max,
            "slots": self.slots,
            "is_scaled": self.is_scaled,
            "scaling_metric": round(len(self.waiting) / max(1, len(live) - pending), 1) if self.is_scaled else None,
            "scaling_target": 10.0 if self.is_scaled else None,
            "queue": {
                "visible": len(self.waiting),
                "in_flight": in_flight,
                "delayed": 0,
                "dead": 0,
                "oldest_age_s": round(self.now - self.waiting[0][1], 1) if self.waiting else 0.0,
                "sent": self.sent,
                "received": self.received,
                "deleted": self.deleted,
                "empty_receives": int(self.now),
            },
            "wait": _percentiles(self._waits),
            "run": _percentiles(self._runs),
            "task_seconds": round(self.task_seconds, 1),
            "busy_slot_seconds": round(self.busy_seconds, 1),
            "ledger": self._ledger(),
            "tasks": [task.figures() for task in self.shown()],
            "deployments": self.deployments(),
            "events": list(self.events),
            "decisions": list(self.decisions),
        }

    def _ledger(self) -> dict[str, int]:
        names = ("retried", "buried", "parked", "continued", "duplicate", "released", "lease_lost", "orphaned")
        return {"received": self.received, "succeeded": self.deleted, **dict.fromkeys(names, 0)}


def _percentiles(samples: deque[float]) -> Percentiles:
    if not samples:
        return {"p50_s": None, "p90_s": None, "p99_s": None, "count": 0}
    ordered = sorted(samples)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {"p50_s": at(0.5), "p90_s": at(0.9), "p99_s": at(0.99), "count": len(ordered)}
