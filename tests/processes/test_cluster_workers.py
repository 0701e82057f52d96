"""Workers as tasks of the local ECS, on the local SQS: the shipped command, real jobs, real protection.

Scale-in stops those that are idle; zero waits for the job; a job of a killed task comes back.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.cloud.ecs_clusters import Ground, play, tasks_in
from tests.processes.harness import clean_environment

from forebay.cloud.ecs_service import LocalService
from forebay.cloud.sqs_server import SqsServer
from forebay.rules.ecs_vocabulary import ServicePlan, TaskStatus
from forebay.rules.queue_semantics import SendEntry

pytestmark = pytest.mark.processes

RUN = [sys.executable, "-m", "forebay.cli.main", "run", "--log", "json"]


class Workers:
    """A service of sample workers and its queue."""

    def __init__(self, ground: Ground, sqs: SqsServer, *arguments: str, count: int) -> None:
        self.ground = ground
        self.sqs = sqs
        self.queue = sqs.create_queue("jobs")
        self.service: LocalService = ground.cluster.add_service(
            ServicePlan(name="jobs", desired_count=count, settling_s=0.0),
            [*RUN, *arguments],
            {**clean_environment(), "FOREBAY_QUEUE_URL": self.queue, "AWS_ENDPOINT_URL_SQS": sqs.endpoint_url},
            on_line=ground.on_line,
            on_change=ground.on_change,
        )

    def send(self, *bodies: str) -> None:
        """Send jobs: milliseconds."""
        for body in bodies:
            self.sqs.service.send(self.queue, SendEntry(body=body), now=self.ground.cluster.clock.now())
        self.sqs.turn()

    def events(self, event: str) -> dict[str, Mapping[str, Any]]:
        """The last event of this name of each task."""
        found: dict[str, Mapping[str, Any]] = {}
        for task_id, lines in self.ground.lines.items():
            for line in lines:
                content = json.loads(line) if line.startswith("{") else {}
                if content.get("event") == event:
                    found[task_id] = content
        return found

    async def until(self, event: str, count: int) -> list[str]:
        """Wait until so many tasks have told of this event; return their ids."""
        await self.ground.until(lambda: len(self.events(event)) >= count)
        return list(self.events(event))


def at_work(scenario: Callable[[Workers], Any], *arguments: str, count: int) -> None:
    async def with_queue(ground: Ground) -> None:
        async with SqsServer() as sqs:
            workers = Workers(ground, sqs, *arguments, count=count)
            await workers.until("poll.started", count)
            await scenario(workers)

    play(with_queue)


def test_scale_in_stops_idle_workers_and_zero_waits_for_the_job() -> None:
    async def scenario(workers: Workers) -> None:
        service, ground = workers.service, workers.ground
        workers.send("3000")
        [busy] = await workers.until("attempt.started", 1)
        await workers.until("protection.held", 1)
        assert service.reading_counts().protected == 1

        service.set_desired(1)
        wanted = [task.task_id for task in service.tasks.values() if task.desired_status is TaskStatus.RUNNING]
        assert wanted == [busy]
        service.set_desired(0)  # While the job runs: the idle ones may still wait for their polls.
        await ground.until(lambda: len(tasks_in(service, TaskStatus.STOPPED)) == 3)

        assert workers.events("attempt.finished")[busy]["outcome"] == "succeeded"
        ledgers = workers.events("worker.stopped")
        assert {task.exit_code for task in service.tasks.values()} == {0}
        assert sum(ledger["succeeded"] for ledger in ledgers.values()) == 1
        assert sum(ledger["orphaned"] for ledger in ledgers.values()) == 0
        assert any("1 tasks under protection" in event.message for event in service.view().events)

    at_work(scenario, "--linger", "0", "--drain", "2", count=3)


def test_the_job_of_a_killed_worker_comes_back_to_another() -> None:
    async def scenario(workers: Workers) -> None:
        service = workers.service
        workers.send("1500")
        [victim] = await workers.until("attempt.started", 1)

        service.kill(victim)
        await workers.ground.until(lambda: service.tasks[victim].status is TaskStatus.STOPPED)
        await workers.ground.until(lambda: len(workers.events("attempt.finished")) == 1)

        assert service.tasks[victim].exit_code == -signal.SIGKILL
        [(heir, finished)] = workers.events("attempt.finished").items()
        assert heir != victim
        assert finished["outcome"] == "succeeded"

    at_work(scenario, "--visibility", "2", "--drain", "1", count=2)
