"""A pretended container of the simulated ECS: it starts, works, protects itself, falls ill, crashes, hangs, and ends.

Rules kept here and nowhere else:

1. It does what it was drawn to do, and never looks into the scheduler.
2. SIGKILL ends it at once; SIGTERM after a moment, unless it hangs. A signal that comes before it runs waits for it.
3. When the troubles are over it behaves: it no longer falls ill, gives up its protection, and heeds SIGTERM.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from forebay.rules.ecs_vocabulary import Fact, HealthReported, ProtectionSet, TaskExited, TaskNotStarted, TaskStarted

if TYPE_CHECKING:
    from forebay.testing.ecs_world import EcsWorld
    from forebay.testing.ecs_world_plan import Revision

WORKS_S = 60.0
PROTECTED_S = 60.0


class FakeProcess:
    """The process of one task."""

    def __init__(self, world: EcsWorld, task_id: str, revision: Revision, rng: Random) -> None:
        self.task_id = task_id
        self.ordered_at = world.time.now
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.signalled_at: float | None = None
        self.protected_until: float | None = None
        self.told_started_at: float | None = None
        self.told_ill_at: float | None = None
        """When its health check has failed. None: not yet, or it has succeeded since."""
        self.told_well_at: float | None = None
        self._world = world
        self._revision = revision
        self._rng = rng
        self._hangs = rng.random() < revision.hangs
        self._after(rng.uniform(0.0, revision.latency_s), self._start)

    @property
    def is_alive(self) -> bool:
        """Ordered and not ended: it runs, or soon will."""
        return self.ended_at is None

    def is_protected(self, now: float) -> bool:
        return self.protected_until is not None and now < self.protected_until

    @property
    def runs(self) -> bool:
        """Whether it is known to run, and nobody has told it to stop."""
        return self.is_alive and self.told_started_at is not None and self.signalled_at is None

    @property
    def is_ill(self) -> bool:
        """Whether its health check has failed when that counted."""
        if self.told_ill_at is None or self.told_started_at is None:
            return False
        return self._world.time.now >= max(
            self.told_ill_at, self.told_started_at + self._world.plan.service.health_grace_s
        )

    @property
    def serves(self) -> bool:
        """Whether it counts as healthy."""
        service = self._world.plan.service
        if not self.runs or self.is_ill or self.told_started_at is None:
            return False
        has_settled = not service.has_health_check and self._world.time.now >= self.told_started_at + service.settling_s
        return has_settled or self.told_well_at is not None

    def signal(self) -> None:
        """SIGTERM."""
        self.signalled_at = self._world.time.now
        if self.started_at is not None:
            self._heed()

    def kill(self) -> None:
        """SIGKILL."""
        if self.is_alive:
            self._end(-9)

    def crash(self) -> None:
        if self.is_alive and self.started_at is not None:
            self._end(self._rng.choice((0, 1, 139)))

    def report(self, *, is_healthy: bool) -> None:
        """Let the health check say something."""
        if not self.is_alive or self.told_started_at is None:
            return
        self.told_ill_at = None if is_healthy else self._world.time.now
        if is_healthy and self.told_well_at is None:
            self.told_well_at = self._world.time.now
        self._tell(HealthReported(self.task_id, is_healthy))

    def calm(self) -> None:
        """The troubles are over."""
        self._hangs = False
        if self.signalled_at is not None and self.started_at is not None:
            self._heed()
        self._unprotect()
        if self.told_ill_at is not None or (self._world.plan.service.has_health_check and self.told_well_at is None):
            self._after(0.5, lambda: self.report(is_healthy=True))

    # ── its life ───────────────────────────────────────────────────────────────────────────────────────────

    def _start(self) -> None:
        rng, revision = self._rng, self._revision
        if rng.random() < revision.not_started and not self._world.is_calm:
            self.ended_at = self._world.time.now
            self._tell(TaskNotStarted(self.task_id, "no such program"))
            return
        self.started_at = self._world.time.now
        if rng.random() < 0.1:  # It may end in the instant in which it starts, before anybody is told that it runs.
            self._world.time.after(0.0, self._told_started)
        else:
            self._told_started()

    def _told_started(self) -> None:
        if not self.is_alive:
            return
        rng, revision = self._rng, self._revision
        self.told_started_at = self._world.time.now
        self._tell(TaskStarted(self.task_id))
        if self.signalled_at is not None:
            self._heed()
        is_calm = self._world.is_calm
        if rng.random() < revision.crashes_early and not is_calm:
            self._after(rng.uniform(0.0, 1.0), self.crash)
        elif rng.random() < revision.exits and not is_calm:
            self._after(rng.uniform(0.0, WORKS_S), self.crash)
        if self._world.plan.service.has_health_check:
            self._after(rng.uniform(0.1, 3.0), lambda: self.report(is_healthy=True))
        if rng.random() < revision.sickens and not is_calm:
            self._after(rng.uniform(0.0, WORKS_S / 4), self._sicken)
        if rng.random() < revision.protects:
            self._after(rng.uniform(0.0, WORKS_S / 4), self._protect)

    def _sicken(self) -> None:
        if not self._world.is_calm:
            self.report(is_healthy=False)

    def _protect(self) -> None:
        """Take a job, and protection for it: again and again, as a worker does."""
        if not self.is_alive or self.signalled_at is not None or self._world.is_calm:
            return
        if self._world.may_protect(self):
            self.protected_until = self._world.time.now + PROTECTED_S
            self._tell(ProtectionSet(self.task_id, self.protected_until))
            if self._rng.random() < 0.8:  # The others let it expire, or ask again while they still have it.
                self._after(self._rng.uniform(0.0, 2 * PROTECTED_S), self._unprotect)
        self._after(self._rng.uniform(1.0, 2 * PROTECTED_S), self._protect)

    def _unprotect(self) -> None:
        if self.is_alive and self.protected_until is not None:
            self.protected_until = None
            self._tell(ProtectionSet(self.task_id, None))

    def _heed(self) -> None:
        if not self._hangs:
            self._after(self._rng.uniform(0.0, 1.0), lambda: self._end(0) if self.is_alive else None)

    def _end(self, exit_code: int) -> None:
        self.ended_at = self._world.time.now
        self._tell(TaskExited(self.task_id, exit_code))

    def _tell(self, fact: Fact) -> None:
        self._world.tell(fact)

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        self._world.time.after(seconds, happen)
