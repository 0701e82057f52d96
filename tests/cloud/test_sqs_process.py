"""The local SQS as a process: the line it prints, its options, and what ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.cloud.sqs_clients import PATIENCE_S, Wire, boto3_of

pytestmark = pytest.mark.processes


@contextmanager
def _process(*options: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """A running server and the line with which it said that it is ready."""
    command = [sys.executable, "-m", "forebay.cloud.sqs_server", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            if process.poll() is None:
                process.kill()


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "forebay.cloud.sqs_server", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_a_server_says_where_it_is_and_what_queues_it_has() -> None:
    with _process("--queue", "jobs", "--queue", "more") as (_, ready):
        client = boto3_of(ready["endpoint"])

        assert set(ready) == {"endpoint", "queues"}
        assert list(ready["queues"]) == ["jobs", "more"]
        assert ready["endpoint"].startswith("http://127.0.0.1:")
        assert client.send_message(QueueUrl=ready["queues"]["jobs"], MessageBody="x")["MessageId"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_status_nought_though_polls_are_open(number: signal.Signals) -> None:
    with _process("--queue", "jobs") as (process, ready), Wire(int(ready["endpoint"].rpartition(":")[2])) as wire:
        wire.send("ReceiveMessage", {"QueueUrl": ready["queues"]["jobs"], "WaitTimeSeconds": 20})
        with Wire(wire.port) as other:
            other.call("ListQueues")
        process.send_signal(number)

        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "", "one line, and nothing else"


def test_it_leaves_with_its_parent_when_told_to() -> None:
    with _process("--until-stdin-closes") as (process, _):
        assert process.stdin is not None
        process.stdin.close()

        assert process.wait(PATIENCE_S) == 0


def test_its_queues_are_as_the_options_say() -> None:
    options = ("--queue", "jobs", "--visibility", "7", "--dead-letter-after", "4", "--region", "eu-west-3")
    with _process(*options) as (_, ready):
        client = boto3_of(ready["endpoint"])
        shown = client.get_queue_attributes(QueueUrl=ready["queues"]["jobs"], AttributeNames=["All"])["Attributes"]

    assert shown["VisibilityTimeout"] == "7"
    assert shown["QueueArn"] == "arn:aws:sqs:eu-west-3:000000000000:jobs"
    assert json.loads(shown["RedrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:eu-west-3:000000000000:jobs-dead",
        "maxReceiveCount": 4,
    }


def test_it_can_be_started_as_a_copilot_queue_that_denies_and_samples() -> None:
    with _process("--queue", "jobs", "--deny", "GetQueueAttributes", "--sampled") as (_, ready):
        client, url = boto3_of(ready["endpoint"]), ready["queues"]["jobs"]
        for _ in range(5):
            client.send_message_batch(
                QueueUrl=url, Entries=[{"Id": str(number), "MessageBody": "x"} for number in range(10)]
            )
        sizes = [
            len(client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])) for _ in range(5)
        ]

        assert min(sizes) < 10
        with pytest.raises(ClientError, match="AccessDenied"):
            client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])


def test_a_queue_that_cannot_be_made_is_a_usage_error() -> None:
    done = _run(["--queue", "not a name"])

    assert done.returncode == 2
    assert "--queue" in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    with _process() as (_, ready):
        port = ready["endpoint"].rpartition(":")[2]

        done = _run(["--port", port])

    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_serves_without_the_fast_extras_too() -> None:
    """Neither uvloop nor orjson is needed."""
    program = (
        "import sys; sys.modules['uvloop'] = sys.modules['orjson'] = None; "
        "from forebay.cloud.sqs_process import main; sys.exit(main(['--queue', 'jobs', '--until-stdin-closes']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        client, url = boto3_of(ready["endpoint"]), ready["queues"]["jobs"]
        client.send_message(QueueUrl=url, MessageBody="Grüße 🏞️")
        received = client.receive_message(QueueUrl=url)["Messages"]
        process.stdin.close()

        assert [message["Body"] for message in received] == ["Grüße 🏞️"]
        assert process.wait(PATIENCE_S) == 0


def test_a_queue_whose_name_ends_in_fifo_is_one_and_so_is_its_dead_letter_queue() -> None:
    with _process("--queue", "orders.fifo", "--dead-letter-after", "4") as (_, ready):
        client = boto3_of(ready["endpoint"])
        url = ready["queues"]["orders.fifo"]
        shown = client.get_queue_attributes(QueueUrl=url, AttributeNames=["FifoQueue", "RedrivePolicy"])["Attributes"]

    assert shown["FifoQueue"] == "true"
    assert json.loads(shown["RedrivePolicy"])["deadLetterTargetArn"].endswith(":orders-dead.fifo")
