"""The local SQS in a process of its own, as the benchmarks use it.

Rules kept here and nowhere else:

1. Times of a run are the server's: from the first message delivered to the last one deleted.
2. Requests and messages are counted by the server, never by who is measured.
3. A held queue answers no receive until it is let go, so that the start of a worker is no part of a run.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.machine import SERVER_CORE, pinned
from benchmarks.usage import Usage

HOLD_S = 1.0
"""How long a held receive waits. Longer than any worker takes from its first receive to being settled."""

Json = dict[str, Any]


class Queue(NamedTuple):
    """A queue on the server."""

    name: str
    url: str


class Server:
    """A running server. Use as a context manager."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "forebay.cloud.sqs_server", "--until-stdin-closes"]
        self._process = subprocess.Popen(pinned(command, SERVER_CORE), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.endpoint: str = json.loads(self._process.stdout.readline())["endpoint"]
        self._connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
        self._queues = 0

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait(10)

    @property
    def usage(self) -> Usage:
        return Usage.of(self._process.pid)

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find this server instead of AWS."""
        return {
            "AWS_ENDPOINT_URL_SQS": self.endpoint,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # ── SQS ────────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, operation: str, **parameters: Any) -> Json:
        """Call an operation of SQS. No signature: the local server asks for none."""
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        return self._request("POST", "/", json.dumps(parameters), headers)

    def create_queue(self, *, visibility_s: int = 600) -> Queue:
        """Create a queue nobody has used before."""
        self._queues += 1
        name = f"bench-{self._queues}_jobs"  # Dramatiq writes a queue's last part into its messages.
        answer = self.call("CreateQueue", QueueName=name, Attributes={"VisibilityTimeout": str(visibility_s)})
        return Queue(name, answer["QueueUrl"])

    def delete_queue(self, queue: Queue) -> None:
        self.call("DeleteQueue", QueueUrl=queue.url)

    def fill(self, queue: Queue, template: Mapping[str, Any], count: int) -> None:
        """Put `count` copies of a message on a queue; `template` holds the parameters of SendMessage."""
        entries = [{"Id": str(index), **template} for index in range(10)]
        for start in range(0, count, 10):
            answer = self.call("SendMessageBatch", QueueUrl=queue.url, Entries=entries[: min(10, count - start)])
            assert not answer.get("Failed"), answer

    def take_template(self, queue: Queue) -> Json:
        """Take one message off a queue and return it as parameters of SendMessage."""
        answer = self.call(
            "ReceiveMessage",
            QueueUrl=queue.url,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=5,
            MaxNumberOfMessages=1,
        )
        (message,) = answer["Messages"]
        self.call("DeleteMessage", QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        template: Json = {"MessageBody": message["Body"]}
        if "MessageAttributes" in message:
            template["MessageAttributes"] = message["MessageAttributes"]
        return template

    # ── controls ───────────────────────────────────────────────────────────────────────────────────────────

    def stats(self) -> Json:
        return self._request("GET", "/_forebay/stats")

    def reset_stats(self) -> None:
        self._request("DELETE", "/_forebay/stats")

    def hold_receives(self) -> None:
        """Let every receive wait `HOLD_S` before it is even looked at."""
        self._set_chaos([{"effect": "delay_before", "operations": ["ReceiveMessage"], "delay_s": HOLD_S}])

    def let_go(self, *, latency_s: float = 0.0) -> None:
        """Hold nothing back from now on; add `latency_s` to every answer."""
        self._set_chaos([{"effect": "delay", "delay_s": latency_s}] if latency_s else [])

    def _set_chaos(self, rules: list[Json]) -> None:
        self._request("PUT", "/_forebay/chaos", json.dumps({"rules": rules}))

    def _request(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Json:
        self._connection.request(method, path, body, dict(headers or {}))
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} {dict(headers or {})}: HTTP {answer.status} {text[:300]!r}")
        value: Json = json.loads(text)
        return value
