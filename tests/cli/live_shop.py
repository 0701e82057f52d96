"""A service `shop` that runs in environment `test` of a scripted AWS, and a plugin that tells what it was given."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deploy.scripted_endpoint import ScriptedAws, a_deployment, a_service, a_task, scripted, serve_tasks

TASK_ID = "0506b170f2a14cd59fb0f1a7b1c5e3a1"
TOKEN = "token-that-opens-a-shell"

PLUGIN = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "{version}"; exit 0; fi
for argument in "$@"; do echo "argument $argument"; done
echo "environment $AWS_SSM_START_SESSION_RESPONSE"
exit {status}
"""


@contextmanager
def a_live_shop() -> Generator[ScriptedAws]:
    """Run the AWS as long as the block lasts. The count is what UpdateService has last asked for."""
    with scripted() as aws:
        serve_shop(aws)
        yield aws


def serve_shop(aws: ScriptedAws, *, has_exec: bool = True) -> None:
    """Answer about one task that runs, its queue and its logs."""
    counts = [1]

    def described(_: Any = None) -> dict[str, Any]:
        [count] = counts
        deployment = a_deployment(desiredCount=count, runningCount=count)
        return a_service(count=count, deployments=[deployment], enableExecuteCommand=has_exec)

    def updated(asked: dict[str, Any]) -> dict[str, Any]:
        counts[0] = asked["desiredCount"]
        return {"service": described()["services"][0]}

    aws.on("DescribeServices", described)
    aws.on("UpdateService", updated)
    serve_tasks(aws, a_task(TASK_ID, enableExecuteCommand=has_exec))
    aws.on("GetTaskProtection", {"protectedTasks": [], "failures": []})
    aws.on("GetQueueUrl", {"QueueUrl": f"{aws.endpoint}/1/shop-test"})
    aws.on("GetQueueAttributes", {"Attributes": {"ApproximateNumberOfMessages": "0"}})
    aws.on("DescribeScalableTargets", {"ScalableTargets": []})
    event = {
        "eventId": "1",
        "logStreamName": f"forebay/worker/{TASK_ID}",
        "timestamp": int(time.time() * 1000) - 1_000,
        "message": "2026-11-28T12:00:00.000Z Long polling for messages",
    }
    aws.on("FilterLogEvents", {"events": [event]})
    session = {"sessionId": "ecs-execute-command-1", "streamUrl": "wss://example.org", "tokenValue": TOKEN}
    aws.on("ExecuteCommand", {"clusterArn": "c", "taskArn": TASK_ID, "containerName": "worker", "session": session})


def a_plugin(folder: Path, *, version: str = "1.2.707.0", status: int = 0) -> Path:
    """Put a session-manager-plugin into a folder of its own, and return that."""
    place = folder / "plugin"
    place.mkdir(exist_ok=True)
    plugin = place / "session-manager-plugin"
    plugin.write_text(PLUGIN.format(version=version, status=status))
    plugin.chmod(0o755)
    return place
