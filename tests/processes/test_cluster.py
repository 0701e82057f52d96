"""Services of the local ECS with real processes: scale-in, deployments, crashes, stop timeouts, health."""

from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest
from tests.cloud.ecs_clusters import Ground, play, tasks_in
from tests.cloud.ecs_tasks import IDLE, LEAVES_ON_SIGTERM, STUBBORN, is_alive, program

from forebay.clock import VirtualClock
from forebay.cloud.ecs_health import live_page
from forebay.cloud.ecs_service import LocalService
from forebay.rules.ecs_vocabulary import TaskStatus

pytestmark = pytest.mark.processes

WORKS_ON_ORDER = """
import json, urllib.request
def protect(is_on):
    address = os.environ['ECS_AGENT_URI'] + '/task-protection/v1/state'
    body = json.dumps({'ProtectionEnabled': is_on, 'ExpiresInMinutes': 10} if is_on else {'ProtectionEnabled': False})
    answer = urllib.request.urlopen(urllib.request.Request(address, data=body.encode(), method='PUT')).read()
    return 'protection' in json.loads(answer)
jobs = []
signal.signal(signal.SIGUSR1, lambda *_: jobs.append('begin'))
signal.signal(signal.SIGUSR2, lambda *_: jobs.append('end'))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1 if jobs else 0))
say('ready')
while True:
    if jobs == ['begin']:
        say('held', protect(True))
        jobs.append('held')
    elif jobs and jobs[-1] == 'end':
        say('done')
        jobs.clear()
        protect(False)
    else:
        time.sleep(0.02)
"""
"""Begins a job on SIGUSR1 and ends it on SIGUSR2; leaves on SIGTERM, with 1 if that cost a job."""


def pid_of(service: LocalService, task_id: str) -> int:
    process = service.task_process(task_id)
    assert process is not None
    assert process.pid is not None
    return process.pid


async def stopped(ground: Ground, service: LocalService, count: int) -> None:
    await ground.until(lambda: len(tasks_in(service, TaskStatus.STOPPED)) == count)


def test_scale_in_picks_the_idle_tasks_and_zero_waits_for_the_job() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(WORKS_ON_ORDER, desired_count=5)
        tasks = await ground.ready(service, 5)
        busy = tasks[2]
        os.kill(pid_of(service, busy), signal.SIGUSR1)
        await ground.until(lambda: "held True" in ground.lines[busy])

        service.set_desired(1)
        await stopped(ground, service, 4)
        assert [task.task_id for task in tasks_in(service, TaskStatus.RUNNING)] == [busy]
        service.set_desired(0)
        assert any("1 tasks under protection" in event.message for event in service.view().events)
        os.kill(pid_of(service, busy), signal.SIGUSR2)
        await stopped(ground, service, 5)

        assert "done" in ground.lines[busy]
        assert {task.exit_code for task in service.tasks.values()} == {0}
        assert {task.stop_code for task in service.tasks.values()} == {"ServiceSchedulerInitiated"}

    play(scenario)


def test_a_killed_task_is_replaced_and_its_process_is_gone() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(IDLE, desired_count=1, settling_s=0.0)
        [victim] = await ground.ready(service, 1)
        pid = pid_of(service, victim)

        service.kill(victim)
        await stopped(ground, service, 1)
        await ground.ready(service, 1)

        assert not is_alive(pid)
        assert service.tasks[victim].exit_code == -signal.SIGKILL
        [replacement] = tasks_in(service, TaskStatus.RUNNING)
        assert pid_of(service, replacement.task_id) != pid

    play(scenario)


def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(STUBBORN, desired_count=1, stop_timeout_s=0.3)
        [task_id] = await ground.ready(service, 1)

        service.stop_task(task_id)
        assert service.tasks[task_id].status is TaskStatus.STOPPING
        await ground.until(lambda: service.tasks[task_id].status is TaskStatus.STOPPED)

        task = service.tasks[task_id]
        assert task.exit_code == -signal.SIGKILL
        assert task.stopped_at is not None
        assert task.stopping_at is not None
        assert task.stopped_at - task.stopping_at >= 0.3

    play(scenario)


def test_a_spot_interruption_is_a_sigterm_with_its_own_reason() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(LEAVES_ON_SIGTERM, desired_count=1)
        [task_id] = await ground.ready(service, 1)

        service.interrupt_spot(task_id)
        await ground.until(lambda: service.tasks[task_id].status is TaskStatus.STOPPED)

        task = service.tasks[task_id]
        assert (task.exit_code, task.stop_code) == (0, "SpotInterruption")
        assert task.stopped_reason == "Your Spot Task was interrupted."

    play(scenario)


