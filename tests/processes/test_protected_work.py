"""Task protection around real work: the article's lines, refusals, and how few calls are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.processes.harness import Agent, Sqs, clean_environment, control, free_port, running, wait_for

pytestmark = pytest.mark.processes


def calls(agent: Agent) -> list[dict[str, Any]]:
    """What the agent has been asked so far."""
    return list(control("GET", f"{agent.control_uri}/calls")["calls"])


def test_under_always_the_sample_prints_the_articles_lines_in_their_order(sqs: Sqs, agent: Agent) -> None:
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri}
    with running(sqs, [queue], "--protect", "always", "--drain", "1", environment=environment, log="text") as worker:
        (message_id,) = sqs.send(queue, "200")
        worker.wait_text("Task protection released")
        worker.signal()
        worker.wait()

    lines = [line.split(" ", 1)[1] for line in worker.raw]
    first = lines.index("Acquiring task protection")
    assert lines[first : first + 7] == [
        "Acquiring task protection",
        "Long polling for messages",
        f"{message_id} - Received",
        f"{message_id} - Working for 200 milliseconds",
        f"{message_id} - Done",
        "Releasing task protection",
        "Task protection released",
    ]


def test_always_without_an_agent_is_a_usage_error(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--protect", "always") as worker:
        status = worker.wait()

    assert status == 2
    assert "ECS_AGENT_URI" in worker.errors


def test_an_idle_worker_is_not_protected_and_a_busy_one_is(sqs: Sqs, agent: Agent) -> None:
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri, "ECS_CONTAINER_METADATA_URI_V4": agent.metadata_uri}
    with running(sqs, [queue], "--linger", "0", "--drain", "1", environment=environment) as worker:
        started = worker.wait_line("worker.started")
        worker.wait_line("poll.started")
        idle = [call for call in calls(agent) if call["method"] == "PUT"]
        sqs.send(queue, "300")
        worker.wait_line("protection.held")
        worker.wait_line("protection.released")
        worker.signal()
        worker.wait()

    assert idle == []
    assert started["task_id"]
    names = [line["event"] for line in worker.lines]
    assert names.index("protection.held") < names.index("attempt.started"), "receive, then protect, then run"
    assert names.index("attempt.finished") < names.index("protection.released")


def test_a_blocked_deployment_pauses_the_worker_until_it_is_told_to_stop(sqs: Sqs, agent: Agent) -> None:
    """C14: no job starts, what waits goes back, and the process stays until SIGTERM."""
    control("PUT", f"{agent.control_uri}/chaos", {"rules": [{"effect": "refuse", "detail": "DEPLOYMENT_BLOCKED"}]})
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri}
    with running(sqs, [queue], "--drain", "1", environment=environment) as worker:
        sqs.send(queue, "10")
        refused = worker.wait_line("protection.refused", reason="DEPLOYMENT_BLOCKED")
        sqs.wait_until(queue, lambda counts: counts[0] == 1)  # given back for somebody else
        is_running = worker.process.poll() is None
        worker.signal()
        status = worker.wait()

    assert is_running
    assert not refused.get("is_lasting")
    assert status == 0
    assert not worker.events("attempt.started")
    assert worker.ledger["released"] >= 1
    puts = [call for call in calls(agent) if call["method"] == "PUT"]
    assert len(puts) <= 2


def test_a_storm_of_throttling_is_answered_with_patience(sqs: Sqs, agent: Agent) -> None:
    """C16: at most two writes a minute, however many jobs come."""
    control("PUT", f"{agent.control_uri}/chaos", {"rules": [{"effect": "throttle"}]})
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri}
    with running(sqs, [queue], "--drain", "1", environment=environment) as worker:
        for _ in range(5):
            sqs.send(queue, *["10"] * 10)
        worker.wait_line("protection.refused")
        sqs.wait_until(queue, lambda counts: counts[0] == 50)
        worker.signal()
        worker.wait()

    puts = [call for call in calls(agent) if call["method"] == "PUT"]
    assert len(puts) <= 2
    assert not worker.events("attempt.started")


def test_a_task_outside_a_service_runs_unprotected_and_says_so(sqs: Sqs, agent: Agent) -> None:
    control("PUT", f"{agent.control_uri}/chaos", {"rules": [{"effect": "refuse", "detail": "TASK_NOT_VALID"}]})
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri}
    with running(sqs, [queue], "--exit-when-empty", environment=environment) as worker:
        sqs.send(queue, "10")
        worker.wait_line("attempt.finished", outcome="succeeded")
        status = worker.wait()

    assert status == 0
    assert worker.events("protection.refused")[0]["is_lasting"] is True


def test_under_always_a_lasting_refusal_ends_the_worker(sqs: Sqs, agent: Agent) -> None:
    control("PUT", f"{agent.control_uri}/chaos", {"rules": [{"effect": "refuse", "detail": "TASK_NOT_VALID"}]})
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri}
    with running(sqs, [queue], "--protect", "always", environment=environment) as worker:
        status = worker.wait()

    assert status == 1
    assert "TASK_NOT_VALID" in worker.ledger["reason"]


def test_after_sigterm_no_protection_call_is_made(sqs: Sqs, agent: Agent) -> None:
    queue = sqs.queue()
    environment = {"ECS_AGENT_URI": agent.uri}
    with running(sqs, [queue], "--linger", "0", "--slots", "1", environment=environment) as worker:
        sqs.send(queue, "1000")
        worker.wait_line("attempt.started")
        worker.signal()
        worker.wait_line("drain.started")
        before = len(calls(agent))
        worker.wait()

    assert worker.ledger["succeeded"] == 1
    assert len(calls(agent)) == before


def test_a_scheduler_that_replaces_unhealthy_tasks_kills_no_job_while_sqs_is_away(sqs: Sqs) -> None:
    """An outage must not turn `/live` red: ECS replaces unhealthy tasks even when they are protected."""
    queue = sqs.queue()
    sqs.send(queue, "6000")
    forebay = str(Path(sys.executable).with_name("forebay"))
    address = f"127.0.0.1:{free_port()}"
    with running(sqs, [queue], "--health", address, "--drain", "1") as worker:
        worker.wait_line("attempt.started")
        sqs.chaos({"effect": "unavailable"})

        def checked() -> bool | None:
            found = subprocess.run([forebay, "health", address], env=clean_environment(), check=False)
            assert found.returncode == 0, "the scheduler would have replaced the task"
            return True if worker.events("attempt.finished") else None

        wait_for(checked, "the job's end")
        sqs.chaos()
        worker.signal()
        worker.wait()

    assert worker.events("attempt.finished")[0]["outcome"] == "succeeded"
