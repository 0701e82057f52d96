"""Programs of users, as processes against a local SQS: the example, the page on jobs, an embedded worker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from forebay.cloud.sqs_server import SqsServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "jobs.md"
PATIENCE_S = 60.0

pytestmark = pytest.mark.processes

EMBEDS = """
import asyncio, logging
from forebay import Worker
worker = Worker("shop")
async def main():
    stop = asyncio.Event()
    done = []
    @worker.job
    async def first(number: int) -> None:
        # A job that sends another one: it must come to this same worker.
        await second.aenqueue(number + 1)
    @worker.job
    def second(number: int) -> None:
        done.append(number)
        loop.call_soon_threadsafe(stop.set)
    loop = asyncio.get_running_loop()
    await first.aenqueue(number=41)
    status = await worker.serve(stop=stop)
    print(status, done)
asyncio.run(main())
"""

CANARY = "canary-7f3a"

FAILS = """
import logging
from forebay import Context, Reject, RetryLater, Worker
worker = Worker("shop")
@worker.job(attempts=1)
async def raises(key: str) -> None:
    raise ValueError(key)
@worker.job(attempts=1)
def raises_in_a_thread(key: str) -> None:
    raise KeyError(key) from OSError(key)
@worker.job
async def wants_a_number(key: int) -> None: ...
@worker.default
async def wants_a_list(numbers: list[int]) -> None: ...
if __name__ == "__main__":
    worker.run()
"""


@pytest.fixture
def environment() -> Iterator[Mapping[str, str]]:
    """A queue called `shop`, and what a process must know to reach it."""
    with SqsServer.in_thread() as cloud:
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECS_", "FOREBAY_"))},
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_SQS": cloud.service.url,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with sqs_of(variables) as sqs:
            url = sqs.create_queue(QueueName="shop")["QueueUrl"]
        yield {**variables, "FOREBAY_QUEUE_URL": url}


@contextmanager
def sqs_of(environment: Mapping[str, str]) -> Iterator[Any]:
    """boto3's client for the same service."""
    sqs = boto3.client(
        "sqs",
        endpoint_url=environment["AWS_ENDPOINT_URL_SQS"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        yield sqs
    finally:
        sqs.close()


def run(command: list[str], environment: Mapping[str, str], *, folder: Path = ROOT, status: int = 0) -> str:
    """Run a program to its end and return what it printed; what it did not do is told with all it said."""
    answer = subprocess.run(
        command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def test_the_example_sends_its_jobs_and_does_them(environment: Mapping[str, str]) -> None:
    program = [sys.executable, "thumbnails.py"]
    sent = run([*program, "send", "a.png", "b.jpg"], environment, folder=ROOT / "examples")

    said = run(program, {**environment, "FOREBAY_EXIT_WHEN_EMPTY": "1"}, folder=ROOT / "examples")

    assert len(sent.split()) == 3
    assert said.count("made a thumbnail 320 pixels wide (crop)") == 2
    assert said.count("made a thumbnail 64 pixels wide (crop)") == 2, "of the album, once each"
    assert "a.png" not in said, "arguments are told nowhere"


def test_the_page_on_jobs_runs_as_it_stands(environment: Mapping[str, str], tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "shop.py").write_text("\n".join(blocks), encoding="utf-8")

    run([sys.executable, "shop.py"], environment, folder=tmp_path)


def test_a_worker_inside_another_program_works_until_it_is_told_to_stop(environment: Mapping[str, str]) -> None:
    # Short, because an idle worker would otherwise wait for its open poll, up to 20 s, before it leaves.
    said = run([sys.executable, "-c", EMBEDS], {**environment, "FOREBAY_DRAIN": "1"})

    assert "0 [42]" in said


def test_a_program_without_its_queue_says_so_and_exits_as_the_command_line_does(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty.py").write_text("from forebay import Worker\nWorker('shop').run()\n", encoding="utf-8")

    said = run([sys.executable, "empty.py"], environment, folder=tmp_path, status=2)

    assert "worker 'shop' declares nothing" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("log", ["text", "json"])
def test_no_body_argument_or_exceptions_words_get_into_logs_or_attributes(
    environment: Mapping[str, str], tmp_path: Path, log: str
) -> None:
    """Four ways to the dead-letter queue: raised on the loop or in a thread, arguments or a body that do not fit."""
    (tmp_path / "shop.py").write_text(FAILS, encoding="utf-8")
    body = json.dumps({"key": CANARY})
    with sqs_of(environment) as sqs:
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        for job in ("raises", "raises_in_a_thread", "wants_a_number", None):
            named = {"job": {"DataType": "String", "StringValue": job}} if job else {}
            sqs.send_message(QueueUrl=environment["FOREBAY_QUEUE_URL"], MessageBody=body, MessageAttributes=named)

        said = run(
            [sys.executable, "shop.py"],
            {**environment, "FOREBAY_EXIT_WHEN_EMPTY": "1", "FOREBAY_DEAD_LETTER": dead, "FOREBAY_LOG": log},
            folder=tmp_path,
        )

        asked = {"QueueUrl": dead, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        buried = sqs.receive_message(**asked)["Messages"]
    notes = [one["MessageAttributes"]["forebay.error"]["StringValue"] for one in buried]
    assert CANARY not in said
    assert CANARY not in "".join(notes)
    assert [one["Body"] for one in buried] == [body] * 4, "the bodies are unchanged"
    assert sum("Input should be" in note for note in notes) == 2
