"""Under load and in an outage: what is told, and what the health pages say."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.processes.harness import (
    PATIENCE_S,
    Agent,
    Sqs,
    assert_exact,
    clean_environment,
    control,
    free_port,
    running,
    wait_for,
)

pytestmark = pytest.mark.processes

QUICK = """
from forebay import Worker

worker = Worker("quick")

@worker.job(attempts=1)
async def quick(fails: bool = False) -> None:
    if fails:
        raise ValueError("canary-7f3a")
"""


def test_above_a_hundred_a_second_successes_are_summed_up_and_none_is_told_twice_or_not_at_all(
    sqs: Sqs, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(QUICK)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    sqs.send(queue, *[{}] * 1500, job="quick")
    sqs.send(queue, *[{"fails": True}] * 20, job="quick")

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    one_by_one = worker.events("attempt.finished")
    summaries = worker.events("attempts.summary")
    assert status == 0
    assert len(one_by_one) + sum(line["count"] for line in summaries) == 1520
    assert sum(line["outcome"] == "failed" for line in one_by_one) == 20, "a flood of successes hides no failure"
    assert sum(line["job.quick.succeeded"] for line in summaries) == sum(line["succeeded"] for line in summaries)
    assert len(one_by_one) < 1520
    assert worker.lines[-1]["event"] == "worker.stopped"
    assert_exact(worker.ledger)


def page(address: str, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_an_outage_turns_ready_red_with_the_reason_and_leaves_live_alone(sqs: Sqs) -> None:
    address = f"127.0.0.1:{free_port()}"
    forebay = str(Path(sys.executable).with_name("forebay"))

    def asked(*options: str) -> int:
        return subprocess.run(
            [forebay, "health", *options, address], env=clean_environment(), capture_output=True, check=False
        ).returncode

    queues = [sqs.queue(), sqs.queue()]
    # One slot for two queues: their polls take turns of two seconds.
    with running(sqs, queues, "--slots", "1", "--health", address, "--drain", "1") as worker:
        worker.wait_line("poll.started")
        before = page(address, "/ready")
        sqs.chaos({"effect": "unavailable"})
        worker.wait_line("poll.failed")
        red = wait_for(lambda: found if (found := page(address, "/ready"))[0] == 503 else None, "a red page")
        live, asked_live, asked_ready = page(address, "/live"), asked(), asked("--ready")
        sqs.chaos()
        wait_for(lambda: True if page(address, "/")[0] == 200 else None, "a green page")
        worker.signal()
        status = worker.wait()

    assert status == 0
    assert (before[0], before[1]["ok"]) == (200, True)
    assert "has completed for" in red[1]["reasons"][0]
    assert "ServiceUnavailable" in red[1]["reasons"][0]
    assert live[0] == 200
    assert (asked_live, asked_ready) == (0, 1)


def test_never_means_that_the_agent_is_not_even_asked(sqs: Sqs, agent: Agent) -> None:
    queue = sqs.queue()
    sqs.send(queue, "10")
    options = ("--protect", "never", "--exit-when-empty")
    with running(sqs, [queue], *options, environment={"ECS_AGENT_URI": agent.uri}, log="text") as worker:
        status = worker.wait()

    assert status == 0
    assert control("GET", f"{agent.control_uri}/calls")["calls"] == []
    assert [line for line in worker.raw if "rotection" in line] == worker.raw[:1]  # "Worker … started on …: … never"
