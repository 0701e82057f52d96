"""A simulated ECS service on virtual time: the shipped scheduler, pretended containers, everything drawn from one seed.

    python -m forebay.testing.ecs_world --seed 1234 --trace       one world, told step by step
    python -m forebay.testing.ecs_world --seeds 10000             many

Rules kept here and nowhere else:

1. The scheduler is the shipped one. What is checked is what the world itself has seen: orders, processes, requests.
2. The invariants are checked after every step (`ecs_world_checks`).
3. When the troubles end, one last deployment of a good revision is asked for, and the service must come to it: as many
   tasks as desired, all running, of one deployment, within a time that follows from the plan.
"""

from __future__ import annotations

import sys
import traceback
from functools import partial
from random import Random

from forebay.rules.ecs_refusals import SchedulerRefusal
from forebay.rules.ecs_scheduling import ServiceScheduler
from forebay.rules.ecs_vocabulary import (
    DeploymentRequested,
    DesiredCountSet,
    Fact,
    HealthReported,
    KillTask,
    Order,
    ProtectionSet,
    RolloutState,
    SignalTask,
    SpotInterrupted,
    StartTask,
    StopRequested,
    TaskExited,
    TaskStarted,
)
from forebay.testing.ecs_world_checks import Broken, Witness
from forebay.testing.ecs_world_plan import GOOD, EcsPlan, Request, Revision, draw
from forebay.testing.ecs_world_process import PROTECTED_S, FakeProcess
from forebay.testing.world import Story
from forebay.testing.world_time import Time

STEPS_MAX = 100_000
RETRY_S = 5.0
FINAL_REVISION = 1_000


