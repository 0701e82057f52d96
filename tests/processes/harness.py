"""Real processes for tests: the local SQS, the ECS agent, and workers whose JSON lines can be waited for.

Nothing here sleeps to wait: a test waits for an event, a message or a process's end, each with a bound that only a
failure reaches.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3

PATIENCE_S = 45.0
"""The bound of every wait. Generous: the machines are small, and a passing test never reaches it."""

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}

Line = dict[str, Any]
T = TypeVar("T")


def clean_environment() -> dict[str, str]:
    """The environment without anything that would steer a worker."""
    mine = ("AWS_", "ECS_", "FOREBAY_", "QUEUE_REGION", "COPILOT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


class Service:
    """A local service in a process of its own, which leaves when its standard input closes."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean_environment(),
        )
        assert self.process.stdout is not None
        self.ready: Line = json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def control(method: str, url: str, body: object = None) -> Any:
    """Call a control of a local service."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=content, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.loads(answer.read() or b"null")


class Sqs(Service):
    """The local SQS and a boto3 client of it."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("forebay.cloud.sqs_server", "--port", "0", "--until-stdin-closes", *arguments)
        self.endpoint: str = self.ready["endpoint"]
        self.client: Any = boto3.client(
            "sqs",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._queues = 0

    def close(self) -> None:
        self.client.close()
        super().close()

    def queue(self, *, dead_letter: str | None = None, receives_max: int = 100, **attributes: str) -> str:
        """Make a queue of its own for a test; return its URL."""
        self._queues += 1
        if dead_letter is not None:
            policy = {"deadLetterTargetArn": self.arn(dead_letter), "maxReceiveCount": receives_max}
            attributes["RedrivePolicy"] = json.dumps(policy)
        url: str = self.client.create_queue(QueueName=f"queue-{self._queues}", Attributes=attributes)["QueueUrl"]
        return url

    def arn(self, url: str) -> str:
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def send(self, url: str, *bodies: object, job: str | None = None) -> list[str]:
        """Send bodies (JSON for what is no string); return the message ids."""
        attributes = {"job": {"DataType": "String", "StringValue": job}} if job is not None else {}
        ids: list[str] = []
        for start in range(0, len(bodies), 10):
            entries = [
                {
                    "Id": str(index),
                    "MessageBody": body if isinstance(body, str) else json.dumps(body),
                    "MessageAttributes": attributes,
                }
                for index, body in enumerate(bodies[start : start + 10])
            ]
            answer = self.client.send_message_batch(QueueUrl=url, Entries=entries)
            assert not answer.get("Failed"), answer
            ids += [sent["MessageId"] for sent in answer["Successful"]]
        return ids

    def take(self, url: str, *, wait_s: int = 10, visibility_s: int = 30) -> list[Any]:
        """Receive as another consumer would."""
        answer = self.client.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=wait_s,
            MaxNumberOfMessages=10,
            VisibilityTimeout=visibility_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def counts(self, url: str) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        visible, in_flight, delayed = (int(found[name]) for name in names)
        return visible, in_flight, delayed

    def wait_until(self, url: str, condition: Callable[[tuple[int, int, int]], bool]) -> tuple[int, int, int]:
        """Wait until the queue's counts are as asked."""
        return wait_for(lambda: (lambda found: found if condition(found) else None)(self.counts(url)), "the counts")

    def stats(self) -> Line:
        return dict(control("GET", f"{self.endpoint}/_forebay/stats"))

    def requests(self, operation: str) -> int:
        """How often `operation` has been called so far."""
        return int(self.stats()["requests"].get(operation, 0))

    def chaos(self, *rules: Mapping[str, object]) -> None:
        """Let these go wrong from now on; none: nothing."""
        control("PUT", f"{self.endpoint}/_forebay/chaos", {"rules": list(rules)})

    def deny(self, *operations: str) -> None:
        control("PUT", f"{self.endpoint}/_forebay/denied", {"denied": list(operations)})


class Agent(Service):
    """The local ECS agent."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("forebay.cloud.ecs_agent", "--port", "0", *arguments)
        self.uri: str = self.ready["agent_uri"]
        self.metadata_uri: str = self.ready["metadata_uri"]
        self.control_uri: str = self.ready["control_uri"].rstrip("/")


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Look again and again until there is something; fail after the bound."""
    ends_at = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while time.monotonic() < ends_at:
        found = look()
        if found is not None:
            return found
        pause.wait(0.02)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain for {what}")


class WorkerProcess:
    """One `forebay run`, its lines as they come, and its end. `command`: another that comes to a worker in the end."""

    def __init__(
        self,
        sqs: Sqs,
        queues: Sequence[str],
        *arguments: str,
        target: str | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        log: str = "json",
        command: Sequence[str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            command or self._command(queues, arguments, target, log),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, **(environment or {})},
        )
        self.raw: list[str] = []
        self.lines: list[Line] = []
        self.errors = ""
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _command(queues: Sequence[str], arguments: Sequence[str], target: str | None, log: str) -> list[str]:
        command = [str(Path(sys.executable).with_name("forebay")), "run", *([target] if target else [])]
        for queue in queues:
            command += ["--queue", queue]
        return [*command, "--log", log, *arguments]

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            with self._news:
                self.raw.append(raw.rstrip("\n"))
                if raw.startswith("{"):
                    self.lines.append(json.loads(raw))
                self._news.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def wait_line(self, event: str, count: int = 1, **fields: object) -> Line:
        """Wait for the `count`-th line of this event with these fields; return it."""

        def matching() -> list[Line]:
            return [
                line
                for line in self.lines
                if line["event"] == event and all(line.get(name) == value for name, value in fields.items())
            ]

        with self._news:
            if not self._news.wait_for(lambda: len(matching()) >= count or self.has_ended, PATIENCE_S):
                raise AssertionError(f"no {event} {fields} within {PATIENCE_S:.0f} s; last lines: {self.raw[-8:]}")
            found = matching()
        if len(found) < count:
            raise AssertionError(f"ended without {event} {fields}: {self.raw[-8:]} {self.errors}")
        return found[count - 1]

    def wait_text(self, part: str) -> str:
        """Wait for a raw line that contains `part`."""
        with self._news:
            found = self._news.wait_for(lambda: [raw for raw in self.raw if part in raw] or self.has_ended, PATIENCE_S)
        if isinstance(found, list) and found:
            return str(found[0])
        raise AssertionError(f"no line with {part!r}: {self.raw[-8:]} {self.errors}")

    @property
    def has_ended(self) -> bool:
        return not self._readers[0].is_alive()

    def events(self, event: str) -> list[Line]:
        with self._news:
            return [line for line in self.lines if line["event"] == event]

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        status = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return status

    @property
    def ledger(self) -> Line:
        """The last line: `worker.stopped`."""
        stopped = self.events("worker.stopped")
        assert len(stopped) == 1, self.raw[-8:]
        return stopped[0]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


@contextmanager
def running(*args: Any, **options: Any) -> Iterator[WorkerProcess]:
    """Run a worker for the length of a block; what is left of it is killed."""
    worker = WorkerProcess(*args, **options)
    try:
        yield worker
    finally:
        worker.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def assert_exact(ledger: Mapping[str, Any]) -> None:
    """Every message received is in one column."""
    columns = ("succeeded", "retried", "buried", "parked", "continued", "duplicate", "released", "lease_lost")
    assert ledger["orphaned"] == 0, ledger
    assert ledger["received"] == sum(ledger[column] for column in columns), ledger
