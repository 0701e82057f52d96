"""Whether to ask for more now, and whether there is nothing left to ask for.

Rules kept here and nowhere else:

1. After a stop request nothing is received.
2. While the service is far behind with settlements, nothing more is asked for.
3. With `exit_when_empty` a worker leaves once it holds nothing and every source is known to be empty.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from forebay.errors import FaultKind
from forebay.queue.port import WAIT_MAX_S
from forebay.worker.appetite import Appetite
from forebay.worker.emptiness import Emptiness
from forebay.worker.guarding import Guarding
from forebay.worker.polling import Polling, Room
from forebay.worker.records import Desk, queue_name
from forebay.worker.running import Running
from forebay.worker.vocabulary import Counted

SETTLING_MAX_FACTOR = 10
"""Nothing is received while more than this many times the slots are being settled: the service is not keeping up."""


class Asking:
    """Decides on receives in every turn."""

    def __init__(
        self,
        desk: Desk,
        polling: Polling,
        guarding: Guarding,
        running: Running,
        appetite: Appetite,
        *,
        stop: Callable[[str, float], None],
    ) -> None:
        self._desk = desk
        self._settings = desk.settings
        self._polling = polling
        self._guarding = guarding
        self._running = running
        self._appetite = appetite
        self._stop = stop
        self._has_caps = False
        keys = list(polling.sources)
        self._emptiness = Emptiness(keys) if desk.settings.exit_when_empty else None

    @property
    def wake_at(self) -> float | None:
        counting_at = self._emptiness.wake_at if self._emptiness is not None else None
        instants = (self._polling.wake_at, counting_at, self._appetite.wake_at)
        return min((at for at in instants if at is not None), default=None)

    def turn(self, now: float) -> None:
        """Open the polls that should be open now; begin to leave if nothing is left to ask for."""
        desk = self._desk
        self._polling.wake_at = self._appetite.wake_at = None
        if self._emptiness is not None:
            self._emptiness.wake_at = None
            if not desk.records and not desk.is_stopping:
                self._look_whether_empty(now)
        if desk.is_stopping or not self._guarding.may_poll(now):
            return
        slots = self._settings.slots
        free = slots - desk.busy - self._polling.asked
        if desk.settling > max(1_000, SETTLING_MAX_FACTOR * slots):
            free = 0
        could_start = self._set_caps(now)
        free = int(min(free, could_start - self._polling.asked))
        self._set_waits(desk)
        free_bytes = self._settings.buffer_bytes - desk.held_bytes
        useful = int(min(slots, max(1, desk.busy + could_start)))
        room = Room(useful, free, free_bytes, is_idle=not desk.records)
        receives = self._polling.ask(room, now=now)
        for receive in receives:
            if room.is_idle and receive.wait_s > 0:
                desk.report("poll.started", queue=queue_name(receive.source), wait_s=receive.wait_s)
        desk.commands.extend(receives)

    def _set_caps(self, now: float) -> float:
        """Keep each source's polls to what could be started of it; return how many messages could be in all."""
        appetite, polling = self._appetite, self._polling
        if appetite.is_unlimited:
            if self._has_caps:
                self._has_caps = False
                for source in polling.sources.values():
                    source.count_max = inf
            return inf
        self._has_caps = True
        of_all = appetite.of_all(now)
        for key, source in polling.sources.items():
            source.count_max = appetite.of_source(key, now)
        return of_all

    def _set_waits(self, desk: Desk) -> None:
        """Shorten the polls where a long one would be in the way."""
        if self._emptiness is not None:
            for key, source in self._polling.sources.items():
                source.wait_max_s = self._emptiness.wait_s(key, float(WAIT_MAX_S))
        elif self._settings.protect == "always":
            for source in self._polling.sources.values():
                source.wait_max_s = 0.0 if desk.records else float(WAIT_MAX_S)

    def _look_whether_empty(self, now: float) -> None:
        assert self._emptiness is not None
        described = all(source.is_described for source in self._polling.sources.values())
        if not described:
            return
        self._desk.commands.extend(self._emptiness.ask(now=now))
        if self._emptiness.all_empty:
            self._stop("empty", now)

    def learned(self, key: str, count: int, *, waited_s: float, now: float) -> None:
        """Take note of an answer with `count` messages."""
        emptiness = self._emptiness
        if emptiness is None:
            return
        if count:
            emptiness.undo()
        elif not self._desk.records:
            emptiness.retry_hidden_until = self._running.retry_hidden_until
            emptiness.polled_empty(key, waited_s=waited_s, now=now)

    def counted(self, event: Counted, now: float) -> None:
        if self._emptiness is not None:
            is_denied = event.fault is not None and event.fault.kind is FaultKind.DENIED
            self._emptiness.counted(event, is_denied=is_denied, now=now)
