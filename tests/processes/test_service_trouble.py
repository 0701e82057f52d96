"""What the service does to us: holes in the network, throttling, errors, expired tokens, missing permissions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.processes.harness import KEYS, Sqs, assert_exact, clean_environment, control, free_port, running, wait_for
from tests.processes.network import Wire

pytestmark = pytest.mark.processes


@pytest.fixture
def wire(sqs: Sqs) -> Iterator[Wire]:
    wire = Wire(sqs.endpoint)
    yield wire
    wire.close()


def test_after_a_hole_in_the_network_work_goes_on_without_a_restart(sqs: Sqs, wire: Wire) -> None:
    """C1: every packet is swallowed for a while; `/ready` is red meanwhile, `/live` never."""
    queue = sqs.queue()
    port = free_port()
    health = f"127.0.0.1:{port}"
    environment = {"AWS_ENDPOINT_URL_SQS": wire.endpoint}
    # A held message keeps heartbeats going: they notice the hole long before the idle poll would.
    with running(sqs, [queue], "--health", health, "--visibility", "6", environment=environment) as worker:
        sqs.send(queue, "60000")
        worker.wait_line("attempt.started")

        wire.swallow()
        worker.wait_line("poll.failed")
        began_at = time.monotonic()
        worker.wait_line("poll.failed", count=3)
        lasted_s = time.monotonic() - began_at
        lines = len(worker.events("poll.failed"))
        is_alive = control("GET", f"http://{health}/live")
        wire.mend()
        worker.wait_line("poll.recovered")
        sqs.send(queue, "1")
        worker.wait_line("attempt.finished", outcome="succeeded")
        worker.signal()
        worker.signal()

    assert is_alive is not None
    assert lines <= lasted_s + 3, "at most one line a second"


@pytest.mark.parametrize("effect", ["throttle", "unavailable", "server_error", "drop_before", "cut_short"])
def test_trouble_of_every_kind_passes_and_nothing_is_lost(sqs: Sqs, effect: str) -> None:
    queue = sqs.queue()
    sqs.send(queue, *["1"] * 40)
    sqs.chaos({"effect": effect, "times": 12, "probability": 0.5})
    with running(sqs, [queue], "--exit-when-empty", "--visibility", "3") as worker:
        status = worker.wait()

    sqs.chaos()
    assert status == 0
    assert sqs.counts(queue) == (0, 0, 0)
    assert worker.ledger["succeeded"] >= 1
    assert_exact(worker.ledger)


def test_an_expired_token_in_the_middle_of_a_job_costs_nothing(sqs: Sqs) -> None:
    """C18: the heartbeat that meets the expiry is repeated with what the refresh brings, within the lease."""
    queue = sqs.queue()
    with running(sqs, [queue], "--visibility", "4", "--exit-when-empty") as worker:
        (message_id,) = sqs.send(queue, "7000")
        worker.wait_line("attempt.started")
        sqs.chaos({"effect": "expired_token", "times": 1, "operations": ["ChangeMessageVisibilityBatch"]})

        finished = worker.wait_line("attempt.finished", message_id=message_id)
        status = worker.wait()

    assert finished["outcome"] == "succeeded"
    assert not worker.events("lease.lost")
    assert status == 0
    assert worker.ledger["received"] == 1


def test_a_delete_that_fails_in_part_is_repeated_and_the_job_is_not(sqs: Sqs) -> None:
    """C8: HTTP 200 with one failed entry."""
    queue = sqs.queue()
    sqs.chaos({"effect": "fail_entries", "times": 2, "entries": 1, "operations": ["DeleteMessageBatch"]})
    sqs.send(queue, *["1"] * 10)
    with running(sqs, [queue], "--exit-when-empty") as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["received"] == 10
    assert worker.ledger["succeeded"] == 10
    assert sqs.counts(queue) == (0, 0, 0)


def test_a_message_delivered_twice_runs_once(sqs: Sqs) -> None:
    """C9, without its idempotency clause: two receipts of one message in one answer."""
    queue = sqs.queue()
    sqs.send(queue, *["300"] * 5)
    sqs.chaos({"effect": "duplicate", "entries": 3, "times": 1, "operations": ["ReceiveMessage"]})
    with running(sqs, [queue], "--exit-when-empty") as worker:
        status = worker.wait()

    assert status == 0
    assert worker.ledger["succeeded"] == 5
    assert worker.ledger["duplicate"] == 3
    assert len(worker.events("attempt.started")) == 5


def test_a_queue_that_denies_questions_and_heartbeats_is_worked_all_the_same(sqs: Sqs) -> None:
    """Copilot's queues grant neither GetQueueAttributes nor ChangeMessageVisibility."""
    queue = sqs.queue()
    sqs.deny("GetQueueAttributes", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch")
    with running(sqs, [queue], "--visibility", "2", "--drain", "1") as worker:
        note = worker.wait_line("permission.missing")
        (message_id,) = sqs.send(queue, "4000")  # longer than the visibility timeout asked for

        finished = worker.wait_line("attempt.finished", message_id=message_id)
        wait_for(lambda: True if sqs.requests("DeleteMessageBatch") else None, "the delete")
        worker.signal()
        sqs.deny()
        worker.wait()

    assert finished["outcome"] == "succeeded"
    assert "sqs:ChangeMessageVisibility" in note["grant"]
    assert not worker.events("lease.lost")
    assert len(worker.events("attempt.started")) == 1


def test_a_queue_that_does_not_exist_ends_the_worker_with_the_remedy(sqs: Sqs) -> None:
    with running(sqs, [f"{sqs.endpoint}/000000000000/nowhere"]) as worker:
        status = worker.wait()

    assert status == 1
    assert worker.ledger["exit_status"] == 1
    assert "does not exist" in worker.ledger["reason"]


def test_a_worker_without_permission_to_receive_says_what_to_grant(sqs: Sqs) -> None:
    queue = sqs.queue()
    sqs.deny("ReceiveMessage")
    with running(sqs, [queue]) as worker:
        status = worker.wait()

    assert status == 1
    assert "sqs:ReceiveMessage" in worker.ledger["reason"]


def test_a_worker_without_credentials_says_what_to_set(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "none")}
    with running(sqs, [queue], environment=nobody) as worker:
        status = worker.wait()

    assert status == 1
    assert "credentials" in worker.ledger["reason"]


def test_standard_output_that_nobody_reads_stops_no_heartbeat(sqs: Sqs, tmp_path: Path) -> None:
    """A full pipe blocks the log's own thread, and nothing else."""
    import subprocess
    import sys

    queue = sqs.queue()
    forebay = str(Path(sys.executable).with_name("forebay"))
    process = subprocess.Popen(
        [forebay, "run", "--queue", queue, "--log", "json", "--visibility", "3", "--exit-when-empty"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint},
    )
    try:
        sqs.send(queue, *["1"] * 2000)  # far more lines than a pipe holds
        (message_id,) = sqs.send(queue, "6000")

        sqs.wait_until(queue, lambda counts: counts == (0, 0, 0))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    taken = sqs.take(queue, wait_s=1)
    assert not taken, f"{message_id} came back"
