"""The whole local cloud while everything goes wrong, shortly; `make chaos` is the same for 20,000 jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.disasters import Kind
from tests.chaos.reckoning import KILLED, shown_by_ps
from tests.chaos.run import ChaosPlan, local_plan, run

from forebay.cloud.background import fastest_loop
from forebay.local.cloud import Cloud
from forebay.local.port import ServiceFigures

pytestmark = pytest.mark.processes

PATIENCE_S = 45.0


@pytest.mark.slow
def test_no_job_is_lost_and_every_duplicate_explained_whatever_is_done_to_the_tasks() -> None:
    reckoning = run(ChaosPlan(jobs=1_500, tasks=4, seed=7, lasts_s=15.0, every_s=1.3, drain_s=10))

    assert not reckoning.faults, reckoning.text()
    assert reckoning.jobs == 1_500
    assert all(reckoning.done[kind] >= 1 for kind in Kind)
    assert reckoning.ledger["orphaned"] == 0


def test_a_task_that_is_killed_is_gone_for_ps_and_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        plan = ChaosPlan(jobs=0, tasks=1, seed=1, lasts_s=0.0, every_s=1.0)
        async with Cloud(local_plan(plan, tmp_path), 0, lambda line, event: None) as cloud:
            service = await seen(cloud, lambda service: [task["state"] for task in service["tasks"]] == ["idle"])
            [victim] = service["tasks"]
            pid = victim["pid"]
            assert pid is not None
            assert shown_by_ps([pid]) == [pid]

            cloud.kill(victim["task_id"])
            service = await seen(cloud, lambda service: [task["state"] for task in service["tasks"]] != ["idle"])
            service = await seen(cloud, lambda service: service["tasks"][-1]["state"] == "idle")

            assert shown_by_ps([pid]) == []
            ended, heir = service["tasks"]
            assert (ended["state"], ended["exit_code"]) == ("stopped", KILLED)
            assert heir["pid"] not in (None, pid)
            await cloud.drain()

    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(scenario())


async def seen(cloud: Cloud, condition: Callable[[ServiceFigures], bool]) -> ServiceFigures:
    """Wait until the service is as asked; return it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            service = cloud.picture()["services"][0]
            if condition(service):
                return service
            await asyncio.sleep(0.05)  # between two looks