class EcsWorld:
    """One simulated service."""

    def __init__(self, plan: EcsPlan, *, trace: list[str] | None = None) -> None:
        self.plan = plan
        self.trace = trace
        self.time = Time(Random(f"ecs time {plan.seed}"))
        self.processes: dict[str, FakeProcess] = {}
        self.is_calm = False
        self.steps = 0
        self.scheduler = ServiceScheduler(plan.service, rng=Random(f"ecs ids {plan.seed}"), now=0.0)
        self.witness = Witness(self)

    def run(self) -> None:
        """Turn this world until the service has come to rest. Raises `Broken` when it does not, or not properly."""
        self._step(None)
        for request in self.plan.requests:
            self.time.at(request.at, partial(self._ask, request))
        self.time.at(self.plan.calm_at, self._calm)
        self._turn_until(self.plan.calm_at)
        self._turn_until(self.time.now + self._patience_s())
        self.witness.check_rest()

    def tell(self, fact: Fact) -> None:
        """Tell the scheduler a fact."""
        self._step(fact)

    def may_protect(self, process: FakeProcess) -> bool:
        """Ask as the agent does, and check the answer."""
        answer = self.scheduler.may_protect(process.task_id)
        self.witness.check_protection_answer(process, answer)
        return answer is None

    def note(self, line: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.time.now:12.4f} {line}")

    # ── the course of things ───────────────────────────────────────────────────────────────────────────────

    def _turn_until(self, ends_at: float) -> None:
        while True:
            due_at = self.scheduler.next_event_at()
            instant = min(self.time.next_at, float("inf") if due_at is None else due_at)
            if instant > ends_at:
                self.time.now = ends_at
                return
            if due_at is not None and due_at <= self.time.next_at:
                self.time.now = max(self.time.now, due_at)
                self._step(None)
            else:
                self.time.turn()

    def _step(self, fact: Fact | None) -> None:
        self.steps += 1
        if self.steps > STEPS_MAX:
            self.witness.broken("an end", f"nothing has come to rest after {STEPS_MAX} steps")
        now = self.time.now
        self.note("time passes" if fact is None else repr(fact))
        self.witness.before(fact)
        orders = self.scheduler.advance(now) if fact is None else self.scheduler.handle(fact, now)
        self.witness.after(orders)
        for order in orders:
            self._carry_out(order)
        self.witness.check_books()

    def _carry_out(self, order: Order) -> None:
        self.note(f"    {order!r}")
        match order:
            case StartTask(task_id=task_id, revision=revision):
                rng = Random(f"process {self.plan.seed} {len(self.processes)}")
                self.processes[task_id] = FakeProcess(self, task_id, self._revision(revision), rng)
            case SignalTask(task_id=task_id):
                self.processes[task_id].signal()
            case KillTask(task_id=task_id):
                self.time.after(0.0, self.processes[task_id].kill)

    def _revision(self, number: int) -> Revision:
        revisions = self.plan.revisions
        return GOOD if number == FINAL_REVISION else revisions[(number - 1) % len(revisions)]

    # ── what is asked ──────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, request: Request) -> None:
        match request.wish:
            case "desired":
                self.tell(DesiredCountSet(request.number))
            case "deploy":
                self._deploy(1 + request.number % len(self.plan.revisions))
            case "late":
                self._tell_late(request.number)
            case wish:
                living = [one for one in self.processes.values() if one.is_alive]
                if not living:
                    return
                process = living[request.number % len(living)]
                if wish == "stop":
                    self.tell(StopRequested(process.task_id))
                elif wish == "spot":
                    self.tell(SpotInterrupted(process.task_id))
                elif wish == "sicken":
                    process.report(is_healthy=False)
                else:
                    process.crash()

    def _deploy(self, revision: int) -> bool:
        self.note(f"deploy {revision}")
        try:
            self.tell(DeploymentRequested(revision))
        except SchedulerRefusal as refusal:
            self.witness.check_refusal(refusal)
            return False
        return True

    def _tell_late(self, number: int) -> None:
        """Repeat facts of a process that has ended: nothing may change."""
        ended = [one for one in self.processes.values() if not one.is_alive]
        task_id = ended[number % len(ended)].task_id if ended else "0" * 32
        self._step(None)
        before = repr(self.scheduler.view())
        for fact in (
            TaskExited(task_id, 1), HealthReported(task_id, is_healthy=False), TaskStarted(task_id),
            ProtectionSet(task_id, self.time.now + 60),
        ):  # fmt: skip
            self.tell(fact)
        if repr(self.scheduler.view()) != before:
            self.witness.broken("late facts change nothing", f"{task_id}: {before} became {self.scheduler.view()}")

    def _calm(self) -> None:
        self.note("calm")
        self.is_calm = True
        for process in list(self.processes.values()):
            if process.is_alive:
                process.calm()
        self.tell(DesiredCountSet(self.plan.final_desired))
        self._deploy_at_last()

    def _deploy_at_last(self) -> None:
        if not self._deploy(FINAL_REVISION):
            self.time.after(RETRY_S, self._deploy_at_last)

    def _patience_s(self) -> float:
        """How long the last deployment may take: a round for each task, and some for what was before."""
        plan = self.plan.service
        latest_s = max(revision.latency_s for revision in (*self.plan.revisions, GOOD))
        round_s = plan.start_delay_s + latest_s + plan.settling_s + plan.health_grace_s + plan.stop_timeout_s + 5.0
        return PROTECTED_S + (2 + self.plan.final_desired) * round_s

    @property
    def is_completed(self) -> bool:
        """Whether the last deployment is the only one, and completed."""
        listed = self.scheduler.view().deployments
        return [(one.revision, one.rollout_state) for one in listed] == [(FINAL_REVISION, RolloutState.COMPLETED)]


def run_seed(seed: int, *, trace: bool = False) -> Story:
    """Run the world of `seed`, and return how it went."""
    return run_plan(draw(seed), trace=trace)


def run_plan(plan: EcsPlan, *, trace: bool = False) -> Story:
    """Run the world of `plan`, and return how it went."""
    told: list[str] = []
    world = EcsWorld(plan, trace=told if trace else None)
    failure: str | None = None
    try:
        world.run()
    except (AssertionError, LookupError, ValueError) as error:  # Our checks, and bugs of the scheduler's.
        failure = str(error) if isinstance(error, Broken) else f"seed {plan.seed}: {traceback.format_exc()}"
    return Story(plan.seed, world.steps, failure, told)


if __name__ == "__main__":
    from forebay.testing.ecs_world_main import main

    sys.exit(main(sys.argv[1:]))
