"""Draws what a world's jobs are like beside their limits: shares, batches, child processes, and what they depend on.

Rules kept here and nowhere else:

1. It follows from the seed alone, and by dice of its own: half of the worlds have none of it.
2. An outage is long enough, and the job busy enough, for a worker to notice it; it ends with the other troubles.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from forebay.testing.world_plan import Arrival, JobPlan, Outage, Plan

BUSY_ARRIVALS = 40


def with_kinds_of_jobs(plan: Plan) -> Plan:
    """Return `plan` with its jobs made of different kinds."""
    rng = Random(f"kinds {plan.seed}")
    if rng.random() < 0.5:
        return plan
    slots = plan.settings.slots
    plan = replace(
        plan,
        default=plan.default and _draw_kind(rng, plan.default, slots),
        jobs=tuple(_draw_kind(rng, job, slots) for job in plan.jobs),
        settings=replace(plan.settings, stuck="wait" if rng.random() < 0.3 else "replace"),
        children=rng.choice([1, 2, 4]),
        recycled_at=tuple(rng.uniform(0, 60) for _ in range(rng.choice([0, 0, 1, 5]))),
    )
    return _with_outage(rng, plan) if rng.random() < 0.5 and plan.calm_at < 1_000 else plan


def _draw_kind(rng: Random, job: JobPlan, slots: int) -> JobPlan:
    share = rng.randint(1, slots) if rng.random() < 0.4 else None
    batch_size = rng.randint(1, min(slots if share is None else share, 20)) if rng.random() < 0.3 else 0
    return replace(
        job,
        runs="process" if rng.random() < 0.4 else "loop",
        slots_max=share,
        batch_size=batch_size,
        linger_s=rng.choice([0.0, 0.1, 1.0, 10.0]),
    )


def _with_outage(rng: Random, plan: Plan) -> Plan:
    """Let something that one job depends on be broken for a while, and let that job be busy."""
    job = rng.choice(plan.jobs)
    from_at = rng.uniform(0, 20)
    outage = Outage(job.name, from_at, from_at + rng.choice([20.0, 120.0, 400.0]))
    more = [
        Arrival(from_at * rng.random(), rng.randrange(len(plan.sources)), job.name, 0) for _ in range(BUSY_ARRIVALS)
    ]
    return replace(
        plan,
        jobs=tuple(replace(one, limit_s=min(one.limit_s, 20.0)) if one is job else one for one in plan.jobs),
        outages=(outage,),
        arrivals=tuple(sorted((*plan.arrivals, *more), key=lambda arrival: arrival.at)),
        calm_at=max(plan.calm_at, outage.until_at),
    )
