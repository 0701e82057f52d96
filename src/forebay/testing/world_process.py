"""One worker process in the simulated world: the shipped engine, with a driver's duties done on virtual time.

Rules kept here and nowhere else:

1. The engine hears only what a driver would tell it, and everything that it says is carried out.
2. It is called when a fact comes or when `wake_at` says so, and never besides: a forgotten wake-up must show.
3. While the control loop stands still, facts queue up; afterwards they come in the order of their arrival.
4. Batches are put together by the shipped `worker.batching`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from forebay.handlers.executor import Ended
from forebay.handlers.registry import BatchRule, Handler, Registry
from forebay.model import Attempt
from forebay.protection.policy import Policy
from forebay.protection.port import ProtectionAnswer
from forebay.testing.world_account import Known
from forebay.testing.world_agent import Agent
from forebay.testing.world_calls import Calls
from forebay.testing.world_checks import Witness
from forebay.testing.world_children import Children
from forebay.testing.world_code import Code, Executor
from forebay.testing.world_plan import JobPlan
from forebay.worker.batching import Batching
from forebay.worker.engine import Engine
from forebay.worker.vocabulary import (
    AbandonPolls,
    Bury,
    Command,
    Conclude,
    Count,
    Delete,
    Event,
    Exit,
    ExtendRequested,
    Finished,
    Hold,
    Interrupt,
    LookAtProtection,
    Notify,
    ProtectionAnswered,
    Receive,
    Release,
    Renew,
    Report,
    Resend,
    RoomChanged,
    Start,
    StopNow,
    StopRequested,
    Stuck,
    Tick,
    Unhold,
)

if TYPE_CHECKING:
    from forebay.testing.world import World


class Process:
    """A worker, from its start until it has left or was killed."""

    def __init__(self, world: World, name: str, rng: Random) -> None:
        plan = world.plan
        self.world = world
        self.name = name
        self.plan = plan
        self.is_alive = True
        self.exit: Exit | None = None
        self.agent = Agent(plan.agent, world.time, rng)
        self.executor = Executor(
            name, plan, world.time, rng, trusts=self._trusts, ended=self._ended, extend=self._extend,
            crashed=lambda: self._children.lost(),
        )  # fmt: skip
        policy = Policy(
            mode=plan.settings.protect,
            linger_s=plan.settings.protection_linger_s,
            margin_s=plan.settings.trust_margin_s,
            rng=rng,
            is_available=plan.agent.is_available,
        )
        self.engine = Engine(
            plan.settings,
            Registry([_handler(job) for job in plan.jobs], default=_handler(plan.default) if plan.default else None),
            world.service.urls,
            policy=policy,
            rng=rng,
        )
        self.witness = Witness(world, self)
        self._calls = calls = Calls(world, self, rng)
        self._batching = Batching(calls.send_batch)
        self.is_stopping = False
        self._inbox: list[Event] = []
        self._stalled_until = 0.0
        self._wake_number = 0
        self._performers: dict[type[Command], Callable[[Any], None]] = {
            Receive: calls.receive,
            AbandonPolls: calls.abandon,
            Start: self._start,
            Interrupt: self._interrupt,
            Notify: self._notify,
            Renew: lambda command: self._batch("renew", command),
            Delete: lambda command: self._batch("delete", command),
            Release: lambda command: self._batch("release", command),
            Bury: calls.bury,
            Resend: calls.resend,
            Hold: lambda command: self.agent.hold(command.minutes, self._protection_answered),
            Unhold: lambda _: self.agent.unhold(self._protection_answered),
            LookAtProtection: lambda _: self.agent.look(self._protection_answered),
            Count: calls.count,
            Conclude: lambda _: None,
            Report: lambda _: None,
            Stuck: lambda _: None,
            Exit: self._exit,
        }
        for url in world.service.urls:
            calls.describe(url)
        self._children = Children(plan.children, world.time, rng, lambda room: self.hear(RoomChanged("process", room)))
        for after_s in plan.recycled_at:
            self._children.recycled_at(world.time.now + after_s)
        self._wake_up_at(world.time.now)

    def __repr__(self) -> str:
        return self.name

    # ── from outside ───────────────────────────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        self.is_stopping = True
        self.hear(StopRequested("SIGTERM"))

    def stop_now(self) -> None:
        self.is_stopping = True
        self.hear(StopNow("second signal"))

    def kill(self) -> None:
        """SIGKILL, or what is left after an exit: the process and its memory are gone, its requests may go on."""
        self.is_alive = False
        self.executor.die()
        self._calls.leave_all()

    # ── the loop ───────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, event: Event) -> None:
        """A fact has come."""
        if not self.is_alive:
            return
        self._inbox.append(event)
        if self.world.time.now >= self._stalled_until:
            self._turn()

    def _turn(self) -> None:
        if not self.is_alive:
            return
        now = self.world.time.now
        if now < self._stalled_until:
            return
        stall_s = self.world.network.stall_s()
        if stall_s:
            self.witness.stalled(stall_s)
            self._stalled_until = now + stall_s
            self.world.time.at(self._stalled_until, self._turn)
            return
        events, self._inbox = self._inbox or [Tick()], []
        for event in events:
            self.witness.hears(event)
            commands = self.engine.handle(event, now=now)
            for command in commands:
                self.witness.says(command)
                self._performers[type(command)](command)
            if self.exit is not None:
                return
            self.witness.after_step()
        self._batching.flush(now)
        self._schedule()

    def _schedule(self) -> None:
        wake_ats = [at for at in (self.engine.wake_at, self._batching.wake_at) if at is not None]
        if wake_ats:
            self._wake_up_at(max(min(wake_ats), self.world.time.now))

    def _wake_up_at(self, at: float) -> None:
        self._wake_number += 1
        number = self._wake_number

        def wake_up() -> None:
            if number == self._wake_number:
                self.witness.woken()
                self._turn()

        self.world.time.at(at, wake_up)

    # ── commands ───────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, command: Start) -> None:
        batches: dict[int, list[tuple[Attempt, Known]]] = {}
        for attempt in command.attempts:
            batches.setdefault(attempt.batch or -attempt.number, []).append((attempt, self._known(attempt)))
        for attempts in batches.values():
            for code in self.executor.start(attempts):
                self.witness.copies.started(code)

    def _known(self, attempt: Attempt) -> Known:
        return self.world.service.by_id[attempt.message.message_id]

    def _interrupt(self, command: Interrupt) -> None:
        self.executor.interrupt(command.number, because_of_limit=command.because_of_limit)

    def _notify(self, command: Notify) -> None:
        signals = command.attempt.signals
        signals.lease_lost = signals.lease_lost or command.lease_lost
        signals.stopping = signals.stopping or command.stopping
        signals.hand_on = signals.hand_on or command.hand_on

    def _batch(self, kind: str, command: Delete | Release | Renew) -> None:
        linger = kind == "delete" and not self.is_stopping
        self._batching.add(kind, command.source, command.entries, now=self.world.time.now, linger=linger)

    def _exit(self, command: Exit) -> None:
        self.exit = command
        self.kill()
        self.world.left(self)

    # ── facts from code and agent ──────────────────────────────────────────────────────────────────────────

    def _ended(self, ended: list[Ended]) -> None:
        self.hear(Finished(ended))

    def _extend(self, number: int, limit_s: float) -> None:
        self.hear(ExtendRequested(number, limit_s))

    def _protection_answered(self, answer: ProtectionAnswer) -> None:
        self.hear(ProtectionAnswered(answer))

    def _trusts(self, code: Code, now: float) -> bool:
        return self.is_alive and now >= self._stalled_until and self.witness.trusts(code, now)


def _handler(job: JobPlan) -> Handler:
    batch = BatchRule(job.batch_size, job.linger_s) if job.batch_size else None
    return Handler(
        job.name, job.runs, lambda _: None, job.limit_s, job.attempts_max,
        retry=job.retry, slots_max=job.slots_max, batch=batch,
    )  # fmt: skip
