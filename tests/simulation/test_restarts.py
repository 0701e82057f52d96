"""Rolling restarts in the simulator: what they cost a job, counted to the last delivery."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from tests.simulation.test_simulation import CALM_CODE, backlog

from forebay.settings import WorkerSettings
from forebay.testing.world import World
from forebay.testing.world_account import Known
from forebay.testing.world_plan import Plan, StopPlan

ATTEMPTS = 5


def restarted(*, every_s: float, times: int, lasts_s: float, checkpoint: float, jobs: int = 120) -> Plan:
    """Two workers on a full queue, each restarted again and again; no other trouble."""
    calm = backlog(jobs=jobs, slots=10, lasts_s=lasts_s, is_sampled=False)
    (source,) = calm.sources
    (job,) = calm.jobs
    return replace(
        calm,
        seats=2,
        settings=WorkerSettings(slots=10, protect="never", drain_s=2.0),
        sources=(replace(source, receive_count_max=ATTEMPTS + 10),),
        jobs=(replace(job, attempts_max=ATTEMPTS, limit_s=300.0),),
        code=replace(CALM_CODE, lasts_s=lasts_s, checkpoint=checkpoint),
        stops=tuple(StopPlan(every_s * (turn + 1) + seat, seat, "stop") for turn in range(times) for seat in range(2)),
        calm_at=every_s * (times + 1),
    )


def run(plan: Plan) -> World:
    world = World(plan)
    world.run()
    return world


def root(known: Known) -> Known:
    while known.origin is not None:
        known = known.origin
    return known


@pytest.mark.parametrize("checkpoint", [0.0, 1.0])
def test_five_rolling_restarts_on_a_full_queue_put_nothing_into_the_dead_letter_queue(checkpoint: float) -> None:
    world = run(restarted(every_s=25.0, times=5, lasts_s=8.0, checkpoint=checkpoint, jobs=300))

    (url,) = world.service.urls
    known = list(world.service.by_id.values())
    assert len(world.processes) >= 12, "both were restarted five times"
    assert world.service.left(world.service.dead_letter_urls[url]) == 0
    assert all(one.is_deleted for one in known)
    assert any(one.deliveries > 1 or one.origin is not None for one in known), "restarts interrupted something"


def test_a_job_that_goes_on_elsewhere_is_done_once_and_each_hop_is_one_message() -> None:
    world = run(restarted(every_s=12.0, times=5, lasts_s=30.0, checkpoint=1.0, jobs=20))

    known = list(world.service.by_id.values())
    done = Counter(root(one).number for one in known for _ in range(one.successes))
    hops = sum(one.resent for one in known)
    continued = sum(process.engine.ledger["continued"] for process in world.processes)
    assert done == Counter(range(1, 21)), "each job once"
    assert max(Counter(root(one).number for one in known if one.origin is not None).values()) >= 3
    assert hops == continued == sum(one.origin is not None for one in known)
    assert all(one.resent + one.successes == 1 for one in known), "a message is done, or sent on, and never both"


def test_a_state_only_grows_from_hop_to_hop() -> None:
    world = run(restarted(every_s=12.0, times=5, lasts_s=30.0, checkpoint=1.0, jobs=20))

    copies = [one for one in world.service.by_id.values() if one.origin is not None]
    assert all(int(one.state or 0) > int(one.origin.state or 0) for one in copies if one.origin is not None)
    assert max(int(one.state or 0) for one in copies) >= 3
