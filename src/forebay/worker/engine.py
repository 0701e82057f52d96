"""The worker's brain: it hears what happened and says what to do. It never waits, reads no clock, opens nothing.

Rules kept here and nowhere else:

1. Facts come in through `handle`, one at a time; what follows is returned at once as commands.
2. A job starts only under a trusted lease, and only while protection is held or not needed.
3. Every message received ends exactly once in the ledger. What is held is in `records`, and nowhere else.
4. Nothing is settled while its code may still run, save in the last second before the exit.
5. After a stop request nothing is received; what open polls still bring goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forebay.handlers.registry import Registry
from forebay.protection.policy import Policy
from forebay.queue.port import Description
from forebay.settings import WorkerSettings
from forebay.worker.appetite import Appetite
from forebay.worker.asking import Asking
from forebay.worker.breaker import Breaker
from forebay.worker.copies import Copies
from forebay.worker.drain import Phase
from forebay.worker.ending import Ending
from forebay.worker.guarding import Guarding
from forebay.worker.handing_on import HandingOn
from forebay.worker.leasing import Leasing
from forebay.worker.polling import Polling
from forebay.worker.receiving import Receiving
from forebay.worker.records import Desk
from forebay.worker.rooms import Rooms
from forebay.worker.running import Running
from forebay.worker.settling import Settling
from forebay.worker.starting import Starting
from forebay.worker.stopping import Stopping
from forebay.worker.vocabulary import (
    Buried,
    Command,
    Counted,
    Deleted,
    Described,
    Event,
    ExtendRequested,
    Finished,
    MessagesReceived,
    ProtectionAnswered,
    ReceiveFailed,
    Released,
    Renewed,
    Resent,
    RoomChanged,
    StopNow,
    StopRequested,
    Tick,
)

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker is doing, for health checks and dashboards."""

    phase: Phase
    waiting: int
    running: int
    settling: int
    polls_open: int
    ledger: Mapping[str, int]


