"""Hundreds of simulated ECS services: every invariant of the scheduler holds after every step of every one of them.

`python -m forebay.testing.ecs_world --seed N --trace` tells one step by step; `--seeds 10000` runs many.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from forebay.testing.ecs_world import run_seed
from forebay.testing.ecs_world_plan import draw

SEEDS = 300


@pytest.mark.slow
def test_every_invariant_holds_in_hundreds_of_services() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        stories = list(pool.map(run_seed, range(SEEDS), chunksize=25))

    assert [story.failure for story in stories if story.failure] == []
    assert sum(story.steps for story in stories) > 10_000


def test_a_seed_tells_the_same_story_every_time() -> None:
    first, second = run_seed(12, trace=True), run_seed(12, trace=True)

    assert first == second
    assert first.failure is None


def test_the_services_differ_in_everything_that_matters() -> None:
    plans = [draw(seed) for seed in range(200)]

    assert {request.wish for plan in plans for request in plan.requests} == {
        "desired", "deploy", "stop", "spot", "sicken", "late", "freeze",
    }  # fmt: skip
    assert {plan.can_move for plan in plans} == {True, False}
    assert any(revision.not_started == 1.0 for plan in plans for revision in plan.revisions)
    assert any(revision.hangs == 1.0 for plan in plans for revision in plan.revisions)
    assert {plan.service.circuit_breaker for plan in plans} == {True, False}
