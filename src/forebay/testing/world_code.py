"""The users' code in the simulated world: how long each attempt runs, how it ends, and what it does when interrupted.

Rules kept here and nowhere else:

1. Code runs from its start until its end, whatever the worker believes; the end is told to the worker later.
2. What an interrupted attempt ends with is what the shipped executors make of it: the limit's or our interrupt, or, if
   the code goes its own way, whatever it returns or raises.
3. Code that never ends does so only with its process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from forebay.handlers.executor import Ended
from forebay.model import (
    CONTINUED,
    Attempt,
    Crashed,
    Interrupted,
    Outcome,
    Succeeded,
    TimedOut,
)
from forebay.testing.world_account import Holder, Known
from forebay.testing.world_dice import Dice
from forebay.testing.world_plan import Plan

if TYPE_CHECKING:
    from forebay.testing.world_time import Time

NEVER = float("inf")
DELIVERY_MAX_S = 0.005
"""How long an end may take from the executor to the control loop."""

CHECKPOINTS = 3
"""How many an attempt that makes any reaches if it runs to its end."""

_CALM_CODE = dict.fromkeys(("postpone", "reject", "crash", "cancel", "extend", "never_end", "give_up", "long"), 0.0)


class Code(Holder):
    """One running attempt."""

    __slots__ = (
        "attempt",
        "company",
        "ended_with",
        "executor",
        "ignores",
        "is_given_up",
        "is_told",
        "known",
        "started_at",
    )

    def __init__(self, executor: Executor, attempt: Attempt, known: Known, *, now: float) -> None:
        self.executor = executor
        self.attempt = attempt
        self.known = known
        self.started_at = now
        self.ended_with: Outcome | None = None
        self.is_told = False
        """Whether the worker has heard of the end."""
        self.ignores = False
        self.is_given_up = False
        self.company: list[Code] = [self]
        """Those that the same call does: the members of its batch."""

    def __repr__(self) -> str:
        return f"attempt {self.attempt.number} of {self.executor.name}"

    def still_trusts(self, now: float) -> bool:
        return self.executor.trusts(self, now)


class Executor:
    """Everything that runs in one worker's process."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        time: Time,
        rng: Random,
        *,
        trusts: Callable[[Code, float], bool],
        ended: Callable[[list[Ended]], None],
        extend: Callable[[int, float], None],
        crashed: Callable[[], None],
    ) -> None:
        self.name = name
        self._crashed = crashed
        self._runs = {job.name: job.runs for job in (*plan.jobs, *([plan.default] if plan.default else []))}
        self.trusts = trusts
        self._time = time
        self._rng = rng
        self._checkpoint_rng = Random(f"checkpoints {plan.seed} {name}")
        self._dice = Dice(plan, time, rng)
        self._code_plan = plan.code
        self._tell = ended
        self._extend = extend
        self.codes: dict[int, Code] = {}
        """Every attempt ever started here, by number."""
        self.running: dict[int, Code] = {}
        self._to_tell: list[Ended] = []
        self._is_dead = False

    def calm(self) -> None:
        """What starts from now on is short and mostly succeeds."""
        self._code_plan = replace(self._code_plan, fail=min(0.05, self._code_plan.fail), **_CALM_CODE)

    def start(self, attempts: Sequence[tuple[Attempt, Known]]) -> list[Code]:
        """Run an attempt, or a batch of them in one call."""
        plan, rng, time = self._code_plan, self._rng, self._time
        codes = [Code(self, attempt, known, now=time.now) for attempt, known in attempts]
        ignores, never_ends = rng.random() < plan.ignore_interrupts, rng.random() < plan.never_end
        for code in codes:
            self.codes[code.attempt.number] = self.running[code.attempt.number] = code
            code.known.holders.append(code)
            code.company = codes
            code.ignores = (ignores or never_ends) and not self._can_kill(code)
        if never_ends:
            return codes
        attempt = codes[0].attempt
        lasts_s = self._dice.length_s(plan, attempt.limit_s)
        outcomes = self._dice.outcomes(plan, attempt.job, len(codes))
        if plan.extend and rng.random() < plan.extend:
            by_s = rng.choice([1.0, attempt.limit_s, 2 * attempt.limit_s])
            time.after(lasts_s * rng.random(), lambda: self._ask_for_time(codes, by_s))
        if not attempt.batch and self._checkpoint_rng.random() < plan.checkpoint:
            for step in range(1, CHECKPOINTS + 1):
                time.after(lasts_s * step / (CHECKPOINTS + 1), lambda: self._checkpoint(codes[0]))
        time.after(lasts_s, lambda: self._end_all(codes, outcomes))
        return codes

    def _can_kill(self, code: Code) -> bool:
        return self._runs[code.attempt.job] == "process"

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        """Ask an attempt to end, as the shipped executors do."""
        code, rng = self.running.get(number), self._rng
        if code is None:
            return
        if code.ignores:
            if because_of_limit and self._code_plan.give_up and rng.random() < self._code_plan.give_up:
                self._give_up(code)
            return
        codes = code.company
        outcomes: list[Outcome] = [TimedOut(code.attempt.limit_s) if because_of_limit else Interrupted()] * len(codes)
        if rng.random() < 0.2 and not self._can_kill(code):
            outcomes = self._dice.outcomes(self._code_plan, code.attempt.job, len(codes))
        self._time.after(
            rng.choice([0.0, 0.001, 0.3]) * rng.random(),
            lambda: self._end_all(codes, outcomes, is_killed=self._can_kill(code)),
        )

    def die(self) -> None:
        """The process is gone, and all that ran in it."""
        self._is_dead = True
        for code in list(self.running.values()):
            self._leave(code)

    def _checkpoint(self, code: Code) -> None:
        """Reach the next state, and end there if the code is told to, as `ctx.checkpoint` does."""
        if code.attempt.number not in self.running:
            return
        signals, state = code.attempt.signals, code.attempt.message.state
        signals.checkpoint = str(int(signals.checkpoint or state or 0) + 1)
        if (signals.hand_on or signals.stopping) and not code.ignores:
            self._end(code, CONTINUED)

    def _ask_for_time(self, codes: Sequence[Code], by_s: float) -> None:
        for code in codes:
            if code.attempt.number in self.running:
                self._extend(code.attempt.number, by_s)

    def _give_up(self, code: Code) -> None:
        """Tell that the limit has passed and that the code would not stop. It runs until the process ends."""
        code.is_given_up = True
        self._to_tell.append(Ended(code.attempt.number, TimedOut(code.attempt.limit_s, stopped=False), 0.0))
        if len(self._to_tell) == 1:
            self._time.after(DELIVERY_MAX_S * self._rng.random(), self._tell_all)

    def _end_all(self, codes: Sequence[Code], outcomes: Sequence[Outcome], *, is_killed: bool = False) -> None:
        """A call ends. A child that was killed or has crashed is not up any more; all that it did crashed with it."""
        first = codes[0]
        if first.attempt.number not in self.running or first.is_given_up:
            return
        crash = next((outcome for outcome in outcomes if isinstance(outcome, Crashed)), None)
        for code, outcome in zip(codes, outcomes, strict=True):
            self._end(code, outcome if crash is None else crash)
        if self._can_kill(first) and (is_killed or crash is not None) and not self._is_dead:
            self._crashed()

    def _end(self, code: Code, outcome: Outcome) -> None:
        if code.attempt.number not in self.running or code.is_given_up:
            return
        now = self._time.now
        code.ended_with = outcome
        if isinstance(outcome, Succeeded):
            code.known.successes += 1
        self._leave(code)
        checkpoint = code.attempt.signals.checkpoint
        self._to_tell.append(Ended(code.attempt.number, outcome, now - code.started_at, checkpoint))
        if len(self._to_tell) == 1:
            self._time.after(DELIVERY_MAX_S * self._rng.random(), self._tell_all)

    def _leave(self, code: Code) -> None:
        del self.running[code.attempt.number]
        code.known.holders.remove(code)

    def _tell_all(self) -> None:
        if self._is_dead:
            return
        ended, self._to_tell = self._to_tell, []
        for number, *_ in ended:
            self.codes[number].is_told = self.codes[number].ended_with is not None
        self._tell(ended)
