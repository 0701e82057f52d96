"""Carries out receives: one task for each poll that is open at once, kept for the next.

Rules kept here and nowhere else:

1. A receive is cut off only when it is abandoned, or when a probe of a silent service takes far longer than it asked.
2. Each receive is answered by exactly one fact, save an abandoned one: the engine has forgotten that already.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio
from anyio.abc import TaskGroup

from forebay.clock import Clock
from forebay.errors import Fault, FaultKind, QueueError
from forebay.observability.health import HealthState, SourceHealth
from forebay.queue.port import Source
from forebay.worker.crew import Crew
from forebay.worker.inbox import Inbox
from forebay.worker.vocabulary import MessagesReceived, Receive, ReceiveFailed

PROBE_PATIENCE_S = 1.5
"""How much longer than its wait a probe may take. A service that is back answers within that."""


class Polls:
    """The receives that are open."""

    def __init__(
        self, tasks: TaskGroup, sources: Mapping[str, Source], inbox: Inbox, clock: Clock, health: HealthState
    ) -> None:
        self._sources = sources
        self._inbox = inbox
        self._clock = clock
        self._health = health
        self._crew: Crew[Receive] = Crew(tasks, self._receive)
        self._scopes: dict[str, dict[int, anyio.CancelScope]] = {key: {} for key in sources}
        self._open: dict[str, set[int]] = {key: set() for key in sources}
        now = clock.now()
        for key in sources:
            health.sources[key] = SourceHealth(poll_due_since=now)

    def open(self, command: Receive) -> None:
        """Begin a receive."""
        polls = self._open[command.source]
        if not polls:
            health = self._health.sources[command.source]
            if health.poll_due_since is None:
                health.poll_due_since = self._clock.now()
            health.wait_s = max(command.wait_s, 1.0)
        polls.add(command.poll)
        self._crew.hand(command)

    def abandon(self, key: str) -> None:
        """Cut off every open receive of a source; nobody awaits their answers."""
        self._open[key].clear()
        self._health.sources[key].poll_due_since = None
        for scope in list(self._scopes[key].values()):
            scope.cancel()

    async def _receive(self, command: Receive) -> None:
        key, poll = command.source, command.poll
        if poll not in self._open[key]:
            return  # Abandoned before it began.
        patience_s = command.wait_s + PROBE_PATIENCE_S if command.is_probe else None
        fact: MessagesReceived | ReceiveFailed
        asked_at = self._clock.now()
        # Unanswered is what it stays if the scope below cuts it off.
        fact = ReceiveFailed(key, poll, Fault(FaultKind.NO_ANSWER, "NoAnswer", "a probe was not answered in time"))
        with anyio.move_on_after(patience_s) as scope:
            self._scopes[key][poll] = scope
            try:
                answer = await self._sources[key].receive(
                    count_max=command.count_max, wait_s=command.wait_s, visibility_s=command.visibility_s
                )
                fact = MessagesReceived(key, poll, answer.messages, asked_at, answer.answered_at, answer.queue_wait_s)
            except QueueError as error:
                fact = ReceiveFailed(key, poll, error.fault)
        del self._scopes[key][poll]
        self._note_health(fact)
        if poll in self._open[key]:
            self._open[key].discard(poll)
            self._inbox.put(fact)

    def _note_health(self, fact: MessagesReceived | ReceiveFailed) -> None:
        health = self._health.sources[fact.source]
        if isinstance(fact, MessagesReceived):
            health.last_completed_at = self._clock.now()
            health.trouble = None
            if len(self._open[fact.source]) <= 1:
                health.poll_due_since = None  # The next one is due when the engine asks for it.
        else:  # Still due: the engine only pauses.
            health.trouble = str(fact.fault)
