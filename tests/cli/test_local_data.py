"""`forebay local --data DIR`: what is in its queues outlives it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from tests.cli.command import run
from tests.cli.test_local import Started, is_gone
from tests.cloud.sqs_clients import boto3_of

pytestmark = pytest.mark.processes

JOBS = 24
SHOP = """\
import asyncio
from forebay import Context, Worker

worker = Worker("shop")

@worker.default
async def work(ctx: Context, body: str) -> None:
    await asyncio.sleep(0.1)
    with open("done", "a") as file:
        file.write(body + "\\n")
    ctx.log.info("worked")
"""
"""What a job has done is in a file: its line may be lost with the process that was to show it."""


def test_a_run_that_was_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    options = ("shop:worker", "--data", "kept", "--tasks", "1", "--cold-start", "0", "--no-page")
    first = Started(tmp_path, *options, "--stay", "--", "--slots", "2", "--visibility", "2")
    surroundings = dict(re.findall(r"(\w+)=(\S+)", first.read_until("export AWS_ENDPOINT_URL_SQS=")))
    client = boto3_of(surroundings["AWS_ENDPOINT_URL_SQS"])
    for number in range(JOBS):
        client.send_message(QueueUrl=surroundings["FOREBAY_QUEUE_URL"], MessageBody=f"job {number}")
    first.read_until("worked")
    workers = first.worker_pids()
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    assert all(is_gone(pid) for pid in workers), "its workers die with it"
    done_first = (tmp_path / "done").read_text().split("\n")

    second = run("local", "--port", "0", *options, "--", "--slots", "10", "--visibility", "2", cwd=tmp_path)

    assert second.status == 0, second.err
    assert len(done_first) < JOBS, "killed in the middle"
    assert set((tmp_path / "done").read_text().splitlines()) == {f"job {number}" for number in range(JOBS)}
    assert re.match(r"0 messages sent, \d+ deleted, 0 left in the queue, 0 in the", second.out.splitlines()[-1])
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_another_run_has_is_refused_with_the_remedy(tmp_path: Path) -> None:
    first = Started(tmp_path, "--data", "kept", "--tasks", "0-1", "--spike", "0", "--no-page", "--stay")
    first.read_until("export AWS_ENDPOINT_URL_SQS=")

    second = run("local", "--port", "0", "--data", "kept", cwd=tmp_path)
    first.process.send_signal(signal.SIGTERM)

    assert second.status == 2
    assert "--data: another process keeps its queues in kept: stop it, or name another folder" in second.err
    assert "Traceback" not in second.err
    assert first.end() == 0
