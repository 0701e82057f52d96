"""An AWS that answers what a test has written down, over the real protocol, so that boto3 asks and reads as it does.

It stands in where moto is silent: protection of tasks, scaling activities, ECS Exec, stopped tasks with their reasons,
and pages of logs that come late and out of order. Only the AWS JSON protocols are spoken.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]
Answer = Callable[[Json], Json]

REGION = "eu-central-1"
CLUSTER_ARN = f"arn:aws:ecs:{REGION}:123456789012:cluster/shop-test"
TASKS = f"arn:aws:ecs:{REGION}:123456789012:task/shop-test"
DEFINITION = f"arn:aws:ecs:{REGION}:123456789012:task-definition/shop-test"


class Refusal(Exception):
    """What the service answers instead."""

    def __init__(self, code: str, message: str = "no") -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class ScriptedAws:
    """A loopback endpoint. What has no answer written down is refused by its name."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, Json]] = []
        """Operation and parameters, in order."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def on(self, operation: str, answer: Answer | Json) -> None:
        """Answer the operation so, from now on."""
        self.answers[operation] = answer if callable(answer) else lambda _: answer

    def refuse(self, operation: str, code: str, message: str = "no") -> None:
        def refused(_: Json) -> Json:
            raise Refusal(code, message)

        self.answers[operation] = refused

    def asked(self, operation: str) -> list[Json]:
        """Return the parameters of each call of the operation."""
        return [parameters for name, parameters in self.calls if name == operation]

    def answer(self, target: str, parameters: Json) -> tuple[int, Mapping[str, Any]]:
        operation = target.rpartition(".")[2]
        self.calls.append((operation, parameters))
        try:
            if operation not in self.answers:
                raise Refusal("UnknownOperationException", f"{target} is not in the script")
            return 200, self.answers[operation](parameters)
        except Refusal as refusal:
            return 400, {"__type": refusal.code, "message": refusal.message}

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(aws: ScriptedAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target", "")
            if target:
                status, answer = aws.answer(target, json.loads(body))
            else:  # CloudWatch is asked by forms or by paths, and gets no answer; what it was asked for is known.
                named = self.path.rpartition("/")[2] or dict(parse_qsl(body.decode())).get("Action", "")
                status, answer = aws.answer(named, {})
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def scripted() -> Generator[ScriptedAws]:
    """Run one as long as the block lasts."""
    aws = ScriptedAws()
    thread = threading.Thread(target=aws.serve, daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        aws.close()
        thread.join()


def a_service(**changes: Any) -> Json:
    """Return the answer of DescribeServices about one service that is at rest."""
    count = changes.pop("count", 1)
    service = {
        "serviceName": "shop",
        "status": "ACTIVE",
        "desiredCount": count,
        "runningCount": count,
        "pendingCount": 0,
        "taskDefinition": f"{DEFINITION}:7",
        "deployments": [a_deployment(desiredCount=count, runningCount=count)],
        "events": [],
    }
    return {"services": [{**service, **changes}], "failures": []}


def a_deployment(**changes: Any) -> Json:
    deployment = {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": f"{DEFINITION}:7",
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        "failedTasks": 0,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": "",
        "createdAt": 1_795_000_000,
        "updatedAt": 1_795_000_000,
    }
    return {**deployment, **changes}


def a_task(task_id: str, **changes: Any) -> Json:
    """Return one task as DescribeTasks has it."""
    task = {
        "taskArn": f"{TASKS}/{task_id}",
        "taskDefinitionArn": f"{DEFINITION}:7",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "startedAt": 1_795_000_000,
        "createdAt": 1_795_000_000,
        "healthStatus": "HEALTHY",
        "capacityProviderName": "FARGATE",
        "containers": [{"name": "worker", "runtimeId": f"{task_id}-1", "lastStatus": "RUNNING"}],
    }
    return {**task, **changes}


def serve_tasks(aws: ScriptedAws, *tasks: Json) -> None:
    """Answer ListTasks and DescribeTasks about these."""
    by_arn = {str(task["taskArn"]): task for task in tasks}
    aws.on(
        "ListTasks",
        lambda asked: {
            "taskArns": [arn for arn, task in by_arn.items() if task["desiredStatus"] == asked["desiredStatus"]]
        },
    )
    aws.on("DescribeTasks", lambda asked: {"tasks": [by_arn[_arn(one)] for one in asked["tasks"]], "failures": []})


def _arn(task: str) -> str:
    return task if task.startswith("arn:") else f"{TASKS}/{task}"