def test_a_deployment_replaces_every_task_and_never_falls_below_the_minimum() -> None:
    fewest: list[int] = []

    async def scenario(ground: Ground) -> None:
        service = ground.serve("say(os.environ.get('FLAVOUR'))\n" + LEAVES_ON_SIGTERM, desired_count=3, settling_s=0.05)
        old = await ground.ready(service, 3)

        assert service.deploy(environment={"FLAVOUR": "new"}) == 2
        while not all(task.revision == 2 for task in tasks_in(service, TaskStatus.RUNNING)):
            fewest.append(service.reading_counts().running)
            before = ground.changes.total()
            await ground.until(lambda before=before: ground.changes.total() != before)  # type: ignore[misc]
        await stopped(ground, service, 3)

        new = {task.task_id for task in tasks_in(service, TaskStatus.RUNNING)}
        assert len(new) == 3
        assert not new & {*old}
        await ground.until(lambda: all(ground.lines.get(task_id) for task_id in new))
        assert {ground.lines[task_id][0] for task_id in new} == {"new"}
        assert {ground.lines[task_id][0] for task_id in old} == {"None"}
        assert min(fewest) >= 3

    play(scenario)


def test_a_task_that_crashes_again_and_again_is_started_ever_more_rarely() -> None:
    clock = VirtualClock(start_at=100.0)

    async def scenario(ground: Ground) -> None:
        service = ground.serve("sys.exit(1)", desired_count=1, circuit_breaker=False)
        starts = [100.0]
        for count in range(1, 5):
            await stopped(ground, service, count)
            while len(service.tasks) == count:
                clock.advance(0.25)
                service.turn()
            starts.append(clock.now())

        gaps = [after - before for before, after in pairwise(starts)]
        assert gaps == sorted(gaps)
        assert gaps[0] >= 1
        assert gaps[-1] >= 4

    play(scenario, clock=clock)


def test_a_first_deployment_that_never_works_is_given_up() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve("sys.exit(1)", desired_count=3, settling_s=5.0)  # However slow Python is to start.

        await stopped(ground, service, 3)

        assert service.view().deployments[0].rollout_state == "FAILED"
        assert service.reading_counts().pending == 0

    play(scenario)


def test_a_deployment_that_does_not_work_goes_back_to_what_did() -> None:
    async def scenario(ground: Ground) -> None:
        service = ground.serve(LEAVES_ON_SIGTERM, desired_count=2, settling_s=1.0, maximum_percent=400)
        old = await ground.ready(service, 2)
        await ground.until(lambda: service.view().deployments[0].rollout_state == "COMPLETED")

        service.deploy(program("sys.exit(1)"))
        await ground.until(lambda: service.current_revision == 1)
        await ground.until(lambda: service.view().deployments[0].rollout_state == "COMPLETED")

        assert service.newest == 2
        assert [task.task_id for task in tasks_in(service, TaskStatus.RUNNING)] == old

    play(scenario)


ANSWERS_HEALTH = """
import socket
host, _, port = os.environ['FOREBAY_HEALTH'].rpartition(':')
listening = socket.create_server((host, int(port)))
say('ready')
while True:
    caller, _ = listening.accept()
    caller.recv(1000)
    caller.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')
    caller.close()
"""


def test_a_frozen_task_is_found_unhealthy_and_replaced() -> None:
    async def scenario(ground: Ground) -> None:
        check = live_page(interval_s=0.05, timeout_s=0.2)
        service = ground.serve(ANSWERS_HEALTH, desired_count=2, check=check, stop_timeout_s=0.1)
        frozen, well = await ground.ready(service, 2)
        await ground.until(lambda: all(task.is_healthy for task in service.tasks.values()))

        service.freeze(frozen, True)
        await ground.until(lambda: service.tasks[frozen].status is TaskStatus.STOPPED)

        assert service.tasks[frozen].exit_code == -signal.SIGKILL
        assert service.tasks[well].status is TaskStatus.RUNNING
        await ground.until(lambda: sum(bool(task.is_healthy) for task in tasks_in(service, TaskStatus.RUNNING)) == 2)

    play(scenario)


def test_a_cold_start_is_waited_for() -> None:
    clock = VirtualClock()

    async def scenario(ground: Ground) -> None:
        service = ground.serve(IDLE, desired_count=1, start_delay_s=30.0)
        clock.advance(29.9)
        service.turn()
        assert service.reading_counts().pending == 1
        assert service.running_processes == 0
        clock.advance(0.1)
        service.turn()
        await ground.ready(service, 1)

    play(scenario, clock=clock)
