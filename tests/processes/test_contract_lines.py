"""What a worker writes: whole lines, whoever else prints and whatever becomes of standard output, and no user data."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.processes.harness import KEYS, PATIENCE_S, Sqs, assert_exact, clean_environment, free_port, running

pytestmark = pytest.mark.processes

F_SETPIPE_SZ = 1031
"""Linux's number for "set the size of a pipe"; macOS has none."""

TALKATIVE = """
import logging, sys
from forebay import Worker

worker = Worker("talkative")

@worker.job(attempts=1)
async def talk(times: int) -> None:
    for _ in range(times):
        print("P" * 5000)
        logging.getLogger("talk").info("L" * 5000)
    print("pieced", end=" ", flush=True)
    sys.stdout.buffer.write(b"together\\n")
"""


@contextmanager
def writing_to_a_pipe(
    sqs: Sqs, queue: str, folder: Path, *, of_bytes: int = 4096
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A worker of the talkative module whose standard output is a small pipe; yield its reading end."""
    (folder / "jobs.py").write_text(TALKATIVE)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, of_bytes)
    command = [str(Path(sys.executable).with_name("forebay")), "run", "jobs", "--queue", queue]
    process = subprocess.Popen(
        [*command, "--log", "json", "--exit-when-empty"],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint},
    )
    os.close(writing)
    try:
        yield reading, process
    finally:
        os.close(reading)
        process.kill()
        process.communicate()


def test_prints_and_our_lines_never_cut_each_other_in_two(sqs: Sqs, tmp_path: Path) -> None:
    """A pipe takes what is longer than 4 KiB in pieces, and another writer's piece may come in between."""
    queue = sqs.queue()
    sqs.send(queue, *[{"times": 9}] * 10, job="talk")

    with writing_to_a_pipe(sqs, queue, tmp_path) as (reading, process):
        # By little pieces, so that the pipe is full all the time.
        lines = b"".join(iter(lambda: os.read(reading, 512), b"")).decode().splitlines()
        status = process.wait(PATIENCE_S)

    events = [json.loads(line) for line in lines if line.startswith("{")]
    others = [line for line in lines if not line.startswith("{")]
    assert status == 0
    assert sorted(others) == ["P" * 5000] * 90 + ["pieced together"] * 10
    assert [event["message"] for event in events if event["event"] == "log"] == ["L" * 5000] * 90
    assert events[-1]["event"] == "worker.stopped"


@pytest.mark.parametrize("kind", ["broken", "unread"])
def test_a_handler_that_prints_is_not_harmed_by_what_has_become_of_standard_output(
    sqs: Sqs, tmp_path: Path, kind: str
) -> None:
    """`forebay run | head -1`, or a log driver that hangs: the jobs are done, and the exit status is ours."""
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    sqs.send(queue, *[{"times": 10}] * 10, job="talk")

    with writing_to_a_pipe(sqs, queue, tmp_path) as (reading, process):
        os.read(reading, 1)
        if kind == "broken":
            nowhere = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nowhere, reading)  # the one reading end is gone
            os.close(nowhere)
        status = process.wait(PATIENCE_S)

    assert status == 0
    assert sqs.counts(queue) == (0, 0, 0)
    assert sqs.counts(dead) == (0, 0, 0)


OWN_FORMAT = """
import logging, sys
from forebay import Worker

logging.basicConfig(stream=sys.stdout, format="mine: %(message)s", level=logging.DEBUG)
worker = Worker("own")

@worker.job
def speaks() -> None:
    logging.getLogger("shop").debug("said %s", "so", extra={"amount_eur": 3})
"""


@pytest.mark.parametrize("log", ["text", "json"])
def test_the_users_logging_keeps_its_format_among_text_and_becomes_an_event_among_json(
    sqs: Sqs, tmp_path: Path, log: str
) -> None:
    (tmp_path / "jobs.py").write_text(OWN_FORMAT)
    queue = sqs.queue()
    (message_id,) = sqs.send(queue, {}, job="speaks")
    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path, log=log) as worker:
        worker.wait()

    said = [line for line in worker.raw if "said so" in line]
    assert len(said) == 1
    if log == "text":
        assert said == ["mine: said so"]
    else:
        event = json.loads(said[0])
        assert (event["event"], event["logger"], event["level"], event["amount_eur"]) == ("log", "shop", "DEBUG", 3)
        assert (event["job"], event["message_id"]) == ("speaks", message_id)


LEDGER = {
    "event", "at", "received", "succeeded", "retried", "buried", "parked", "continued", "duplicate", "released",
    "lease_lost", "orphaned", "reason", "exit_status", "requests", "estimated_usd", "lasted_s",
}  # fmt: skip


