"""The chaos run: thousands of jobs on the whole local cloud while everything goes wrong, and then the reckoning.

python -m tests.chaos.run --jobs 20000 --tasks 8 --seed 1

Rules kept here and nowhere else:

1. Nothing is played: the cloud is the one of `forebay local`, tasks are processes, jobs go over the wire.
2. The run fails, and names what it found, when an effect is missing, when a second effect is unexplained, when a
   ledger does not add up or a task that nobody killed has left without one, or when anything is left in a queue.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos.disasters import schedule
from tests.chaos.havoc import Havoc
from tests.chaos.jobs import FOLDER, effects_in
from tests.chaos.reckoning import Reckoning, reckon
from tests.chaos.senders import Sender
from tests.chaos.watching import Watch

from forebay.cloud.background import fastest_loop
from forebay.local.cloud import Cloud
from forebay.local.plan import LocalPlan

ROOT = Path(__file__).resolve().parent.parent.parent
SENT_SHARE = 0.9
"""Jobs are sent in waves over so much of the time; the last disasters meet what is left of them."""
DRAINED_MAX_S = 300.0
LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """What to do."""

    jobs: int
    tasks: int
    seed: int
    lasts_s: float
    every_s: float
    """About the time between two disasters."""
    visibility_s: int = 6
    drain_s: int = 25
    """A task whose poll a hole has swallowed takes as long to stop."""
    slots: int = 20


def local_plan(plan: ChaosPlan, folder: Path) -> LocalPlan:
    """Return what the local cloud is asked to do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECS_"))}
    return LocalPlan(
        run_arguments=[
            "tests.chaos.jobs:worker",
            *("--visibility", str(plan.visibility_s), "--slots", str(plan.slots)),
            *("--drain", str(plan.drain_s), "--linger", "1"),
        ],
        is_sample=False,
        count_min=plan.tasks,
        count_max=plan.tasks,
        has_page=False,
        start_delay_s=0.2,
        log="json",
        environment={**environment, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", FOLDER: str(folder)},
    )


async def play(plan: ChaosPlan, folder: Path) -> Reckoning:
    """Play it through; return what it has come to. `folder`: where the effects are left."""
    began_at = time.monotonic()
    dice = Random(plan.seed)
    disasters = schedule(dice, lasts_s=plan.lasts_s, every_s=plan.every_s, visibility_s=plan.visibility_s)
    watch = Watch()
    async with Cloud(local_plan(plan, folder), 0, watch.heard) as cloud:
        watching = asyncio.ensure_future(watch.keep_looking(cloud))
        try:
            cloud.set_desired(plan.tasks)
            havoc = Havoc(cloud, Random(plan.seed + 1), tasks=plan.tasks)
            async with Sender(cloud.queue_url, cloud.for_programs(), Random(plan.seed + 2)) as sender:
                await asyncio.gather(sender.send_in_waves(plan.jobs, plan.lasts_s * SENT_SHARE), havoc.play(disasters))
            cloud.clear_faults()
            drained_in_time = await _until_drained(cloud, sender)
            worked_s = time.monotonic() - began_at
            await cloud.drain()
        finally:
            watching.cancel()
        watch.look(cloud)
        return reckon(
            effects=list(effects_in(folder)),
            sender=sender,
            journal=havoc.journal,
            watch=watch,
            figures=cloud.figures(),
            visibility_s=plan.visibility_s,
            lasted_s=worked_s,
            drained_in_time=drained_in_time,
        )


async def _until_drained(cloud: Cloud, sender: Sender) -> bool:
    """Wait until nothing is left in the queue. False: that took too long."""
    ends_at = time.monotonic() + DRAINED_MAX_S
    while not (sender.is_done and cloud.is_drained()):
        if time.monotonic() > ends_at:
            return False
        await asyncio.sleep(LOOK_S)  # between two looks
    return True


def run(plan: ChaosPlan) -> Reckoning:
    """Play a plan on a loop of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="forebay-chaos-") as folder,
        asyncio.Runner(loop_factory=fastest_loop()) as runner,
    ):
        return runner.run(play(plan, Path(folder)))


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; return 0 when all is well, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=260.0, help="how long disasters go on")
    parser.add_argument("--every", type=float, default=5.0, help="about the seconds between two of them")
    parser.add_argument("--visibility", type=int, default=6)
    given = parser.parse_args(arguments)
    reckoning = run(
        ChaosPlan(
            jobs=given.jobs,
            tasks=given.tasks,
            seed=given.seed,
            lasts_s=given.seconds,
            every_s=given.every,
            visibility_s=given.visibility,
        )
    )
    print(reckoning.text())
    return 1 if reckoning.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
