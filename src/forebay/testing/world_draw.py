"""Draws a world from a seed.

Rules kept here and nowhere else:

1. A plan follows from its seed alone.
2. A third of the worlds have a faultless network, so that the checks of cost and of protection can be strict there.
3. Long worlds, near the 12 h ceiling of a lease, are small in everything else.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from forebay.handlers.registry import Retry
from forebay.settings import Protect, WorkerSettings
from forebay.testing.world_draw_jobs import with_kinds_of_jobs
from forebay.testing.world_plan import (
    NO_SUCH_JOB,
    AgentPlan,
    Arrival,
    CodePlan,
    Faults,
    JobPlan,
    Plan,
    SourcePlan,
    StopKind,
    StopPlan,
    Window,
    WindowKind,
)

RETRIES: tuple[Retry, ...] = ("count", "resend")


def draw_plan(seed: int) -> Plan:
    """Return the world of `seed`."""
    rng = Random(f"plan {seed}")
    is_long = rng.random() < 0.06
    span_s = rng.choice([20.0, 60.0, 120.0])
    settings = _draw_settings(rng, is_long=is_long)
    jobs, default = _draw_jobs(rng, is_long=is_long)
    # What was added later has dice of its own, so that a seed stays the world that it was in everything else.
    dice = Random(f"copies {seed}")
    if dice.random() < 0.5:
        jobs = tuple(replace(job, retry=dice.choice(RETRIES)) for job in jobs)
    # Long worlds are mostly empty polls: one of everything is enough of them.
    sources = tuple(_draw_source(rng, index) for index in range(1 if is_long else rng.choice([1, 1, 1, 2, 3])))
    sources = tuple(replace(source, may_send=dice.random() < 0.88) for source in sources)
    seats = 1 if is_long else rng.choice([1, 1, 1, 2, 3])
    calm_at = span_s * rng.uniform(1.0, 2.0) + (rng.choice([0.0, 20_000.0, 50_000.0]) if is_long else 0.0)
    faults = Faults() if rng.random() < 0.33 else _draw_faults(rng, calm_at)
    plan = Plan(
        seed=seed,
        settings=settings,
        seats=seats,
        sources=sources,
        jobs=jobs,
        default=default,
        faults=faults,
        agent=_draw_agent(rng, settings.protect, calm_at),
        code=_draw_code(
            rng,
            give_up=Random(f"give up {seed}").choice([0.0, 0.0, 0.0, 0.0, 0.5]),
            checkpoint=dice.choice([0.0, 0.0, 0.5, 1.0, 1.0]),
        ),
        arrivals=_draw_arrivals(rng, span_s, len(sources), [job.name for job in jobs], is_long=is_long),
        stops=_draw_stops(rng, calm_at, seats),
        calm_at=calm_at,
        replaces_at_calm=rng.random() < 0.5,
    )
    return with_kinds_of_jobs(plan)


def _draw_settings(rng: Random, *, is_long: bool) -> WorkerSettings:
    visibility_s = rng.choice([600, 7_200, 43_190]) if is_long else rng.choice([2, 3, 5, 10, 30, 30, 60, 60])
    protect: Protect = rng.choice(["auto", "auto", "auto", "never", "never", "always"])
    return WorkerSettings(
        slots=rng.choice([1, 1, 2, 3, 5, 10, 20, 40]),
        buffer_bytes=rng.choice([1, 3, 12, 256, 256, 256]) * 1_048_576,
        visibility_s=visibility_s,
        margin_s=rng.choice([None, None, None, 0.25, 1.0 if is_long else visibility_s / 4]),
        drain_s=rng.choice([0.0, 0.5, 2.0, 10.0, 25.0, 25.0, 120.0]),
        protect=protect,
        protection_linger_s=rng.choice([0.0, 1.0, 10.0, 10.0]),
        exit_when_empty=not is_long and rng.random() < 0.15,
    )


def _draw_jobs(rng: Random, *, is_long: bool) -> tuple[tuple[JobPlan, ...], JobPlan | None]:
    limits_s = [3_600.0, 42_600.0, 42_600.0] if is_long else [1.0, 2.0, 5.0, 20.0, 20.0, 60.0, 300.0]

    def draw(name: str) -> JobPlan:
        return JobPlan(name, rng.choice(limits_s), rng.choice([None, None, 1, 2, 5]))

    jobs = tuple(draw(f"job-{index}") for index in range(rng.choice([1, 2, 3])))
    return jobs, draw("default") if rng.random() < 0.5 else None


def _draw_source(rng: Random, index: int) -> SourcePlan:
    may_renew = rng.random() < 0.88
    return SourcePlan(
        name=f"queue-{index}",
        has_dead_letter=rng.random() < 0.7,
        receive_count_max=rng.choice([2, 4, 15, 15, 15, 1_000]),
        may_describe=rng.random() < 0.88,
        may_renew=may_renew,
        knows_may_renew=not may_renew and rng.random() < 0.5,
        is_sampled=rng.random() < 0.3,
        duplicate_ratio=rng.choice([0.0, 0.0, 0.0, 0.05, 0.3]),
        deletes_lost=rng.choice([0, 0, 0, 0, 1, 3]),
    )


def _draw_faults(rng: Random, calm_at: float) -> Faults:
    def share() -> float:
        return rng.choice([0.0, 0.0, 0.02, 0.1, 0.3])

    kinds: list[WindowKind] = ["black_hole", "unavailable", "throttled", "denied", "credentials"]
    windows: list[Window] = []
    for _ in range(rng.choice([0, 0, 1, 2])):
        from_at = rng.uniform(0, calm_at)
        lasts_s = rng.choice([1.0, 10.0, 30.0, 60.0, 400.0])
        windows.append(Window(from_at, min(from_at + lasts_s, calm_at), rng.choice(kinds)))
    return Faults(
        lose_request=share(),
        lose_answer=share(),
        arrive_late=share(),
        refuse=share(),
        break_after=share(),
        fail_entry=share(),
        be_slow=share(),
        timeout_s=rng.choice([1.0, 3.0, 5.0, 10.0]),
        windows=tuple(windows),
        stall=rng.choice([0.0, 0.0, 0.003, 0.01]),
        stall_max_s=rng.choice([0.5, 5.0, 40.0]),
        clock_step_s=rng.choice([0.0, 0.0, 1.0, 3_600.0]),
    )


def _draw_agent(rng: Random, protect: Protect, calm_at: float) -> AgentPlan:
    is_available = protect == "always" or rng.random() < 0.7
    is_held_at_start = rng.random() < 0.1
    if rng.random() < 0.5:
        return AgentPlan(is_available=is_available, is_held_at_start=is_held_at_start)
    blocked: list[tuple[float, float]] = []
    for _ in range(rng.choice([0, 1, 1, 2])):
        from_at = rng.uniform(0, calm_at)
        blocked.append((from_at, min(calm_at, from_at + rng.choice([5.0, 30.0, 90.0]))))
    return AgentPlan(
        is_available=is_available,
        refuse=rng.choice([0.0, 0.05, 0.3]),
        unknown=rng.choice([0.0, 0.05, 0.3]),
        blocked=tuple(blocked),
        lasting=rng.choice([None, None, None, "TASK_NOT_VALID", "AccessDeniedException"]),
        lasting_from=rng.uniform(0, calm_at),
        may_look=rng.random() < 0.8,
        is_held_at_start=is_held_at_start,
    )


def _draw_code(rng: Random, *, give_up: float, checkpoint: float) -> CodePlan:
    def share(*choices: float) -> float:
        return choices[rng.randrange(len(choices))]

    return CodePlan(
        fail=share(0.0, 0.05, 0.2, 0.6),
        postpone=share(0.0, 0.0, 0.1),
        reject=share(0.0, 0.0, 0.1),
        crash=share(0.0, 0.0, 0.05),
        cancel=share(0.0, 0.0, 0.05),
        extend=share(0.0, 0.0, 0.2),
        ignore_interrupts=share(0.0, 0.1, 0.5),
        never_end=share(0.0, 0.0, 0.0, 0.03),
        give_up=give_up,
        checkpoint=checkpoint,
        long=share(0.0, 0.1, 0.4, 0.9),
    )


def _draw_arrivals(rng: Random, span_s: float, sources: int, jobs: list[str], *, is_long: bool) -> tuple[Arrival, ...]:
    count = rng.choice([1, 3, 6]) if is_long else rng.choice([1, 5, 10, 20, 40, 60])
    burst_at = rng.uniform(0, span_s / 2)
    arrivals: list[Arrival] = []
    is_burst = rng.random() < 0.5
    for _ in range(count):
        job = rng.choice([*jobs, *jobs, *jobs, None]) if rng.random() < 0.97 else NO_SUCH_JOB
        delay_s = rng.choice([0, 0, 0, 0, 0, 1, 15])
        at = burst_at if is_burst and rng.random() < 0.8 else rng.uniform(0, span_s)
        arrivals.append(Arrival(at, rng.randrange(sources), job, delay_s))
    return tuple(sorted(arrivals, key=lambda arrival: arrival.at))


def _draw_stops(rng: Random, calm_at: float, seats: int) -> tuple[StopPlan, ...]:
    stops: list[StopPlan] = []
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        at, seat = rng.uniform(0, calm_at), rng.randrange(seats)
        kind: StopKind = rng.choice(["stop", "stop", "stop", "stop_now", "kill"])
        stops.append(StopPlan(at, seat, kind))
        if kind == "stop" and rng.random() < 0.4:
            second: StopKind = rng.choice(["stop", "stop_now", "stop_now", "kill"])
            stops.append(StopPlan(at + rng.choice([0.0, 0.3, 5.0, 24.9, 25.2]), seat, second))
    return tuple(sorted(stops, key=lambda stop: stop.at))
