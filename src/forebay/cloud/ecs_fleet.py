"""The processes of one service's tasks: started and ended as ordered, and what became of them told as facts.

Rules kept here and nowhere else:

1. A task has its place in the surroundings before its process starts, and loses it when the process has ended.
2. A process that cannot be started is a fact, not an error of ours.
3. The process of a task, with its log, is kept for as long as the scheduler remembers the task.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path

from forebay.cloud.ecs_health import HealthCheck, HealthWatch
from forebay.cloud.ecs_surroundings import Surroundings
from forebay.cloud.ecs_task_log import TaskLog
from forebay.cloud.ecs_tasks import OnLine, TaskCommand, TaskProcess
from forebay.rules.ecs_vocabulary import (
    Fact,
    HealthReported,
    ServicePlan,
    TaskExited,
    TaskNotStarted,
    TaskRecord,
    TaskStarted,
)


class Fleet:
    """Every process that a service has, by task id."""

    def __init__(
        self,
        plan: ServicePlan,
        surroundings: Surroundings,
        *,
        on_line: OnLine,
        on_fact: Callable[[Fact], None],
        check: HealthCheck | None,
        log_folder: Path | None,
    ) -> None:
        """`log_folder`: where `<service>/<task>.log` is written; None: nowhere."""
        self._plan = plan
        self._surroundings = surroundings
        self._on_line = on_line
        self._on_fact = on_fact
        self._check = check
        self._log_folder = log_folder
        self._processes: dict[str, TaskProcess] = {}
        self._watches: dict[str, HealthWatch] = {}

    def process(self, task_id: str) -> TaskProcess | None:
        """Return the process of a task, running or ended; None when it has had none."""
        return self._processes.get(task_id)

    @property
    def running_count(self) -> int:
        return sum(1 for process in self._processes.values() if process.is_running)

    def start(self, task_id: str, revision: int, command: TaskCommand) -> Fact:
        """Start the process of a task; return what came of it."""
        process = TaskProcess(
            task_id,
            TaskLog(None if self._log_folder is None else self._log_folder / self._plan.name / f"{task_id}.log"),
            guard=self._surroundings.guard,
            on_line=self._on_line,
            on_exit=self._exited,
        )
        variables = {**command.environment, **self._surroundings.enter(self._plan, task_id, revision)}
        if self._check is not None:
            variables.update(self._check.variables())
        try:
            process.start(replace(command, environment=variables))
        except OSError as error:
            self._surroundings.leave(task_id)
            what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
            return TaskNotStarted(task_id, f"CannotStartContainerError: {what}")
        self._processes[task_id] = process
        if self._check is not None:
            self._watches[task_id] = HealthWatch(self._check, process, self._judged)
        return TaskStarted(task_id)

    def terminate(self, task_id: str) -> None:
        """Send SIGTERM, if there is a process that still runs."""
        process = self.process(task_id)
        if process is not None:
            process.terminate()

    def kill(self, task_id: str) -> None:
        """Send SIGKILL, if there is a process that still runs."""
        process = self.process(task_id)
        if process is not None:
            process.kill()

    def kill_all(self) -> None:
        for process in self._processes.values():
            process.kill()

    def note(self, record: TaskRecord) -> None:
        """Let the task's surroundings show what the scheduler wants of it."""
        self._surroundings.note_desired(record.task_id, record.desired_status)

    def forget_all_but(self, known: Container[str]) -> None:
        """Forget the processes of tasks that the scheduler has forgotten."""
        for task_id in [task_id for task_id in self._processes if task_id not in known]:
            del self._processes[task_id]

    def _exited(self, task_id: str, exit_code: int) -> None:
        self._surroundings.leave(task_id)
        watch = self._watches.pop(task_id, None)
        if watch is not None:
            watch.cancel()
        self._on_fact(TaskExited(task_id, exit_code))

    def _judged(self, task_id: str, is_healthy: bool) -> None:
        self._on_fact(HealthReported(task_id, is_healthy))
