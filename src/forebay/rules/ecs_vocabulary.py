"""What is said to the rules of the ECS service scheduler, and what they answer: facts, orders, and what can be seen.

Facts say what has happened to tasks, and what an operator or an autoscaler wants. Orders are what the machine is to do:
start a process, ask it to end, kill it. Everything carries a task id; the scheduler makes those of the tasks it orders.

Rules kept here and nowhere else:

1. Instants are seconds on the caller's monotonic clock; whoever shows them adds the wall clock.
2. Words are ECS's own (`lastStatus`, `rolloutState`, `stopCode`), as `DescribeTasks` and `DescribeServices` spell them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class TaskStatus(StrEnum):
    """`lastStatus` of a task (ECS guide, Task lifecycle)."""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DEPROVISIONING = "DEPROVISIONING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


class StopCode(StrEnum):
    """Why a task was stopped (facts/ecs-task-protection.md section 3, TaskStopCode)."""

    TASK_FAILED_TO_START = "TaskFailedToStart"
    ESSENTIAL_CONTAINER_EXITED = "EssentialContainerExited"
    USER_INITIATED = "UserInitiated"
    SERVICE_SCHEDULER_INITIATED = "ServiceSchedulerInitiated"
    SPOT_INTERRUPTION = "SpotInterruption"
    TERMINATION_NOTICE = "TerminationNotice"


class DeploymentStatus(StrEnum):
    """`status` of a deployment."""

    PRIMARY = "PRIMARY"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class RolloutState(StrEnum):
    """`rolloutState` of a deployment."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """How a service is to be run: what `CreateService` says of it."""

    name: str
    cluster: str = "local"
    family: str = "worker"
    desired_count: int = 1
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    stop_timeout_s: float = 30.0
    """From SIGTERM to SIGKILL. ECS's default is 30; Fargate allows 2 to 120."""
    start_delay_s: float = 0.0
    """How long a task stays PROVISIONING and PENDING before its process is started: the cold start."""
    health_grace_s: float = 0.0
    """Failing health checks do not count for so long after the start of the process."""
    has_health_check: bool = False
    """A task serves only when its health check has succeeded; without one, when it has run for `settling_s`."""
    settling_s: float = 2.0
    """So long must a process run until its task counts as healthy. A process that ends sooner has failed to start.

    ECS waits 40 s (API reference, DeploymentConfiguration, minimumHealthyPercent). Its own RUNNING comes seconds after
    the process has begun; here a process runs as soon as it is there.
    """
    circuit_breaker: bool = True
    rolls_back: bool = True
    """A deployment that the circuit breaker has failed goes back to the last one that was completed."""

    def __post_init__(self) -> None:
        """Raise ValueError for numbers with which no service can be run."""
        if self.desired_count < 0:
            raise ValueError(f"desired_count={self.desired_count} of service {self.name}: use 0 or more")
        if not 0 <= self.minimum_healthy_percent <= 100:
            raise ValueError(f"minimum_healthy_percent={self.minimum_healthy_percent} of {self.name}: use 0 to 100")
        if self.maximum_percent < 100:
            raise ValueError(f"maximum_percent={self.maximum_percent} of {self.name}: use 100 or more")
        for name in ("stop_timeout_s", "start_delay_s", "health_grace_s", "settling_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)} of service {self.name}: use 0 or more")


# ── facts ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """The process of a task runs."""

    task_id: str


@dataclass(frozen=True, slots=True)
class TaskExited:
    """The process of a task has ended. A negative code is a signal's number, as `subprocess` has it."""

    task_id: str
    exit_code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskNotStarted:
    """The process of a task could not be started at all."""

    task_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class HealthReported:
    """The health check of a task's container has come to a verdict."""

    task_id: str
    is_healthy: bool


@dataclass(frozen=True, slots=True)
class ProtectionSet:
    """A task is protected until `until`, or, with None, no longer."""

    task_id: str
    until: float | None


@dataclass(frozen=True, slots=True)
class DesiredCountSet:
    """Somebody wants so many tasks: UpdateService, or an autoscaler."""

    count: int


@dataclass(frozen=True, slots=True)
class DeploymentRequested:
    """UpdateService with a new task definition, or with `forceNewDeployment`: every task is to be replaced."""

    revision: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """StopTask: the task is stopped, protected or not."""

    task_id: str
    reason: str = "Task stopped by user"
    code: StopCode = StopCode.USER_INITIATED


@dataclass(frozen=True, slots=True)
class SpotInterrupted:
    """Fargate takes the task's capacity back: SIGTERM now, SIGKILL after its stop timeout."""

    task_id: str


Fact = (
    TaskStarted
    | TaskExited
    | TaskNotStarted
    | HealthReported
    | ProtectionSet
    | DesiredCountSet
    | DeploymentRequested
    | StopRequested
    | SpotInterrupted
)


# ── orders ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class StartTask:
    """Start the process of this task."""

    task_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class SignalTask:
    """Send SIGTERM to the task's process."""

    task_id: str


@dataclass(frozen=True, slots=True)
class KillTask:
    """Send SIGKILL to the task's process: its stop timeout is over."""

    task_id: str


Order = StartTask | SignalTask | KillTask


# ── what can be seen ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True, kw_only=True)
class TaskRecord:
    """One task as the scheduler knows it. To be read, not changed."""

    task_id: str
    deployment_id: str
    revision: int
    created_at: float
    status: TaskStatus = TaskStatus.PROVISIONING
    desired_status: TaskStatus = TaskStatus.RUNNING
    started_at: float | None = None
    stopping_at: float | None = None
    """When it was told to stop."""
    stopped_at: float | None = None
    protected_until: float | None = None
    is_healthy: bool | None = None
    """None: no verdict yet, or no health check."""
    exit_code: int | None = None
    stop_code: StopCode | None = None
    stopped_reason: str = ""
    is_ordered: bool = False
    """Its process was ordered, so there is one or there will be, and its end is to be waited for."""
    settled_at: float | None = None
    """When it began to count as healthy for the first time."""
    unhealthy_at: float | None = None
    """When a failing verdict from the grace period begins to count."""
    kill_at: float | None = None
    """When its process is killed if it has not ended by then."""


@dataclass(slots=True, kw_only=True)
class DeploymentRecord:
    """One deployment. To be read, not changed."""

    deployment_id: str
    revision: int
    status: DeploymentStatus
    created_at: float
    updated_at: float
    desired_count: int
    rollout_state: RolloutState = RolloutState.IN_PROGRESS
    rollout_reason: str = ""
    failed_tasks: int = 0
    """Failed one after the other: a task that serves makes it 0 again (API reference, Deployment, failedTasks)."""
    completed_at: float | None = None
    """When it was completed the last time."""
    running_count: int = 0
    pending_count: int = 0
    launches_failed: int = 0
    """Rounds of launches that failed one after the other; what the throttle counts."""
    launches_failed_at: float | None = None
    """When the last such round failed."""
    throttled_until: float | None = None
    """Nothing is launched before."""


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """One line of a service's events."""

    event_id: str
    at: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """A service at one moment, as `DescribeServices` tells it."""

    plan: ServicePlan
    desired_count: int
    running_count: int
    pending_count: int
    protected_count: int
    deployments: list[DeploymentRecord] = field(default_factory=list[DeploymentRecord])
    events: list[ServiceEvent] = field(default_factory=list[ServiceEvent])
    """The newest first, at most a hundred."""
    tasks: list[TaskRecord] = field(default_factory=list[TaskRecord])
    """Those that are not stopped, and the last that were."""
