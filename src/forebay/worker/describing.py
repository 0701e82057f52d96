"""Asks each source what it says of itself: before the first receive, and again when that may have changed.

Rules kept here and nowhere else:

1. A source is asked until it answers. A failure is a failed poll to the engine: number 0 is never a real poll's.
2. A queue without a dead-letter queue is asked again when a message had to be parked, at most once a minute:
   somebody may have followed the advice meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
from anyio.abc import TaskGroup

from forebay.clock import Clock
from forebay.errors import QueueError
from forebay.observability.health import HealthState
from forebay.queue.port import Source
from forebay.worker.burial_note import Notes
from forebay.worker.inbox import Inbox
from forebay.worker.records import queue_name
from forebay.worker.vocabulary import Described, ReceiveFailed

AGAIN_S = 60.0
PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 2.0


class Describing:
    """The descriptions of every source."""

    def __init__(
        self,
        tasks: TaskGroup,
        sources: Mapping[str, Source],
        inbox: Inbox,
        notes: Notes,
        health: HealthState,
        clock: Clock,
        *,
        tell: Callable[[str, Mapping[str, object]], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._tasks = tasks
        self._sources = sources
        self._inbox = inbox
        self._notes = notes
        self._health = health
        self._clock = clock
        self._tell = tell
        self._is_stopping = is_stopping
        self._asked_at: dict[str, float] = {}

    def begin(self) -> None:
        """Ask every source."""
        for key in self._sources:
            self._tasks.start_soon(self._ask, key)

    def again(self) -> None:
        """A message was parked: ask anew, if the last time was long ago."""
        now = self._clock.now()
        for key in self._sources:
            if now - self._asked_at.get(key, now) >= AGAIN_S:
                self._asked_at[key] = now
                self._tasks.start_soon(self._ask, key)

    async def _ask(self, key: str) -> None:
        pause_s = PAUSE_FIRST_S
        while not self._is_stopping():
            try:
                description = await self._sources[key].describe()
            except QueueError as error:
                self._inbox.put(ReceiveFailed(key, 0, error.fault))
                self._health.sources[key].trouble = str(error.fault)
                await anyio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
                continue
            self._asked_at[key] = self._clock.now()
            self._notes.learn(key, description.arn)
            for note in description.notes:
                self._tell("worker.note", {"queue": queue_name(key), "note": note})
            self._inbox.put(Described(key, description))
            return
