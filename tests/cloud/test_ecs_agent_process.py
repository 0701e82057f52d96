"""The local ECS agent as a process: one JSON line, then service until SIGTERM."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import Any

import pytest


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as response:
        content = json.loads(response.read())
    assert isinstance(content, dict)
    return content


@pytest.mark.processes
def test_the_process_prints_its_addresses_serves_and_leaves_when_told() -> None:
    command = [sys.executable, "-m", "forebay.cloud.ecs_agent", "--port", "0", "--tasks", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            addresses = json.loads(process.stdout.readline())
            state = get(addresses["agent_uri"] + "/task-protection/v1/state")
            second = get(addresses["tasks"][1]["metadata_uri"] + "/task")
            calls = get(addresses["control_uri"] + "calls")
        finally:
            process.terminate()
            status = process.wait(timeout=10)

    assert state["protection"]["ProtectionEnabled"] is False
    assert second["ServiceName"] == "worker"
    assert len(calls["calls"]) == 1
    assert status == 0
