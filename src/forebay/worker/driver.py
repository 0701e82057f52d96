"""Carries the engine's commands out and brings the facts back: the control loop.

Rules kept here and nowhere else:

1. No user code runs on this loop, and nothing on it waits for the outside: every call has a task of its own.
2. No task, scope or timer is made for a job. What is made is made for a call of up to ten of them.
3. A call that fails becomes a fact. Only a bug of ours ends the loop with an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import anyio

from forebay.clock import Clock
from forebay.errors import QueueError
from forebay.handlers.executor import Executor
from forebay.handlers.registry import Registry
from forebay.model import Attempt
from forebay.observability.health import HealthState
from forebay.protection.port import Protection
from forebay.queue.port import Source, Visibility
from forebay.worker.batching import Batch, Batching
from forebay.worker.burial_note import Notes
from forebay.worker.crew import Crew
from forebay.worker.engine import Engine
from forebay.worker.inbox import Inbox
from forebay.worker.polls import Polls
from forebay.worker.vocabulary import (
    AbandonPolls,
    Buried,
    Bury,
    Command,
    Conclude,
    Conclusion,
    Count,
    Counted,
    Delete,
    Deleted,
    Described,
    Exit,
    Hold,
    Interrupt,
    LookAtProtection,
    Notify,
    ProtectionAnswered,
    Receive,
    ReceiveFailed,
    Release,
    Released,
    Renew,
    Renewed,
    Report,
    Start,
    StopNow,
    StopRequested,
    Tick,
    Unhold,
)

TURN_S = 1.0
"""The loop turns at least this often while anything is held, so that blocked handlers are noticed."""
IDLE_TURN_S = 5.0
"""And at least this often otherwise: `/live` asks for ten seconds."""
DESCRIBE_AGAIN_S = 60.0
"""How often, at most, a queue without a dead-letter queue is asked again whether it has one by now."""
BLOCKED_AGAIN_S = 10.0


class Recorder(Protocol):
    """Who is told what happens: `observability.reporter.Reporter`, or a list in tests."""

    def report(self, event: str, fields: Mapping[str, object], /) -> None: ...

    def started(self, attempts: Sequence[Attempt], /) -> None: ...

    def concluded(self, conclusions: Sequence[Conclusion], /) -> None: ...

    def tick(self) -> None: ...


ProtectionCall = Hold | Unhold | LookAtProtection
Call = Batch | Bury | Count | Hold | Unhold | LookAtProtection


class Driver:
    """One worker's control loop. Made and run on one event loop; `stop` and `stop_now` are called on it too."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        sources: Mapping[str, Source],
        executors: Mapping[str, Executor],
        protection: Protection | None,
        recorder: Recorder,
        clock: Clock,
        *,
        health: HealthState | None = None,
        stop_hint: str | None = None,
    ) -> None:
        """`stop_hint` is added to what is said when a drain starts, for somebody at a terminal."""
        self._engine = engine
        self._sources = sources
        self._executors = executors
        self._executor_of = {handler.name: executors[handler.runs] for handler in registry}
        self._only_executor = next(iter(executors.values())) if len(executors) == 1 else None
        self._protection = protection
        self._recorder = recorder
        self._clock = clock
        self._health = health if health is not None else HealthState(clock.now())
        self._inbox = Inbox()
        self._notes = Notes(clock)
        self._stop_hint = stop_hint
        self._batching = Batching(self._hand)
        self._exit: Exit | None = None
        self._is_stopping = False
        self._is_quiet_news = False
        """The recorder may be holding a summary back that is due within a second."""
        self._described_at: dict[str, float] = {}
        self._blocked_told_at = float("-inf")
        self._looked_for_blockage_at = 0.0
        self._performers: dict[type[Command], Callable[[Any], None]] = {
            Receive: self._receive,
            Start: self._start,
            Conclude: self._conclude,
            Delete: lambda command: self._batch("delete", command),
            Renew: lambda command: self._batch("renew", command),
            Release: lambda command: self._batch("release", command),
            Report: self._report,
            Interrupt: self._interrupt,
            Notify: self._notify,
            AbandonPolls: lambda command: self._polls.abandon(command.source),
            Bury: self._hand,
            Count: self._hand,
            Hold: self._protect,
            Unhold: self._protect,
            LookAtProtection: self._protect,
            Exit: self._leave,
        }
        self._crew: Crew[Call]
        self._polls: Polls
        self._tasks: anyio.abc.TaskGroup

    # ── from outside ───────────────────────────────────────────────────────────────────────────────────────

    def stop(self, reason: str) -> None:
        """Drain. Repeats change nothing."""
        self._is_stopping = True
        self._inbox.put(StopRequested(reason))

    def stop_now(self, reason: str) -> None:
        """Leave within a second."""
        self._is_stopping = True
        self._inbox.put(StopNow(reason))

    async def run(self) -> Exit:
        """Work until the engine says that everything is accounted for."""
        for executor in self._executors.values():
            executor.open(self._inbox)
        async with anyio.create_task_group() as self._tasks:
            self._crew = Crew(self._tasks, self._perform_call)
            self._polls = Polls(self._tasks, self._sources, self._inbox, self._clock, self._health)
            for key in self._sources:
                self._tasks.start_soon(self._describe, key)
            await self._turn_until_exit()
            self._tasks.cancel_scope.cancel()
        assert self._exit is not None
        return self._exit

    # ── the loop ───────────────────────────────────────────────────────────────────────────────────────────

    async def _turn_until_exit(self) -> None:
        engine, clock, inbox = self._engine, self._clock, self._inbox
        tick = (Tick(),)
        while self._exit is None:
            facts = await inbox.take(timeout_s=self._pause_s(clock.now()))
            for fact in facts or tick:
                for command in engine.handle(fact, now=clock.now()):
                    self._performers[type(command)](command)
            now = clock.now()
            self._batching.flush(now)
            self._look_around(now)

    def _pause_s(self, now: float) -> float:
        """How long the loop may wait for a fact, in seconds."""
        wake_ats = [at for at in (self._engine.wake_at, self._batching.wake_at) if at is not None]
        longest_s = TURN_S if self._engine.holds_anything or self._is_quiet_news else IDLE_TURN_S
        return max(0.0, min([longest_s, *(at - now for at in wake_ats)]))

    def _look_around(self, now: float) -> None:
        """Once in a while: let the recorder tell what it held back, and see whether handlers are blocked."""
        self._health.last_turn_at = now
        if now - self._looked_for_blockage_at < TURN_S:
            return
        self._looked_for_blockage_at = now
        self._health.full_slots = self._engine.is_full
        self._health.notes = self._engine.notes
        self._recorder.tick()
        self._is_quiet_news = False
        for executor in self._executors.values():
            blockage = executor.blockage(now=now)
            if blockage is not None and now - self._blocked_told_at >= BLOCKED_AGAIN_S:
                self._blocked_told_at = now
                fields = {"blocked_s": round(blockage.blocked_s, 3), "stack": " > ".join(blockage.stack)}
                self._recorder.report("handlers.blocked", fields)

    # ── commands ───────────────────────────────────────────────────────────────────────────────────────────

    def _receive(self, command: Receive) -> None:
        self._polls.open(command)

    def _start(self, command: Start) -> None:
        self._recorder.started(command.attempts)
        if self._only_executor is not None:
            self._only_executor.start(command.attempts)
            return
        batches: dict[int, tuple[Executor, list[Attempt]]] = {}
        for attempt in command.attempts:
            executor = self._executor_of[attempt.job]
            batches.setdefault(id(executor), (executor, []))[1].append(attempt)
        for executor, attempts in batches.values():
            executor.start(attempts)

    def _conclude(self, command: Conclude) -> None:
        self._is_quiet_news = True
        self._recorder.concluded(command.conclusions)

    def _interrupt(self, command: Interrupt) -> None:
        self._executor_of[command.job].interrupt(command.number, because_of_limit=command.because_of_limit)

    def _notify(self, command: Notify) -> None:
        signals = command.attempt.signals
        signals.lease_lost = signals.lease_lost or command.lease_lost
        signals.stopping = signals.stopping or command.stopping
        self._executor_of[command.attempt.job].notify(command.attempt)

    def _report(self, command: Report) -> None:
        fields = command.fields
        if command.event == "drain.started" and self._stop_hint is not None:
            fields = {**fields, "note": self._stop_hint}
        self._recorder.report(command.event, fields)
        if command.event == "message.parked":
            self._describe_again()

    def _batch(self, kind: str, command: Delete | Release | Renew) -> None:
        linger = kind == "delete" and not self._is_stopping
        self._batching.add(kind, command.source, command.entries, now=self._clock.now(), linger=linger)

    def _protect(self, command: ProtectionCall) -> None:
        if isinstance(command, Hold):
            self._recorder.report("protection.acquiring", {"minutes": command.minutes})
        elif isinstance(command, Unhold):
            self._recorder.report("protection.releasing", {})
        self._hand(command)

    def _leave(self, command: Exit) -> None:
        self._exit = command

    def _hand(self, call: Call) -> None:
        self._crew.hand(call)

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _perform_call(self, call: Call) -> None:
        match call:
            case Batch():
                await self._perform_batch(call)
            case Bury():
                self._inbox.put(await self._perform_burial(call))
            case Count(source=key):
                self._inbox.put(await self._perform_count(key))
            case Hold() | Unhold() | LookAtProtection():
                await self._perform_protection(call)

    async def _perform_batch(self, batch: Batch) -> None:
        source = self._sources[batch.source]
        entries = batch.entries
        asked_at = self._clock.now()
        try:
            if batch.kind == "delete":
                failures = await source.delete([entry.receipt for entry in entries])
            else:
                failures = await source.change_visibility(
                    [Visibility(entry.receipt, entry.seconds) for entry in entries]
                )
        except QueueError as error:
            failures = dict.fromkeys(range(len(entries)), error.fault)
        failed = {entries[index].number: fault for index, fault in failures.items()} if failures else {}
        if batch.kind == "delete":
            self._inbox.put(Deleted(entries, failed))
        elif batch.kind == "renew":
            self._inbox.put(Renewed(entries, asked_at, failed))
        else:
            self._inbox.put(Released(entries, failed))

    async def _perform_burial(self, command: Bury) -> Buried:
        try:
            note = self._notes.write(command.error, command.source)
            await self._sources[command.source].bury(command.message, error=note)
        except QueueError as error:
            return Buried(command.number, error.fault)
        return Buried(command.number)

    async def _perform_count(self, key: str) -> Counted:
        try:
            return Counted(key, await self._sources[key].count())
        except QueueError as error:
            return Counted(key, None, error.fault)

    async def _perform_protection(self, call: ProtectionCall) -> None:
        protection = self._protection
        assert protection is not None, "a policy without an agent asks for nothing"
        if isinstance(call, Hold):
            answer = await protection.hold(minutes=call.minutes)
        elif isinstance(call, Unhold):
            answer = await protection.unhold()
        else:
            answer = await protection.look()
        self._inbox.put(ProtectionAnswered(answer))

    # ── what a source says of itself ───────────────────────────────────────────────────────────────────────

    def _describe_again(self) -> None:
        """Somebody may have added the dead-letter queue that was missing a minute ago."""
        now = self._clock.now()
        for key in self._sources:
            if now - self._described_at.get(key, now) >= DESCRIBE_AGAIN_S:
                self._described_at[key] = now
                self._tasks.start_soon(self._describe, key)

    async def _describe(self, key: str) -> None:
        """Ask until there is an answer. A failure is a failed poll to the engine: number 0 is never a real one's."""
        pause_s = 0.2
        while not self._is_stopping:
            try:
                description = await self._sources[key].describe()
            except QueueError as error:
                self._inbox.put(ReceiveFailed(key, 0, error.fault))
                self._health.sources[key].trouble = str(error.fault)
                await anyio.sleep(pause_s)
                pause_s = min(pause_s * 2, 3.0)
                continue
            self._described_at[key] = self._clock.now()
            self._notes.learn(key, description.arn)
            for note in description.notes:
                self._recorder.report("worker.note", {"queue": key.rstrip("/").rsplit("/", 1)[-1], "note": note})
            self._inbox.put(Described(key, description))
            return
