"""What one seed makes of a simulated ECS service: its plan, its revisions, and what is asked of it when.

Rules kept here and nowhere else:

1. Everything is drawn before the world begins, so that what is asked does not depend on what happens.
2. Calm worlds are drawn as well as wild ones: a trouble that is always there hides the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from forebay.rules.ecs_limits import maximum_tasks, minimum_healthy
from forebay.rules.ecs_vocabulary import ServicePlan

Wish = Literal["desired", "deploy", "stop", "spot", "sicken", "late", "freeze"]

PERCENTS = (
    (100, 200),
    (100, 200),
    (100, 200),
    (50, 200),
    (50, 100),
    (0, 100),
    (100, 150),
    (75, 125),
    (0, 200),
    (100, 100),
)
DESIRED_MAX = 7


@dataclass(frozen=True, slots=True)
class Revision:
    """How the processes of one task definition behave; shares are of its processes."""

    not_started: float
    crashes_early: float
    exits: float
    sickens: float
    hangs: float
    """Those that ignore SIGTERM."""
    latency_s: float
    protects: float


GOOD = Revision(not_started=0.0, crashes_early=0.0, exits=0.0, sickens=0.0, hangs=0.0, latency_s=0.3, protects=0.3)


@dataclass(frozen=True, slots=True)
class Request:
    """Something that is asked, or done to a task, at one instant. `number` is a count, a revision or a task."""

    at: float
    wish: Wish
    number: int


@dataclass(frozen=True, slots=True)
class EcsPlan:
    """One world."""

    seed: int
    service: ServicePlan
    revisions: tuple[Revision, ...]
    """By number, from 1 on."""
    requests: tuple[Request, ...]
    calm_at: float
    final_desired: int

    @property
    def can_move(self) -> bool:
        """Whether a deployment of the final desired count can stop or start anything at all."""
        return can_move(self.service, self.final_desired)


def can_move(service: ServicePlan, desired: int) -> bool:
    """Whether the percentages leave a deployment of so many tasks any room."""
    may_stop = minimum_healthy(desired, service.minimum_healthy_percent) < desired
    return may_stop or maximum_tasks(desired, service.maximum_percent) > desired or desired == 0


def draw(seed: int) -> EcsPlan:
    """Return the world of a seed."""
    rng = Random(f"ecs plan {seed}")
    minimum, maximum = rng.choice(PERCENTS)
    service = ServicePlan(
        name="worker",
        desired_count=rng.randint(0, DESIRED_MAX),
        minimum_healthy_percent=minimum,
        maximum_percent=maximum,
        stop_timeout_s=rng.choice((0.1, 2.0, 5.0, 30.0)),
        start_delay_s=rng.choice((0.0, 0.0, 1.0, 10.0)),
        health_grace_s=rng.choice((0.0, 0.0, 5.0)),
        has_health_check=rng.random() < 0.3,
        settling_s=rng.choice((0.0, 0.5, 2.0, 10.0)),
        circuit_breaker=rng.random() < 0.8,
        rolls_back=rng.random() < 0.7,
    )
    revisions = tuple(_revision(rng) for _ in range(rng.randint(1, 6)))
    calm_at = rng.uniform(20.0, 400.0)
    wishes: list[Wish] = rng.choices(
        ["desired", "deploy", "stop", "spot", "sicken", "late", "freeze"], k=rng.choice((0, 3, 10, 40))
    )
    requests = tuple(
        Request(
            rng.uniform(0.0, calm_at), wish, rng.randint(0, DESIRED_MAX) if wish == "desired" else rng.randrange(99)
        )
        for wish in wishes
    )
    return EcsPlan(seed, service, revisions, requests, calm_at, rng.randint(0, DESIRED_MAX))


def _revision(rng: Random) -> Revision:
    if rng.random() < 0.4:
        return GOOD
    if rng.random() < 0.25:  # One that cannot come up at all.
        how = rng.choice(("not_started", "crashes_early", "sickens"))
        return Revision(
            not_started=float(how == "not_started"), crashes_early=float(how == "crashes_early"), exits=0.0,
            sickens=float(how == "sickens"), hangs=0.0, latency_s=rng.choice((0.0, 0.5)), protects=0.0,
        )  # fmt: skip
    return Revision(
        not_started=rng.choice((0.0, 0.2)),
        crashes_early=rng.choice((0.0, 0.3)),
        exits=rng.choice((0.0, 0.3)),
        sickens=rng.choice((0.0, 0.3)),
        hangs=rng.choice((0.0, 0.3, 1.0)),
        latency_s=rng.choice((0.0, 0.1, 3.0)),
        protects=rng.choice((0.0, 0.5, 1.0)),
    )
