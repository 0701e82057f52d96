"""The end of a local cluster: drained, closed, or killed, it leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cloud.ecs_clusters import Ground, play
from tests.cloud.ecs_tasks import IDLE, LEAVES_ON_SIGTERM, STUBBORN, is_alive
from tests.processes.harness import clean_environment, wait_for

pytestmark = pytest.mark.processes

HAS_A_CHILD = """
child = os.fork()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say('child' if child == 0 else 'task', os.getpid())
if child: say('ready')
while True: signal.pause()
"""


def is_gone(pid: int) -> bool:
    """No process, or only its remains: not every machine's process 1 reaps what it inherits."""
    if not is_alive(pid):
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return not is_alive(pid)


def ends(pid: int) -> None:
    """Wait for the end of a process that is not ours to reap; fail when it does not come."""
    wait_for(lambda: is_gone(pid) or None, f"the end of {pid}")


def pids_in(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith(("child", "task"))]


def test_a_drained_cluster_has_asked_every_task_to_leave() -> None:
    async def scenario(ground: Ground) -> None:
        one, two = ground.serve(LEAVES_ON_SIGTERM, name="one"), ground.serve(LEAVES_ON_SIGTERM, name="two")
        for service in (one, two):
            await ground.ready(service, 1)

        assert await ground.cluster.drain(20.0)

        assert [task.exit_code for service in (one, two) for task in service.tasks.values()] == [0, 0]

    play(scenario)


def test_a_drain_that_takes_too_long_says_so_and_what_is_left_is_killed_at_the_end() -> None:
    left: list[int] = []

    async def scenario(ground: Ground) -> None:
        service = ground.serve(STUBBORN, desired_count=2)
        await ground.ready(service, 2)

        assert not await ground.cluster.drain(0.05)

        assert service.running_processes == 2
        left.extend(process.pid for task in service.tasks if (process := service.task_process(task)) and process.pid)

    play(scenario)
    assert len(left) == 2
    assert not any(is_alive(pid) for pid in left)


def test_a_closed_cluster_has_reaped_frozen_and_stubborn_tasks_and_their_children() -> None:
    pids: list[int] = []

    async def scenario(ground: Ground) -> None:
        service = ground.serve(HAS_A_CHILD, desired_count=3)
        tasks = await ground.ready(service, 3)
        await ground.until(lambda: sum(len(pids_in(lines)) for lines in ground.lines.values()) == 6)
        pids.extend(pid for lines in ground.lines.values() for pid in pids_in(lines))
        service.freeze(tasks[0], True)
        service.stop_task(tasks[1])

    play(scenario)
    assert len(pids) == 6
    for pid in pids:
        ends(pid)


def test_a_service_that_was_removed_is_gone_with_its_tasks_and_its_name_is_free() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(IDLE, desired_count=1)
        [task] = await ground.ready(service, 1)
        process = service.task_process(task)
        assert process is not None
        with pytest.raises(ValueError, match="remove it first"):
            ground.serve(IDLE)

        await ground.cluster.remove_service("jobs")

        assert not process.is_running
        assert not ground.cluster.services
        ground.serve(IDLE, desired_count=0)

    play(scenario)


PARENT = """
import asyncio, json, sys
from tests.cloud.ecs_clusters import Ground
from tests.processes.test_cluster_end import HAS_A_CHILD, pids_in

async def main():
    async with Ground() as ground:
        service = ground.serve(HAS_A_CHILD, desired_count=2)
        await ground.ready(service, 2)
        await ground.until(lambda: sum(len(pids_in(lines)) for lines in ground.lines.values()) == 4)
        service.freeze(next(iter(service.tasks)), True)
        print(json.dumps([pid for lines in ground.lines.values() for pid in pids_in(lines)]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_when_we_are_killed_no_task_survives_and_none_of_its_children() -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=root, env=clean_environment(), text=True
    ) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        assert len(pids) == 4
        assert all(is_alive(pid) for pid in pids)

        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()

        for pid in pids:
            ends(pid)
