"""What must hold of every receive that one worker makes (DESIGN invariants 1 and 4, decision 5)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, WAIT_MAX_S
from forebay.settings import VISIBILITY_CEILING_S
from forebay.worker.records import State
from forebay.worker.vocabulary import AbandonPolls, MessagesReceived, Receive, ReceiveFailed

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness

VAIN_POLLS_MAX = 24
"""Receives of one source in one second that brought nothing."""


class PollChecks:
    """Watches one worker's polls."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._open: dict[tuple[str, int], tuple[float, Receive]] = {}
        self._abandoned_until: dict[str, float] = {}
        self._vain: dict[str, deque[float]] = {}

    def is_open(self, source: str, poll: int) -> bool:
        return (source, poll) in self._open

    def ends_at(self, source: str) -> float:
        """When the last open poll on `source` ends by itself, as its caller sees it. 0 when none is open.

        One that was abandoned counts as well: the service may not have noticed. But it hides no longer than it asked.
        """
        ends = [at + receive.wait_s for (key, _), (at, receive) in self._open.items() if key == source]
        abandoned_until = self._abandoned_until.get(source, 0.0)
        ends.append(min(abandoned_until, self._witness.now + self._witness.settings.visibility_s))
        return max(ends)

    def receive(self, command: Receive) -> None:
        """A receive is about to be made."""
        witness, key = self._witness, (command.source, command.poll)
        if witness.leaving.takes_nothing:
            witness.broken("4: no receive after a stop", f"{command}")
        if (
            key in self._open
            or not 1 <= command.count_max <= BATCH_MAX
            or not 0 <= command.wait_s <= WAIT_MAX_S
            or not witness.settings.visibility_s <= command.visibility_s <= VISIBILITY_CEILING_S
        ):
            witness.broken("1: receives", f"{command}")
        self._open[key] = (witness.now, command)
        asked = sum(receive.count_max for _, receive in self._open.values())
        waiting = sum(1 for record in witness.records.values() if record.state is State.WAITING)
        running = len(witness.unfinished)
        if asked + running + waiting > witness.settings.slots:
            witness.broken("1: asked within free slots", f"{asked} asked for, {running} run, {waiting} wait")
        held_bytes = sum(r.body_bytes for r in witness.records.values() if r.state is not State.SETTLING)
        room = (witness.settings.buffer_bytes - held_bytes) // BODY_MAX_BYTES
        if asked > max(1, room):
            witness.broken("1: asked within free bytes", f"{asked} asked for, room for {room}")

    def abandon(self, command: AbandonPolls) -> None:
        """The open polls of a source are given up. Answers that are in the inbox already still come."""
        self._abandoned_until[command.source] = self.ends_at(command.source)
        for key in [key for key in self._open if key[0] == command.source]:
            del self._open[key]

    def answered(self, event: MessagesReceived) -> None:
        if self._open.pop((event.source, event.poll), None) is None and not self._abandoned_until:
            self._witness.broken("world", "an answer to no poll")
        if not event.messages:
            self._in_vain(event.source)

    def failed(self, event: ReceiveFailed) -> None:
        if self._open.pop((event.source, event.poll), None) is not None:
            self._in_vain(event.source)

    def _in_vain(self, source: str) -> None:
        now = self._witness.now
        vain = self._vain.setdefault(source, deque(maxlen=VAIN_POLLS_MAX))
        if len(vain) == VAIN_POLLS_MAX and now - vain[0] < 1.0:
            self._witness.broken("no hot loop", f"{VAIN_POLLS_MAX} receives in {now - vain[0]:.3f} s brought nothing")
        if not vain or vain[-1] != now:  # Facts that were held up by a stall come at one instant.
            vain.append(now)
