"""Every call that a worker makes to AWS, written down on its way: what its role must allow, and nothing else.

Rules kept here and nowhere else:

1. The calls are those of a real worker's process, as they go over the wire. Nothing is taken from its source.
2. An operation whose permission is not known ends the recording: a new call must get one.
"""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from types import SimpleNamespace
from typing import cast
from urllib.parse import urlsplit

from tests.processes.harness import Agent, Sqs, control

from forebay.queue.grants import ACTION_OF

ACTION_OF_METHOD = {"PUT": "ecs:UpdateTaskProtection", "GET": "ecs:GetTaskProtection"}
"""What the ECS agent calls with the task's role when a container asks it."""


class Recorder:
    """Stands before the local SQS and writes down who is asked for what."""

    def __init__(self, sqs: Sqs) -> None:
        self._calls: set[tuple[str, str]] = set()
        calls, service = self._calls, urlsplit(sqs.endpoint)

        class Pages(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = json.loads(body)
                queue = said.get("QueueName") or said["QueueUrl"].rpartition("/")[2]
                calls.add((self.headers["X-Amz-Target"].removeprefix("AmazonSQS."), queue))
                onward = http.client.HTTPConnection(str(service.hostname), service.port, timeout=60)
                try:
                    onward.request("POST", self.path, body, dict(self.headers.items()))
                    answer = onward.getresponse()
                    content = answer.read()
                except (OSError, http.client.HTTPException):
                    # The service has gone, as it does at the end: the worker's connection goes as well.
                    self.close_connection = True
                    return
                finally:
                    onward.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is printed."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def service(self) -> Sqs:
        """What a worker's process wants of the local SQS: where it is."""
        return cast("Sqs", SimpleNamespace(endpoint=self.endpoint))

    def url(self, queue: str) -> str:
        """The queue's address, as a worker is told it."""
        return f"{self.endpoint}{urlsplit(queue).path}"

    def actions(self) -> set[tuple[str, str]]:
        """Each permission that the calls so far need, and the queue's name."""
        unknown = {operation for operation, _ in self._calls} - set(ACTION_OF)
        assert not unknown, f"{unknown}: a worker calls what queue/grants.py has no permission for"
        return {(ACTION_OF[operation], queue) for operation, queue in self._calls}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def actions_of(agent: Agent) -> set[str]:
    """Each permission that the calls to the ECS agent so far need."""
    calls = control("GET", f"{agent.control_uri}/calls")["calls"]
    return {ACTION_OF_METHOD[call["method"]] for call in calls}
