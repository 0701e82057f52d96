"""Carries the engine's commands out and brings the facts back: the control loop.

Rules kept here and nowhere else:

1. No user code runs on this loop, and nothing on it waits for the outside: every call has a task of its own.
2. No task, scope or timer is made for a job. What is made is made for a call of up to ten of them.
3. A call that fails becomes a fact. Only a bug of ours ends the loop with an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from forebay.clock import Clock
from forebay.handlers.executor import Executor
from forebay.handlers.registry import Registry
from forebay.model import Attempt
from forebay.observability.health import HealthState
from forebay.protection.port import Protection
from forebay.queue.port import Source
from forebay.worker.batching import Batching
from forebay.worker.burial_note import Notes
from forebay.worker.calls import Call, Calls, ProtectionCall
from forebay.worker.crew import Crew
from forebay.worker.describing import Describing
from forebay.worker.engine import Engine
from forebay.worker.inbox import Inbox
from forebay.worker.lookout import Lookout
from forebay.worker.polls import Polls
from forebay.worker.recorder import Recorder
from forebay.worker.vocabulary import (
    AbandonPolls,
    Bury,
    Command,
    Conclude,
    Count,
    Delete,
    Exit,
    Hold,
    Interrupt,
    LookAtProtection,
    Notify,
    Receive,
    Release,
    Renew,
    Report,
    Resend,
    Start,
    StopNow,
    StopRequested,
    Stuck,
    Tick,
    Unhold,
)

TURN_S = 1.0
"""The loop turns at least this often while anything is held, so that blocked handlers are noticed."""
IDLE_TURN_S = 5.0
"""And at least this often otherwise: `/live` asks for ten seconds."""


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
        turn_s: float = TURN_S,
    ) -> None:
        """`turn_s` is how often the loop turns at least while anything is held.

        `stop_hint` is added to what is said when a drain starts, for somebody at a terminal.
        """
        self._engine = engine
        self._sources = sources
        # One place may be there for several kinds.
        self._executors = tuple(dict.fromkeys(executors.values()))
        self._executor_of = {handler.name: executors[handler.runs] for handler in registry}
        self._only_executor = self._executors[0] if len(self._executors) == 1 else None
        self._recorder = recorder
        self._clock = clock
        self._health = health if health is not None else HealthState(clock.now())
        self._inbox = Inbox()
        self._notes = Notes(clock)
        self._calls = Calls(sources, protection, self._inbox, self._notes, clock)
        self._stop_hint = stop_hint
        self._turn_s, self._idle_turn_s = turn_s, max(turn_s, IDLE_TURN_S)
        self._batching = Batching(self._hand)
        self._exit: Exit | None = None
        self._is_stopping = False
        self._lookout = Lookout(engine, self._executors, recorder, self._health)
        self._performers = self._all_performers()
        self._crew: Crew[Call]
        self._polls: Polls
        self._describing: Describing
        self._tasks: anyio.abc.TaskGroup

    def _all_performers(self) -> dict[type[Command], Callable[[Any], None]]:
        return {
            Receive: self._receive,
            Start: self._start,
            Conclude: self._conclude,
            Delete: lambda command: self._batch("delete", command),
            Renew: lambda command: self._batch("renew", command),
            Release: lambda command: self._batch("release", command),
            Report: self._report,
            Stuck: lambda command: self._lookout.tell_stuck(command, self._executor_of[command.job]),
            Interrupt: self._interrupt,
            Notify: self._notify,
            AbandonPolls: lambda command: self._polls.abandon(command.source),
            Bury: self._hand,
            Resend: self._hand,
            Count: self._hand,
            Hold: self._protect,
            Unhold: self._protect,
            LookAtProtection: self._protect,
            Exit: self._leave,
        }

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
        for executor in self._executors:
            executor.open(self._inbox)
        async with anyio.create_task_group() as self._tasks:
            self._crew = Crew(self._tasks, self._calls.perform)
            self._polls = Polls(self._tasks, self._sources, self._inbox, self._clock, self._health)
            self._describing = Describing(
                self._tasks, self._sources, self._inbox, self._notes, self._health, self._clock,
                tell=self._recorder.report, is_stopping=lambda: self._is_stopping,
            )  # fmt: skip
            self._describing.begin()
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
            self._lookout.look(now)

    def _pause_s(self, now: float) -> float:
        """How long the loop may wait for a fact, in seconds."""
        wake_ats = [at for at in (self._engine.wake_at, self._batching.wake_at) if at is not None]
        longest_s = self._turn_s if self._engine.holds_anything or self._lookout.is_quiet_news else self._idle_turn_s
        return max(0.0, min([longest_s, *(at - now for at in wake_ats)]))

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
        self._lookout.is_quiet_news = True
        self._recorder.concluded(command.conclusions)

    def _interrupt(self, command: Interrupt) -> None:
        self._executor_of[command.job].interrupt(command.number, because_of_limit=command.because_of_limit)

    def _notify(self, command: Notify) -> None:
        signals = command.attempt.signals
        signals.lease_lost = signals.lease_lost or command.lease_lost
        signals.stopping = signals.stopping or command.stopping
        signals.hand_on = signals.hand_on or command.hand_on
        self._executor_of[command.attempt.job].notify(command.attempt)

    def _report(self, command: Report) -> None:
        fields = command.fields
        if command.event == "drain.started" and self._stop_hint is not None:
            fields = {**fields, "note": self._stop_hint}
        self._recorder.report(command.event, fields)
        if command.event == "message.parked":
            self._describing.again()

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
