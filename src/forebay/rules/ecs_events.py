"""What a service tells of itself: the texts of its events, and the last hundred of them.

Rules kept here and nowhere else:

1. The texts are those that ECS was seen to send: facts/ecs-task-protection.md section 3; ECS guide, Service event
   messages and Service throttle logic; and public records of DescribeServices.
2. A state is told once, when it begins, and again when its number changes. ECS repeats some ("periodically", says the
   guide of the steady state); at which intervals is unknown, so nothing is repeated here.
3. A hundred events are kept, the newest first (API reference, Service, events).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from forebay.rules.ecs_vocabulary import ServiceEvent

if TYPE_CHECKING:
    from random import Random

KEPT_MAX = 100


class EventLog:
    """The events of one service."""

    def __init__(self, service: str, rng: Random) -> None:
        self.kept: deque[ServiceEvent] = deque(maxlen=KEPT_MAX)
        """The newest first."""
        self._service = service
        self._rng = rng
        self._standing: dict[str, str] = {}

    def started(self, now: float, task_ids: list[str], replaced: int) -> None:
        text = f"has started {len(task_ids)} tasks: {_tasks(task_ids)}."
        if replaced:
            text += f" Amazon ECS replaced {replaced} tasks due to an unhealthy status."
        self._say(now, text)

    def stopped(self, now: float, stopped: list[tuple[bool, str]]) -> None:
        """Say which tasks were told to stop; each is whether it ran, and its id."""
        for was_running, group in groupby(sorted(stopped, key=itemgetter(0)), key=itemgetter(0)):
            task_ids = [task_id for _, task_id in group]
            if was_running:
                self._say(now, f"has stopped {len(task_ids)} running tasks: {_tasks(task_ids)}.")
            else:
                self._say(now, f"stopped {len(task_ids)} pending tasks.")

    def failed_health_checks(self, now: float, task_id: str) -> None:
        self._say(now, f"(task {task_id}) failed container health checks.")

    def deployment_completed(self, now: float, deployment_id: str) -> None:
        self._say(now, f"(deployment {deployment_id}) deployment completed.")

    def deployment_failed(self, now: float, deployment_id: str) -> None:
        self._say(now, f"(deployment {deployment_id}) deployment failed: tasks failed to start.")

    def rolling_back(self, now: float, deployment_id: str) -> None:
        self._say(now, f"rolling back to deployment {deployment_id}.")

    def unable_to_start(self, now: float) -> None:
        self._say(now, "is unable to consistently start tasks successfully.")

    def steady(self, now: float, *, is_so: bool) -> None:
        self._stand(now, "steady", f"(service {self._service}) has reached a steady state." if is_so else "")

    def stuck(self, now: float, *, is_so: bool) -> None:
        text = (
            f"(service {self._service}) was unable to stop or start tasks during a deployment because of the service "
            "deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
        )
        self._stand(now, "stuck", text if is_so else "")

    def scale_in_blocked(self, now: float, deployment_id: str, protected: int) -> None:
        """Say that protected tasks keep this task set too large; 0: they no longer do."""
        text = f"(service {self._service}, taskSet {deployment_id}) {_unable(protected)}"
        self._stand(now, deployment_id, text if protected else "")

    def deployment_blocked(self, now: float, deployment_id: str, protected: int) -> None:
        """Say that protected tasks of an older deployment keep the service from its steady state; 0: no longer."""
        text = f"(service {self._service}) was unable to reach steady state because (taskSet {deployment_id}) "
        self._stand(now, deployment_id, text + _unable(protected) if protected else "")

    def forget(self, deployment_ids: Iterable[str]) -> None:
        """Let go of what was said of deployments that are no more."""
        for deployment_id in deployment_ids:
            self._standing.pop(deployment_id, None)

    def _stand(self, now: float, key: str, message: str) -> None:
        if self._standing.get(key, "") != message:
            self._standing[key] = message
            if message:
                self._post(now, message)

    def _say(self, now: float, text: str) -> None:
        self._post(now, f"(service {self._service}) {text}")

    def _post(self, now: float, message: str) -> None:
        digits = f"{self._rng.getrandbits(128):032x}"
        event_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        self.kept.appendleft(ServiceEvent(event_id, now, message))


def _tasks(task_ids: list[str]) -> str:
    return " ".join(f"(task {task_id})" for task_id in task_ids)


def _unable(protected: int) -> str:
    return f"was unable to scale in due to (reason {protected} tasks under protection)"
