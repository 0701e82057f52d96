"""What the control loop looks at once a second: held-back news, health, handlers that block or will not end.

Rules kept here and nowhere else:

1. Looking around costs next to nothing and never waits.
2. A stack is told as places in the code, never with a value.
"""

from __future__ import annotations

from collections.abc import Iterable

from forebay.handlers.executor import Executor
from forebay.observability.health import HealthState
from forebay.worker.engine import Engine
from forebay.worker.recorder import Recorder
from forebay.worker.vocabulary import Stuck

LOOK_S = 1.0
BLOCKED_AGAIN_S = 10.0


class Lookout:
    """The driver's eyes."""

    def __init__(self, engine: Engine, executors: Iterable[Executor], recorder: Recorder, health: HealthState) -> None:
        self._engine = engine
        self._executors = tuple(executors)
        self._recorder = recorder
        self._health = health
        self._looked_at = 0.0
        self._blocked_told_at = float("-inf")
        self.is_quiet_news = False
        """The recorder may be holding a summary back that is due within a second."""

    def look(self, now: float) -> None:
        """Once in a while: let the recorder tell what it held back, and see whether handlers are blocked."""
        self._health.last_turn_at = now
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        self._health.full_slots = self._engine.is_full
        self._health.notes = self._engine.notes
        self._recorder.tick()
        self.is_quiet_news = False
        for executor in self._executors:
            blockage = executor.blockage(now=now)
            if blockage is not None and now - self._blocked_told_at >= BLOCKED_AGAIN_S:
                self._blocked_told_at = now
                fields = {"blocked_s": round(blockage.blocked_s, 3), "stack": " > ".join(blockage.stack)}
                self._recorder.report("handlers.blocked", fields)

    def tell_stuck(self, command: Stuck, executor: Executor) -> None:
        """Report code that will not end, with the place where it stands if its executor can tell."""
        stack = executor.stack_of(command.number)
        told = {"stack": " > ".join(stack)} if stack else {}
        self._recorder.report("attempt.stuck", {**command.fields, **told})
