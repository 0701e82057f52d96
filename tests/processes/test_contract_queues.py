"""Several queues, few slots, large bodies, many attributes, and when a queue counts as empty."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.processes.harness import Sqs, assert_exact, running, wait_for

pytestmark = pytest.mark.processes

MIB = 1 << 20


def test_an_idle_queue_does_not_keep_the_slots_from_the_one_beside_it(sqs: Sqs) -> None:
    """Its long poll is open already when the other one's messages come, and what it has asked for is not to be had."""
    idle, busy = sqs.queue(), sqs.queue()
    with running(sqs, [idle, busy], "--slots", "8", "--drain", "1") as worker:
        worker.wait_line("poll.started", count=2)
        sqs.send(busy, *["5000"] * 7)
        worker.wait_line("attempt.started", count=7)
        has_ended = worker.events("attempt.finished")
        worker.signal()
        worker.wait()

    assert not has_ended, "they ran at once, not one after the other"


@pytest.mark.parametrize("slots", [1, 2, 4, 8])
def test_with_few_slots_every_queue_gets_its_turn(sqs: Sqs, slots: int) -> None:
    queues = [sqs.queue() for _ in range(3)]
    for queue in queues:
        sqs.send(queue, *["20"] * 40)

    with running(sqs, queues, "--slots", str(slots), "--drain", "1") as worker:
        worker.wait_line("attempt.finished", count=30)
        worker.signal()
        worker.wait()

    turns = Counter(line["queue"] for line in worker.events("attempt.finished")[:30])
    assert len(turns) == 3
    assert min(turns.values()) >= 5


def test_a_queue_without_work_does_not_hold_up_the_one_beside_it(sqs: Sqs) -> None:
    """Each of its polls may wait two seconds; paid for every job of the busy queue, that made minutes of moments."""
    busy, *idle = [sqs.queue() for _ in range(3)]
    sqs.send(busy, *["10"] * 20)

    with running(sqs, [*idle, busy], "--slots", "1", "--drain", "1") as worker:
        worker.wait_line("attempt.finished", count=20)
        worker.signal()
        worker.wait()

    # Those of the beginning and of the end remain: each queue once while none was known to have work.
    assert sum(line["wait_s"] for line in worker.events("poll.started")) <= 12


BODIES = """
import hashlib
from forebay import Message, Worker

worker = Worker("bodies")

@worker.default(attempts=1)
async def take(message: Message) -> None:
    if message.body.startswith("bad"):
        raise ValueError(message.body)
    print(hashlib.sha256(message.body.encode()).hexdigest())
"""


