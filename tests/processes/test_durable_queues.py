"""A local SQS that keeps its queues in a folder is killed by SIGKILL, again and again, and loses nothing.

Nothing that was acknowledged: a send whose answer never came may be there or not, as with SQS itself.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import pytest
from botocore.exceptions import BotoCoreError
from tests.cloud.sqs_clients import boto3_of
from tests.processes.harness import PATIENCE_S, Service, clean_environment

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.processes

MODULE = "forebay.cloud.sqs_server"
BEFORE_EACH_KILL = 60
KILLS = 4
T = TypeVar("T")


class Kept:
    """A local SQS with a folder, which can be killed and started again at the same address."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._options = ("--data", str(folder), "--queue", "jobs", *options)
        self._service = Service(MODULE, *self._options)
        self.endpoint: str = self._service.ready["endpoint"]
        self.url: str = self._service.ready["queues"]["jobs"]

    def kill(self) -> None:
        self._service.process.send_signal(signal.SIGKILL)
        self._service.process.wait(PATIENCE_S)
        self._service.close()

    def start(self) -> None:
        self._service = Service(MODULE, *self._options, "--port", self.endpoint.rpartition(":")[2])
        assert self._service.ready["endpoint"] == self.endpoint

    def client(self) -> SQSClient:
        return boto3_of(self.endpoint)

    def close(self) -> None:
        self._service.close()


@contextmanager
def _kept(folder: Path, *options: str) -> Iterator[Kept]:
    kept = Kept(folder, *options)
    try:
        yield kept
    finally:
        kept.close()


class Ledger:
    """What clients were told."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.sent: set[str] = set()
        self.deleted: set[str] = set()
        self.came_back: list[str] = []
        self.is_over = False

    def note(self, change: Callable[[], None]) -> None:
        with self.changed:
            change()
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), (len(self.sent), len(self.deleted))


def _until_answered(call: Callable[[], T]) -> T:
    """Repeat a call while the server is away."""
    until = monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except BotoCoreError:
            if monotonic() > until:
                raise


def _send(kept: Kept, ledger: Ledger) -> None:
    client, number = kept.client(), 0
    while not ledger.is_over:
        number += 1
        body = f"job {number}"
        try:
            client.send_message(QueueUrl=kept.url, MessageBody=body)
        except BotoCoreError:
            continue  # Nobody knows whether this one was taken.
        ledger.note(lambda body=body: ledger.sent.add(body))  # type: ignore[misc]


def _work(kept: Kept, ledger: Ledger) -> None:
    """The only consumer, so that its handles are the newest: an acknowledged delete deletes."""
    client = kept.client()
    while not (ledger.is_over and ledger.sent <= ledger.deleted):
        got = _until_answered(
            lambda: client.receive_message(QueueUrl=kept.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        )
        for message in got.get("Messages", []):
            body, receipt = message["Body"], message["ReceiptHandle"]
            if body in ledger.deleted:
                ledger.came_back.append(body)
            _until_answered(lambda receipt=receipt: client.delete_message(QueueUrl=kept.url, ReceiptHandle=receipt))  # type: ignore[misc]
            ledger.note(lambda body=body: ledger.deleted.add(body))  # type: ignore[misc]


def test_what_was_acknowledged_under_load_survives_every_kill(tmp_path: Path) -> None:
    ledger = Ledger()
    with _kept(tmp_path / "data", "--visibility", "2") as kept:
        threads = [threading.Thread(target=target, args=(kept, ledger), daemon=True) for target in (_send, _work)]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            goal = len(ledger.sent) + BEFORE_EACH_KILL
            ledger.wait_for(lambda goal=goal: len(ledger.sent) >= goal)  # type: ignore[misc]
            kept.kill()
            kept.start()
        ledger.is_over = True
        for thread in threads:
            thread.join(PATIENCE_S)
        lost = ledger.sent - ledger.deleted

    assert not lost
    assert ledger.came_back == []
    assert len(ledger.sent) >= KILLS * BEFORE_EACH_KILL


def test_leases_handles_delays_and_counts_go_on_after_a_kill(tmp_path: Path) -> None:
    with _kept(tmp_path, "--dead-letter-after", "2") as kept:
        client = kept.client()
        client.send_message(QueueUrl=kept.url, MessageBody="leased")
        client.send_message(QueueUrl=kept.url, MessageBody="late", DelaySeconds=900)
        (before,) = client.receive_message(QueueUrl=kept.url)["Messages"]
        client.set_queue_attributes(QueueUrl=kept.url, Attributes={"VisibilityTimeout": "77"})
        kept.kill()
        kept.start()

        client = kept.client()
        shown = client.get_queue_attributes(QueueUrl=kept.url, AttributeNames=["All"])["Attributes"]
        client.change_message_visibility(QueueUrl=kept.url, ReceiptHandle=before["ReceiptHandle"], VisibilityTimeout=0)
        (again,) = client.receive_message(QueueUrl=kept.url, MessageSystemAttributeNames=["All"])["Messages"]
        sent = client.send_message(QueueUrl=kept.url, MessageBody="new")

    assert shown["VisibilityTimeout"] == "77", "what --queue would make of it does not count"
    assert (shown["ApproximateNumberOfMessagesNotVisible"], shown["ApproximateNumberOfMessagesDelayed"]) == ("1", "1")
    assert again["MessageId"] == before["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert sent["MessageId"] != before["MessageId"], "the dice are not thrown as in the first life"


def test_a_full_disk_ends_the_server_and_what_it_acknowledged_is_there(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk's."""
    command = ["prlimit", "--fsize=300000", sys.executable, "-m", MODULE, "--data", str(tmp_path), "--queue", "jobs"]
    sent: set[str] = set()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        client = boto3_of(ready["endpoint"])
        with pytest.raises(BotoCoreError):  # noqa: PT012 - it is not known which one does not fit
            for number in range(1_000):
                client.send_message(QueueUrl=ready["queues"]["jobs"], MessageBody=f"{number} {'x' * 1_000}")
                sent.add(str(number))
        _, told = process.communicate(timeout=PATIENCE_S)
    with _kept(tmp_path) as kept:
        shown = kept.client().get_queue_attributes(QueueUrl=kept.url, AttributeNames=["All"])["Attributes"]

    assert process.returncode == 1
    assert told.startswith(f"--data: {tmp_path / 'queues.sqlite3'} cannot be written (")
    assert told.endswith("make room on the disk, then start again\n")
    assert int(shown["ApproximateNumberOfMessages"]) == len(sent) > 0


def _refused(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--data", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env=clean_environment(),
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_second_process_is_told_that_the_folder_is_taken(tmp_path: Path) -> None:
    with _kept(tmp_path):
        status, told = _refused(tmp_path)

    assert status == 1
    assert told == (f"--data: another process keeps its queues in {tmp_path}: stop it, or name another folder\n")


def test_a_file_that_holds_no_queues_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "queues.sqlite3").write_bytes(b"no database, but long enough to be taken for one" * 100)

    status, told = _refused(tmp_path)

    assert status == 1
    assert told.startswith(f"--data: {tmp_path / 'queues.sqlite3'} cannot be read as queues")
    assert told.count("\n") == 1
