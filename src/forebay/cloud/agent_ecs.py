"""Behind the local ECS agent: the tasks it serves, their protection, and what ECS says when it is asked.

Rules kept here and nowhere else:

1. Protection is a flag of the task with an expiry in whole minutes, 1 to 2,880, 120 when none is named; asking again
   resets it, and at its expiry it is off (facts/ecs-task-protection.md section 3).
2. ECS is asked only after the agent has checked what it can; a task of no service is TASK_NOT_VALID.
3. Protection has one owner, the `ProtectionKeeper`: the scheduler of the task's service where there is one, else the
   task itself. The keeper may say no; a refusal is an answer of HTTP 200.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from forebay.clock import Clock
from forebay.cloud.agent_limits import TokenBucket

Operation = Literal["update", "get"]

MINUTES_MIN, MINUTES_MAX, MINUTES_DEFAULT = 1, 2_880, 120
REGION, ACCOUNT = "us-east-1", "000000000000"


@dataclass(slots=True)
class AgentTask:
    """One task as the agent knows it."""

    endpoint_id: str
    cluster: str = "local"
    service: str = "worker"
    """Empty: the task belongs to no service."""
    task_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    family: str = "worker"
    revision: str = "1"
    memory_mib: int | None = 512
    cpu: float = 0.25
    has_role: bool = True
    desired_status: str = "RUNNING"
    started_utc: datetime = field(default_factory=lambda: datetime.now(UTC))
    protected_until_utc: datetime | None = None
    """Of a task that no scheduler looks after (rule 3)."""

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{self.cluster}/{self.task_id}"


@dataclass(frozen=True, slots=True)
class Question:
    """What ECS is asked about a task. `enabled` and `minutes` are None for a look."""

    task: AgentTask
    operation: Operation
    enabled: bool | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """ECS says no in a `failures` entry: HTTP 200 at the endpoint."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class EcsError:
    """ECS answers with an exception and its own status."""

    status: int
    code: str
    message: str


Verdict = Failure | EcsError
Decide = Callable[[Question], Verdict | None]
"""Says no on behalf of the scheduler; None lets the call through."""

THROTTLED = EcsError(400, "ThrottlingException", "Rate exceeded")


class ProtectionKeeper(Protocol):
    """Who owns the tasks' protection."""

    def refusal(self, question: Question) -> Verdict | None:
        """Say no, or return None to let the call through."""
        ...

    def set(self, task: AgentTask, minutes: int | None) -> None:
        """Protect from now for so long, or, with None, no longer."""
        ...

    def expiry(self, task: AgentTask) -> datetime | None:
        """Return when the protection ends, or None when there is none."""
        ...


class TasksThemselves:
    """Keeps the protection of tasks that no scheduler looks after, in the tasks."""

    def __init__(self, clock: Clock, decide: Decide | None = None) -> None:
        self._clock = clock
        self._decide = decide

    def refusal(self, question: Question) -> Verdict | None:
        return self._decide(question) if self._decide is not None else None

    def set(self, task: AgentTask, minutes: int | None) -> None:
        task.protected_until_utc = None if minutes is None else self._clock.utc() + timedelta(minutes=minutes)

    def expiry(self, task: AgentTask) -> datetime | None:
        until = task.protected_until_utc
        return until if until is not None and self._clock.utc() < until else None


class LocalEcs:
    """The two operations of the ECS API that the agent calls."""

    def __init__(self, *, clock: Clock, keeper: ProtectionKeeper, bucket: TokenBucket) -> None:
        self._clock = clock
        self._keeper = keeper
        self._bucket = bucket

    def ask(self, question: Question) -> Verdict | None:
        """Carry out the question, or return why not."""
        if not self.may_call():
            return THROTTLED
        minutes = question.minutes
        if question.enabled and minutes is not None and not MINUTES_MIN <= minutes <= MINUTES_MAX:
            text = f"expiresInMinutes must be between {MINUTES_MIN} and {MINUTES_MAX}"
            return EcsError(400, "InvalidParameterException", text)
        return self.carry_out(question)

    def may_call(self) -> bool:
        """Take one call out of the bucket that all callers share, if there is one."""
        return self._bucket.take(self._clock.now())

    def carry_out(self, question: Question) -> Failure | EcsError | None:
        """Do for one task what was asked in bounds, or return why not."""
        if not question.task.service:
            return Failure("TASK_NOT_VALID")
        verdict = self._keeper.refusal(question)
        if verdict is None and question.operation == "update":
            self.set(question.task, minutes=(question.minutes or MINUTES_DEFAULT) if question.enabled else None)
        return verdict

    def set(self, task: AgentTask, *, minutes: int | None) -> None:
        """Set the protection from now, or clear it: also what a second worker or an operator does."""
        self._keeper.set(task, minutes)

    def expiry(self, task: AgentTask) -> datetime | None:
        """Return when the protection ends, or None when there is none."""
        return self._keeper.expiry(task)
