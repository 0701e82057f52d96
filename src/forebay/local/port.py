"""What the page and the terminal view need of the local cloud: a picture of it, and a hand on it.

Rules kept here and nowhere else:

1. A picture holds only what the tasks' own events, the scheduler and the servers' counters say; nothing is guessed.
2. It holds no body, no argument and no message of an exception.
3. Times in a picture are seconds: ages, durations and what is left, not wall clocks, save where a name ends in `_utc`.
4. A control either does what it says, or raises `ControlError` with a sentence for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypedDict


class ControlError(Exception):
    """A control was asked for what cannot be done; the text says what and why."""


class QueueFigures(TypedDict):
    """A queue now."""

    visible: int
    in_flight: int
    delayed: int
    dead: int
    """Messages in its dead-letter queue."""
    oldest_age_s: float
    sent: int
    """Since the start; so with the next three."""
    received: int
    deleted: int
    empty_receives: int


class Percentiles(TypedDict):
    """Of the last minute, in seconds. None: there was nothing to measure."""

    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    count: int


class TaskFigures(TypedDict):
    """A task now."""

    task_id: str
    pid: int | None
    revision: int
    state: str
    """pending, starting, idle, busy, draining, stopping or stopped."""
    is_protected: bool
    protected_left_s: float | None
    running_jobs: int
    done_jobs: int
    failed_jobs: int
    age_s: float
    exit_code: int | None
    stop_code: str
    stopped_reason: str
    is_frozen: bool


class DeploymentFigures(TypedDict):
    """A deployment now."""

    deployment_id: str
    status: str
    rollout_state: str
    revision: int
    desired: int
    running: int
    pending: int
    failed: int


class Told(TypedDict):
    """Something that was said at a moment: a service event, or a scaling decision."""

    number: int
    """Rises by one; the same for the same thing in every picture."""
    at_utc: str
    text: str


class ServiceFigures(TypedDict):
    """A service now, with its queue."""

    name: str
    queue_url: str
    desired: int
    running: int
    pending: int
    protected: int
    count_min: int
    count_max: int
    slots: int
    """Of one task."""
    is_scaled: bool
    """Whether the autoscaler sets its count; a person who sets it by hand switches that off."""
    scaling_metric: float | None
    scaling_target: float | None
    queue: QueueFigures
    wait: Percentiles
    """From sending to the first receive."""
    run: Percentiles
    """Of handlers."""
    task_seconds: float
    """Compute used since the start: seconds of running tasks, summed."""
    busy_slot_seconds: float
    """Seconds of running jobs, summed."""
    ledger: dict[str, int]
    """Of all its tasks, summed; of those that have stopped, and what the running ones have told."""
    tasks: list[TaskFigures]
    deployments: list[DeploymentFigures]
    events: list[Told]
    """The newest first."""
    decisions: list[Told]
    """The newest first."""


class FaultFigures(TypedDict):
    """A fault that is being made on purpose."""

    name: str
    """hole, throttle or refusal."""
    left_s: float


class ComparisonSide(TypedDict):
    """One of the article's two opening pictures."""

    title: str
    tasks: int
    slots: int
    """Of one task."""
    points: list[tuple[float, int, int]]
    """Seconds since the spike, slots there are, slots at work."""
    waiting: list[tuple[float, int]]
    """Seconds since the spike, jobs that wait."""
    task_seconds: float
    busy_slot_seconds: float
    done: int
    finished_after_s: float | None


class Comparison(TypedDict):
    """The same spike twice: worked at once by many tasks, and smoothed through the queue by few."""

    jobs: int
    job_ms: int
    state: str
    """starting, running or done."""
    at_once: ComparisonSide
    smoothed: ComparisonSide


class Picture(TypedDict):
    """The local cloud at one moment."""

    at_utc: str
    up_s: float
    process_id: int
    endpoint: str
    time_lapse: float
    rate_per_s: float
    """Of the steady stream of jobs that the page asked for; 0 for none."""
    can_send: bool
    """Whether the worker understands the jobs that the page sends: the sample's, milliseconds."""
    services: list[ServiceFigures]
    """The main one first; the others belong to a comparison."""
    faults: list[FaultFigures]
    comparison: Comparison | None
    is_stopping: bool


class LocalCloud(Protocol):
    """The local cloud as its views know it. All of it belongs to one event loop."""

    def picture(self) -> Picture: ...

    def log_lines(self, task_id: str, count_max: int) -> Sequence[str]:
        """Return the last lines of a task's log stream. Raises ControlError for a task that is not known."""
        ...

    async def send(self, count: int, job_ms: int) -> int:
        """Send so many jobs of so many milliseconds; return how many were taken."""
        ...

    def set_rate(self, per_s: float, job_ms: int) -> None:
        """Send jobs steadily from now on; 0 stops it."""
        ...

    def set_desired(self, count: int) -> None:
        """Want so many tasks, and switch the autoscaler off."""
        ...

    def set_scaled(self, is_scaled: bool) -> None:
        """Switch the autoscaler on or off."""
        ...

    def deploy(self) -> int:
        """Deploy a new revision; return its number."""
        ...

    def stop_task(self, task_id: str) -> None:
        """StopTask: SIGTERM, then SIGKILL after the stop timeout."""
        ...

    def kill(self, task_id: str) -> None:
        """`kill -9`: what a crash of the machine looks like to the job."""
        ...

    def freeze(self, task_id: str, is_frozen: bool) -> None:
        """Hold a task's process still (SIGSTOP), or let it go on."""
        ...

    def interrupt_spot(self, task_id: str) -> None:
        """Two minutes' notice of a Spot interruption, as Fargate gives it: SIGTERM."""
        ...

    def hole(self, seconds: float) -> None:
        """Let SQS answer nothing for so long."""
        ...

    def throttle(self, seconds: float) -> None:
        """Let SQS throttle half of all calls for so long."""
        ...

    def refuse_protection(self, seconds: float) -> None:
        """Let ECS refuse protection with DEPLOYMENT_BLOCKED for so long."""
        ...

    def clear_faults(self) -> None: ...

    async def compare(self, count: int, job_ms: int) -> None:
        """Begin the comparison of the article's two pictures. Raises ControlError while one is running."""
        ...