def test_bodies_of_a_mebibyte_pass_through_a_buffer_that_holds_one(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(BODIES)
    queue = sqs.queue()
    for index in range(8):
        sqs.send(queue, str(index) * MIB)

    options = ("--buffer-bytes", "1MiB", "--exit-when-empty")
    with running(sqs, [queue], *options, target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["received"] == worker.ledger["succeeded"] == 8
    assert len({line for line in worker.raw if len(line) == 64}) == 8


def binary(number: int) -> dict[str, Any]:
    return {"DataType": "Binary.png", "BinaryValue": bytes(range(256)) * number}


@pytest.mark.parametrize(
    ("attributes", "has_note"),
    [
        ({}, False),
        ({f"a{index}": binary(index + 1) for index in range(9)}, True),
        ({**{f"a{index}": binary(1) for index in range(9)}, "n": {"DataType": "Number", "StringValue": "12"}}, False),
    ],
    ids=["body of the largest size", "nine attributes", "ten attributes"],
)
def test_a_burial_changes_neither_body_nor_attributes_and_adds_its_note_where_there_is_room(
    sqs: Sqs, tmp_path: Path, attributes: dict[str, Any], has_note: bool
) -> None:
    (tmp_path / "jobs.py").write_text(BODIES)
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    body = "bad" + "x" * ((MIB if not attributes else MIB // 2) - 3)
    sqs.client.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        worker.wait()

    (copy,) = sqs.take(dead)
    kept = copy.get("MessageAttributes", {})
    note = kept.pop("forebay.error", None)
    assert copy["Body"] == body
    assert kept == attributes
    assert (note is not None) is has_note
    if note is not None:
        told = json.loads(note["StringValue"])
        assert (told["type"], told["receive_count"], told["queue"]) == ("ValueError", 1, sqs.arn(queue))
        assert {"fingerprint", "message_id", "sent_at_ms", "forebay", "python", "at"} <= set(told)
    assert worker.events("message.buried")[0]["reason"] == "failed with ValueError on delivery 1 of 1"


def test_a_delayed_message_keeps_the_queue_from_being_empty(sqs: Sqs) -> None:
    queue = sqs.queue()
    sqs.client.send_message(QueueUrl=queue, MessageBody="1", DelaySeconds=2)

    with running(sqs, [queue], "--exit-when-empty") as worker:
        status = worker.wait()

    assert status == 0
    assert (worker.ledger["reason"], worker.ledger["succeeded"]) == ("empty", 1)


def test_a_message_in_other_hands_keeps_the_queue_from_being_empty(sqs: Sqs) -> None:
    queue = sqs.queue()
    sqs.send(queue, "1", "2")
    returned, done = sqs.take(queue)

    with running(sqs, [queue], "--exit-when-empty") as worker:
        asked = sqs.requests("GetQueueAttributes")
        worker.wait_line("poll.started")
        wait_for(lambda: True if sqs.requests("GetQueueAttributes") >= asked + 3 else None, "it to look again")
        is_running = worker.process.poll() is None
        sqs.client.delete_message(QueueUrl=queue, ReceiptHandle=done["ReceiptHandle"])
        sqs.client.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=returned["ReceiptHandle"], VisibilityTimeout=0
        )
        status = worker.wait()

    assert is_running
    assert status == 0
    assert worker.ledger["succeeded"] == 1


RETRYING = """
from forebay import Context, RetryLater, Worker

worker = Worker("retrying")

@worker.job
async def later(ctx: Context) -> None:
    if ctx.attempt == 1:
        raise RetryLater(3)

@worker.job
async def chain(n: int) -> None:
    if n:
        await chain.aenqueue(n=n - 1)
"""


@pytest.mark.parametrize(("job", "body", "received"), [("later", {}, 2), ("chain", {"n": 5}, 6)])
def test_what_a_job_still_has_to_do_keeps_the_queue_from_being_empty(
    sqs: Sqs, tmp_path: Path, job: str, body: object, received: int
) -> None:
    (tmp_path / "jobs.py").write_text(RETRYING)
    queue = sqs.queue()
    sqs.send(queue, body, job=job)

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["received"] == received
    assert_exact(worker.ledger)


def test_without_the_permission_to_count_one_empty_long_poll_after_the_last_retry_will_do(
    sqs: Sqs, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(RETRYING)
    queue = sqs.queue()
    sqs.deny("GetQueueAttributes")
    sqs.send(queue, {}, job="later")

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["reason"] == "empty"
    assert (worker.ledger["retried"], worker.ledger["succeeded"]) == (1, 1)
    assert worker.ledger["lasted_s"] >= 20  # one long poll of the usual length, or several that add up to it
    assert 'grant {"Effect": "Allow", "Action": ["sqs:GetQueueAttributes"]' in worker.events("worker.note")[0]["note"]


EFFECTS = """
import os, random
from pathlib import Path
from forebay import Context, RetryLater, Worker

worker = Worker("effects")

@worker.job(attempts=50)
async def effect(ctx: Context, n: int) -> None:
    die = random.random()
    if ctx.attempt <= 2 and die < 0.2:
        raise ValueError("canary-7f3a")
    if ctx.attempt <= 2 and die < 0.3:
        raise RetryLater(1)
    with Path(os.environ["EFFECTS"], str(n)).open("a") as file:
        file.write("once\\n")
"""
JOBS = 600


def test_workers_that_come_and_go_on_one_queue_do_every_job_once_and_account_for_every_message(
    sqs: Sqs, tmp_path: Path
) -> None:
    """A drain in the middle of it costs nothing, and no message is with two of them at once."""
    (tmp_path / "jobs.py").write_text(EFFECTS)
    effects = tmp_path / "effects"
    effects.mkdir()
    queue = sqs.queue(dead_letter=sqs.queue(), receives_max=100)
    sqs.send(queue, *[{"n": number} for number in range(JOBS)], job="effect")
    options = ("--exit-when-empty", "--drain", "2", "--slots", "20")
    kwargs: dict[str, Any] = {"target": "jobs", "folder": tmp_path, "environment": {"EFFECTS": str(effects)}}

    with running(sqs, [queue], *options, **kwargs) as leaving, running(sqs, [queue], *options, **kwargs) as staying:
        leaving.wait_line("attempt.finished", count=30)
        leaving.signal()
        with running(sqs, [queue], *options, **kwargs) as late:
            workers = (leaving, staying, late)
            statuses = [worker.wait() for worker in workers]

    assert statuses == [0, 0, 0]
    assert sorted(int(file.name) for file in effects.iterdir()) == list(range(JOBS))
    assert {file.read_text() for file in effects.iterdir()} == {"once\n"}
    for worker in workers:
        assert_exact(worker.ledger)
    assert sum(worker.ledger["succeeded"] for worker in workers) == JOBS
    assert sum(worker.ledger["lease_lost"] for worker in workers) == 0
    assert sqs.counts(queue) == (0, 0, 0)