def test_the_ledger_is_flat_adds_up_and_counts_the_requests_that_were_made(sqs: Sqs) -> None:
    queue = sqs.queue()
    sqs.send(queue, *["1"] * 30, *["no number"] * 3)
    before = sqs.stats()["requests"]
    with running(sqs, [queue], "--drain", "1") as worker:
        worker.wait_line("attempt.finished", count=33)
        worker.signal()
        status = worker.wait()
    after = sqs.stats()["requests"]

    made = sum(after.values()) - sum(before.values())
    assert status == 0
    assert set(worker.ledger) == LEDGER
    assert (worker.ledger["succeeded"], worker.ledger["parked"], worker.ledger["reason"]) == (30, 3, "SIGTERM")
    assert worker.ledger["requests"] == made
    assert abs(worker.ledger["estimated_usd"] - 0.4e-6 * made) < 1e-6
    assert_exact(worker.ledger)
    assert worker.errors == ""


CANARY = "canary-7f3a"
INDISCREET = """
from forebay import Message, Worker

worker = Worker("indiscreet")

@worker.job(attempts=1)
async def coroutine(word: str) -> None:
    raise ValueError("canary-7f3a" + word)      # in the source line too

@worker.job(attempts=1)
def thread(word: str) -> None:
    try:
        {}[word]
    except KeyError as error:
        raise RuntimeError(f"canary-7f3a {error}") from error

@worker.job(attempts=2, timeout="1s")
async def group(word: str) -> None:
    raise ExceptionGroup(word, [ValueError(word), type(word, (Exception,), {})(word)] * 1)

@worker.job
async def typed(number: int, when: "str | None" = None) -> None: ...

@worker.default(attempts=1)
async def whole(message: Message) -> None:
    raise OSError(5, message.body, message.body)
"""


@pytest.mark.parametrize("log", ["text", "json"])
def test_user_data_is_in_no_line_no_attribute_of_ours_and_no_page(sqs: Sqs, tmp_path: Path, log: str) -> None:
    (tmp_path / "jobs.py").write_text(INDISCREET)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    attribute = {"customer": {"DataType": "String", "StringValue": CANARY}}
    jobs: list[tuple[str | None, str]] = [
        ("coroutine", json.dumps({"word": CANARY})), ("thread", json.dumps({"word": CANARY})),
        ("group", json.dumps({"word": CANARY})), ("typed", json.dumps({"number": CANARY, CANARY: CANARY})),
        ("typed", CANARY), ("typed", json.dumps([CANARY])), (None, CANARY),
    ]  # fmt: skip
    for job, body in jobs:
        named = {"job": {"DataType": "String", "StringValue": job}} if job else {}
        sqs.client.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes={**attribute, **named})
    address = f"127.0.0.1:{free_port()}"
    options = ("--health", address, "--drain", "1")
    with running(sqs, [queue], *options, target="jobs", folder=tmp_path, log=log) as worker:
        sqs.wait_until(dead, lambda counts: counts[0] == len(jobs))
        page = urllib.request.urlopen(f"http://{address}/ready", timeout=PATIENCE_S).read().decode()
        worker.signal()
        worker.wait()

    told = "\n".join(worker.raw) + page + worker.errors
    notes = "".join(
        message["MessageAttributes"]["forebay.error"]["StringValue"]
        for _ in range(2)
        for message in sqs.take(dead, wait_s=0)
    )
    assert "Traceback" not in told
    assert len(re.findall("ValueError|RuntimeError|OSError", notes)) >= 3
    assert CANARY not in notes
    assert CANARY not in told


def test_the_pages_of_health_follow_the_contract(sqs: Sqs) -> None:
    """`/live` says nothing about SQS, `/ready` does, `/` is `/ready`, and no other site may ask through a browser."""
    address = f"127.0.0.1:{free_port()}"
    with running(sqs, [sqs.queue()], "--health", address, "--drain", "1") as worker:
        worker.wait_line("poll.started")
        pages = {path: status_of(f"http://{address}{path}") for path in ("/live", "/ready", "/", "/metrics")}
        foreign = status_of(f"http://{address}/live", host="example.com")
        worker.signal()
        worker.wait()

    assert pages == {"/live": 200, "/ready": 200, "/": 200, "/metrics": 404}
    assert foreign == 421
    with pytest.raises(urllib.error.URLError):
        status_of(f"http://{address}/live")


def status_of(url: str, *, host: str | None = None) -> int:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
