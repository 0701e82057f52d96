"""A whole world on virtual time: queues, workers, code, agent and network, every trouble drawn from one seed.

    python -m forebay.testing.world --seed 1234 --trace       one world, told step by step
    python -m forebay.testing.world --seeds 10000             many, as `make soak` does

Rules kept here and nowhere else:

1. The engine, the protection policy, the batching and the rules of SQS are the shipped ones. Nothing of them is copied.
2. Whatever happens follows from the seed: a failing one prints itself and replays.
3. The invariants are checked after every step. When the troubles have ended, every message must find its end: done,
   in the dead-letter queue, or parked. None may be missing.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

from forebay.testing.world_account import PARKED_S, Known
from forebay.testing.world_draw import draw_plan
from forebay.testing.world_faults import Network
from forebay.testing.world_plan import NO_SUCH_JOB, Arrival, Plan, SourcePlan, StopPlan
from forebay.testing.world_process import Process
from forebay.testing.world_service import Service
from forebay.testing.world_time import Time

PATIENCE_S = 4_000.0
"""How long after the troubles everything must have found its end, beyond the longest time that a message is hidden."""
STEPS_MAX = 400_000
TOLD_MAX = 400


class Broken(AssertionError):
    """A world in which something that must hold does not."""


class World:
    """One simulated world."""

    def __init__(self, plan: Plan, *, trace: list[str] | None = None) -> None:
        self.plan = plan
        self.trace = trace
        self.time = Time(Random(f"time {plan.seed}"))
        self.network = Network(self.time, plan.faults, Random(f"network {plan.seed}"))
        self.service = Service(plan, self.time, Random(f"service {plan.seed}"), self.broken)
        self.processes: list[Process] = []
        self._seats: list[Process | None] = [None] * plan.seats
        self._is_calm = False
        self._to_arrive = len(plan.arrivals)
        self._plans = dict(zip(self.service.urls, plan.sources, strict=True))
        self.steps = 0

    # ── what the others ask ────────────────────────────────────────────────────────────────────────────────

    def broken(self, invariant: str, what: str) -> None:
        raise Broken(f"seed {self.plan.seed} at {self.time.now:.3f} s: {invariant}: {what}")

    def tell(self, line: str) -> None:
        """Add a line to the trace, if there is one."""
        if self.trace is not None:
            self.trace.append(f"{self.time.now:12.4f} {line}")

    def source_plan(self, url: str) -> SourcePlan:
        return self._plans[url]

    def is_left(self, known: Known) -> bool:
        """Whether a message is in its queue for all that is known (the service itself may have moved it)."""
        return not known.is_deleted and known.deliveries < self.source_plan(known.source).receive_count_max

    def is_unroutable(self, known: Known) -> bool:
        """Whether no handler of this world does what the message asks for."""
        return self.plan.default is None if known.job is None else known.job == NO_SUCH_JOB

    def left(self, process: Process) -> None:
        """A worker has exited; another comes into its seat after a while."""
        self.tell(f"{process.name} has left: {process.exit}")
        seat = self._seats.index(process)
        self._seats[seat] = None
        pause_s = 0.5 if self._is_calm else Random(f"pause {self.plan.seed} {process.name}").uniform(0.1, 20.0)
        self.time.after(pause_s, lambda: self._sit_down(seat))

    # ── the course of things ───────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Turn this world until everything has found its end. Raises `Broken` when it does not, or not properly."""
        plan, time = self.plan, self.time
        for arrival in plan.arrivals:
            time.at(arrival.at, partial(self._arrive, arrival))
        for seat in range(plan.seats):
            time.at(0.0, partial(self._sit_down, seat))
        for stop in plan.stops:
            time.at(stop.at, partial(self._stop, stop))
        time.at(plan.calm_at, self._calm)
        self._turn_until(lambda: self._is_calm and self._to_arrive == 0)
        give_up_at = time.now + PATIENCE_S + self._longest_hidden_s()
        self._turn_until(lambda: self._is_done() or time.now > give_up_at)
        self._check_end()

    def _turn_until(self, is_over: Callable[[], bool]) -> None:
        time, service = self.time, self.service
        while not is_over():
            self.steps += 1
            if self.steps > STEPS_MAX:
                self.broken("an end", f"nothing has ended after {STEPS_MAX} steps")
            due_at = service.next_event_at()
            if due_at <= time.next_at:
                time.now = max(time.now, due_at)
                service.turn()
            else:
                time.turn()

    def _longest_hidden_s(self) -> float:
        """How long a message that nobody works on may stay hidden yet."""
        now = self.time.now
        hidden_s = [known.hidden_until - now for known in self.service.by_id.values() if not known.is_deleted]
        return max([0.0, *(s for s in hidden_s if s < PARKED_S)]) + 2 * self.plan.limit_max_s

    def _arrive(self, arrival: Arrival) -> None:
        self._to_arrive -= 1
        self.service.send(arrival)

    def _sit_down(self, seat: int) -> None:
        if self._seats[seat] is not None:
            return
        name = f"worker {len(self.processes) + 1}"
        process = Process(self, name, Random(f"worker {self.plan.seed} {len(self.processes)}"))
        if self._is_calm:
            process.agent.calm()
            process.executor.calm()
        self.processes.append(process)
        self._seats[seat] = process

    def _stop(self, stop: StopPlan) -> None:
        process = self._seats[stop.seat]
        if process is None:
            return
        self.tell(f"{process.name}: {stop.kind}")
        if stop.kind == "kill":
            process.kill()
            self.left(process)
        elif stop.kind == "stop":
            process.stop()
        else:
            process.stop_now()

    def _calm(self) -> None:
        """The troubles end. Workers whose code will never end are stopped, as an operator would."""
        self.tell("calm")
        self._is_calm = True
        self.network.calm()
        self.service.calm()
        for process in list(self._seats):
            if process is None:
                continue
            process.agent.calm()
            process.executor.calm()
            if self.plan.replaces_at_calm or self.plan.code.never_end or self.plan.code.give_up:
                process.stop()

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────

    def _is_done(self) -> bool:
        return all(self._has_ended(known) for known in self.service.by_id.values())

    def _has_ended(self, known: Known) -> bool:
        if known.is_deleted or known.copies:
            return True
        if known.hidden_until - self.time.now > PARKED_S / 2 and not known.holders:
            return True  # Parked.
        if not self.is_left(known) and self.time.now > known.hidden_until + 60:
            return True  # The service moved it.
        return self._is_hopeless(known) and known.deliveries > 0

    def _is_hopeless(self, known: Known) -> bool:
        """Whether nobody here can do it, nor bury it, nor hide it for long: it comes again and again."""
        source = self.source_plan(known.source)
        may_bury = source.has_dead_letter and source.may_describe
        return self.is_unroutable(known) and not source.may_renew and not may_bury

    def _check_end(self) -> None:
        now = self.time.now
        for known in self.service.by_id.values():
            if not self._has_ended(known):
                self.broken("an end", f"message {known.number} has found none by {now:.0f} s: {known}")
        for url in self.service.urls:
            held = sum(1 for known in self.service.by_id.values() if known.source == url and not known.is_deleted)
            found = self.service.left(url) + self.service.moved(url)
            if held != found:
                self.broken("nothing is lost", f"{held} messages should be in {url} and its dead letters, {found} are")


class Story(NamedTuple):
    """How one seed went."""

    seed: int
    steps: int
    failure: str | None
    trace: list[str]


def run_seed(seed: int, *, trace: bool = False) -> Story:
    """Run the world of `seed`, and return how it went."""
    return run_plan(draw_plan(seed), trace=trace)


def run_plan(plan: Plan, *, trace: bool = False) -> Story:
    """Run the world of `plan`, and return how it went."""
    told: list[str] = []
    world = World(plan, trace=told if trace else None)
    failure: str | None = None
    try:
        world.run()
    except AssertionError as error:  # Our checks, and the engine's own.
        failure = str(error) if isinstance(error, Broken) else f"seed {plan.seed}: {traceback.format_exc()}"
    return Story(plan.seed, world.steps, failure, told)


if __name__ == "__main__":
    from forebay.testing.world_main import main

    sys.exit(main(sys.argv[1:]))