class Engine:
    """One worker's decisions."""

    def __init__(
        self,
        settings: WorkerSettings,
        registry: Registry,
        sources: Sequence[str],
        *,
        policy: Policy,
        rng: Random,
    ) -> None:
        assert sources, "a worker needs a source"
        self.settings = settings
        limit_max_s = max((handler.limit_s for handler in registry), default=settings.visibility_s)
        self._desk = desk = Desk(settings, rng, descriptions=dict.fromkeys(sources, Description()))
        self._polling = Polling(list(sources), visibility_s=settings.visibility_s, rng=rng)
        self._leasing = Leasing(desk, lost=lambda record, why: self._running.lease_lost(record, why))
        self._settling = Settling(desk, self._leasing, self._polling, Copies(desk, self._polling))
        self._guarding = Guarding(desk, policy, limit_max_s=limit_max_s)
        self._rooms = Rooms(registry)
        self._breaker = Breaker(desk, (handler.name for handler in registry))
        self._handing_on = HandingOn(desk, self._guarding)
        ending = Ending(desk, registry, self._breaker)
        self._running = Running(
            desk,
            ending,
            self._rooms,
            self._handing_on,
            self._settling,
            self._guarding,
            stuck=lambda record, now: self._stopping.stuck(record, now),
        )
        self._starting = Starting(
            desk, registry, self._rooms, self._breaker, self._running, self._guarding, self._polling
        )
        self._appetite = Appetite(registry, self._rooms, self._breaker, settings.slots, self._starting.waiting)
        self._stopping: Stopping = Stopping(desk, self._polling, self._settling, self._running, self._breaker)
        self._asking = Asking(
            desk, self._polling, self._guarding, self._running, self._appetite, stop=self._stopping.begin
        )
        self._receiving = Receiving(
            desk,
            registry,
            self._polling,
            self._leasing,
            self._settling,
            self._guarding,
            self._running,
            self._starting,
            self._appetite,
            self._asking,
            limit_max_s=limit_max_s,
            stop=self._stopping.begin,
        )
        self._handlers: dict[type[Event], Callable[[Any, float], None]] = {
            MessagesReceived: self._receiving.received,
            Finished: self._running.finished,
            Deleted: self._settling.deleted,
            Renewed: self._receiving.renewed,
            Released: self._settling.released,
            Buried: self._settling.copied,
            Resent: self._settling.copied,
            ReceiveFailed: self._receiving.failed,
            Described: self._receiving.described,
            ProtectionAnswered: self._protection_answered,
            ExtendRequested: self._running.extend,
            RoomChanged: self._rooms.changed,
            Counted: self._asking.counted,
            StopRequested: self._stop_requested,
            StopNow: self._stop_now,
            Tick: self._tick,
        }
        self.wake_at: float | None = 0.0
        """When to be called again though nothing happened."""

    # ── the one way in ─────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: Event, *, now: float) -> list[Command]:
        """Take in one fact and return what is to be done about it."""
        desk = self._desk
        self._handlers[type(event)](event, now)
        self._leasing.tick(now)
        self._settling.tick(now)
        self._running.tick(now)
        self._handing_on.tick(now)
        self._guarding.turn(now)
        self._starting.turn(now)
        self._asking.turn(now)
        self._settling.unblock(now)
        self._stopping.turn(now)
        self._settling.flush()
        self.wake_at = self._earliest()
        assert desk.busy + self._polling.asked <= self.settings.slots, (desk.busy, self._polling.asked)
        assert desk.ledger.orphaned(held=len(desk.records)) == 0, desk.ledger
        commands, desk.commands = desk.commands, []
        return commands

    @property
    def stopped(self) -> bool:
        return self._stopping.drain.phase is Phase.GONE

    @property
    def holds_anything(self) -> bool:
        return bool(self._desk.records)

    @property
    def is_full(self) -> bool:
        """Whether every slot is taken, so that no poll is due."""
        return self._desk.busy >= self.settings.slots

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know, though nothing is broken."""
        notes: list[str] = []
        if self._desk.is_stopping:
            notes.append(f"stopping: {self._stopping.drain.reason}")
        elif self._guarding.is_paused:
            notes.append("task protection is refused for the moment: nothing is received")
        elif self._guarding.is_refused_for_good:
            notes.append(f"running without task protection: {self._guarding.lasting_reason}")
        notes += [
            f"what job {job!r} depends on seems to be broken: it is tried one at a time"
            for job in self._breaker.suspected
        ]
        return tuple(notes)

    @property
    def ledger(self) -> Mapping[str, int]:
        return self._desk.ledger.as_fields()

    @property
    def orphaned(self) -> int:
        """Messages that no column explains: 0, or we have lost count of one."""
        return self._desk.ledger.orphaned(held=0 if self.stopped else len(self._desk.records))

    def snapshot(self) -> Snapshot:
        """Return what is going on, by value."""
        desk = self._desk
        polls = sum(len(source.polls) for source in self._polling.sources.values())
        waiting = len(desk.waiting)
        return Snapshot(self._stopping.drain.phase, waiting, desk.running, desk.settling, polls, self.ledger)

    def _earliest(self) -> float | None:
        instants = (
            self._leasing.wake_at,
            self._running.wake_at,
            self._handing_on.wake_at,
            self._starting.wake_at,
            self._settling.wake_at,
            self._guarding.wake_at if not self._desk.is_stopping or self._desk.is_retiring else None,
            self._asking.wake_at,
            self._stopping.drain.wake_at,
        )
        return min((at for at in instants if at is not None), default=None)

    # ── time, protection, stops ────────────────────────────────────────────────────────────────────────────

    def _tick(self, _event: Tick, now: float) -> None:
        """Time alone is looked after in every turn."""

    def _protection_answered(self, event: ProtectionAnswered, now: float) -> None:
        self._guarding.answered(event.answer, now)
        self._handing_on.protection_answered(now)
        if self.settings.protect == "always" and self._guarding.is_refused_for_good:
            self._stopping.begin(f"protection refused: {self._guarding.lasting_reason}", now, status=1)

    def _stop_requested(self, event: StopRequested, now: float) -> None:
        self._stopping.begin(event.reason, now, status=event.status)
        self._guarding.stop()

    def _stop_now(self, event: StopNow, now: float) -> None:
        self._stopping.hurry(event.reason, now)
        self._guarding.stop()
