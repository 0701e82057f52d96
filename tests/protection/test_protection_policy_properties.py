"""What must hold of the protection policy whatever is wanted, answered and lost, in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.protection.policy import Action, HoldFor, LetGo, Policy
from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld

LINGER_S = 10.0
STEP_S = 1.0


@dataclass
class Ecs:
    """The truth behind the answers: what ECS really holds, and what it says on the way."""

    held_until: float = 0.0
    calls: list[tuple[float, Action]] = field(default_factory=list[tuple[float, Action]])

    def do(self, action: Action, mood: str, now: float) -> ProtectionAnswer:
        """Carry `action` out as `mood` has it and return what the policy gets to hear."""
        self.calls.append((now, action))
        if mood == "refused":
            return Refused("DEPLOYMENT_BLOCKED", is_lasting=False)
        if mood == "lost":
            return Refused("ConnectionCut", is_lasting=False, is_unknown=not _is_look(action))
        if isinstance(action, HoldFor):
            self.held_until = now + 60.0 * action.minutes
        elif isinstance(action, LetGo):
            self.held_until = 0.0
        if mood == "unheard" and not _is_look(action):
            return Refused("RequestCanceled", is_lasting=False, is_unknown=True)
        return Held(self.held_until) if self.held_until > now else Unheld()


def _is_look(action: Action) -> bool:
    return not isinstance(action, HoldFor | LetGo)


Step = tuple[int, str, int | None, str, int]
"""Seconds that pass, what the program does, a limit, ECS's mood, and the call's duration."""

STEPS = st.lists(
    st.tuples(
        st.integers(0, 90),
        st.sampled_from(["start", "end", "wait"]),
        st.sampled_from([None, 1, 30, 200, 900, 20_000]),
        st.sampled_from(["good", "good", "refused", "lost", "unheard"]),
        st.integers(0, 4),
    ),
    max_size=40,
)


@dataclass
class Program:
    """A program that asks the policy before it starts work, as the engine does."""

    policy: Policy
    ecs: Ecs
    now: float = 0.0
    running: list[float] = field(default_factory=list[float])
    waiting: float | None = None
    pending: tuple[float, Action, str] | None = None

    def turn(self, mood: str, call_s: int) -> None:
        """Let one second pass and do whatever is due."""
        self.now += STEP_S
        self.running = [until for until in self.running if until > self.now]
        wanted = [*self.running, *([] if self.waiting is None else [self.waiting])]
        self.policy.want(max(wanted, default=None), now=self.now)
        if self.pending is not None and self.now >= self.pending[0]:
            _, action, said = self.pending
            self.pending = None
            self.policy.answered(self.ecs.do(action, said, self.now), now=self.now)
        if self.waiting is not None and self.policy.covers(self.waiting, now=self.now):
            self.running.append(self.waiting)
            self.waiting = None
            self.policy.job_started(self.now)
            assert self.ecs.held_until > self.now, "started without protection"
        action_due = self.policy.next(now=self.now)
        if action_due is not None:
            assert self.pending is None, "two calls at once"
            assert not (isinstance(action_due, LetGo) and wanted), "let go of what is wanted"
            self.pending = (self.now + call_s, action_due, mood)


def program() -> Program:
    return Program(Policy(mode="auto", linger_s=LINGER_S, margin_s=5.0, rng=Random(1), is_available=True), Ecs())


def play(made: Program, steps: list[Step]) -> None:
    for seconds, what, limit_s, mood, call_s in steps:
        if what == "start" and limit_s is not None and not made.policy.is_paused:
            made.waiting = max(made.now + limit_s, made.waiting or 0.0)
        elif what == "end":
            made.waiting = None
            made.running = []
        for _ in range(seconds + 1):
            made.turn(mood, call_s)
            for until in made.running:
                reach = min(until, made.now + 60.0)
                assert made.ecs.held_until >= reach, "work runs unprotected"


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_work_never_starts_or_runs_unprotected_and_no_two_calls_overlap(steps: list[Step]) -> None:
    play(program(), steps)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([30, 900, 20_000]))
def test_when_refusals_stop_the_task_is_protected_within_the_longest_wait(steps: list[Step], limit_s: int) -> None:
    made = program()
    play(made, steps)

    for second in range(400):
        if second % 10 == 0 and made.waiting is None:
            made.waiting = made.now + limit_s
        made.turn("good", 0)

    assert made.policy.is_held(made.now)
    assert not made.policy.is_paused
    assert made.ecs.held_until > made.now


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_when_the_work_stops_and_answers_come_nothing_is_held_for_long(steps: list[Step]) -> None:
    made = program()
    play(made, steps)
    made.waiting, made.running = None, []

    for _ in range(700):  # the longest wait of a paused task, a hold, a linger and a let-go
        made.turn("good", 0)

    assert made.ecs.held_until <= made.now
    assert not made.policy.is_held(made.now)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from(["refused", "lost", "unheard"]))
def test_a_storm_meets_few_calls(steps: list[Step], mood: str) -> None:
    """At most two refused calls a minute; a lost one costs a look besides."""
    made = program()
    play(made, steps)
    began_at = made.now
    for second in range(600):
        if second % 20 == 0 and made.waiting is None:
            made.waiting = made.now + 900
        made.turn(mood, 0)

    writes = [at for at, action in made.ecs.calls if at > began_at + 60 and not _is_look(action)]
    looks = [at for at, action in made.ecs.calls if at > began_at + 60 and _is_look(action)]
    if mood != "unheard":
        assert all(third - first >= 60.0 for first, third in zip(writes, writes[2:], strict=False))
    assert len(looks) <= len(writes) + 2  # a quiet, long hold is looked at every five minutes


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 400))
def test_after_a_stop_request_no_call_is_made(steps: list[Step], after_s: int) -> None:
    made = program()
    play(made, steps)
    made.policy.stop()
    made.pending = None
    calls = len(made.ecs.calls)

    for _ in range(after_s):
        made.turn("good", 0)

    assert len(made.ecs.calls) == calls


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_wake_at_never_lies_before_now_and_next_has_something_to_do_then(steps: list[Step]) -> None:
    made = program()
    play(made, [*steps, (0, "wait", None, "good", 0)])

    wake_at = made.policy.wake_at

    if made.pending is None and wake_at is not None:
        assert wake_at >= made.now
        assert made.policy.next(now=wake_at) is not None
