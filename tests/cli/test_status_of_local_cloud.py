"""The verbs status and scale against a real `forebay local`, whose exported variables are all that they need."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.command import run
from tests.cli.test_local import Started

pytestmark = pytest.mark.processes


def test_a_busy_task_of_the_local_cloud_is_shown_as_protected_and_others_join_it(tmp_path: Path) -> None:
    started = Started(tmp_path, "--tasks", "1-3", "--stay", "--no-page", "--spike", "1:30000", "--cold-start", "0")
    exports = started.read_until("export AWS_ENDPOINT_URL_SQS=")
    env = dict(pair.split("=", 1) for pair in exports.replace("export", "").split())
    started.read_until("Working for 30000 milliseconds")

    busy = json.loads(run("status", "--json", cwd=tmp_path, env=env).out)
    scaled = run("scale", "3", cwd=tmp_path, env=env)
    screen = run("status", cwd=tmp_path, env=env).out
    too_low = run("scale", "1", "--no-wait", cwd=tmp_path, env=env)
    paused = run("scale", "--pause", cwd=tmp_path, env=env)
    no_logs = run("logs", cwd=tmp_path, env=env)
    no_exec = run("exec", cwd=tmp_path, env=env)
    started.insist(signal.SIGTERM)
    started.end()

    [protected] = busy["protected"]
    assert protected["task_id"] == busy["tasks"]["alive"][0]["task_id"]
    assert datetime.fromisoformat(protected["until_utc"]) > datetime.now(UTC)
    assert busy["queue"]["in_flight"] == 1
    assert busy["queue"]["dead"] == {"name": "jobs-dead", "count": 0}
    assert scaled.status == 0, scaled.err
    assert "3/3 desired tasks are running" in scaled.out
    assert screen.startswith(
        "Found service worker in cluster local\nTask Summary\n\n  Running   ██████████  3/3 desired"
    )
    assert f"  {protected['task_id'][:8]}  RUNNING " in screen
    assert "until " in screen
    assert screen.endswith("scaling, alarms and the age of messages are not asked for.\n")
    assert too_low.status == 0, too_low.err
    assert paused.status == 2
    assert "its scaling is switched on the page of `forebay local`" in paused.err
    assert no_logs.status == 2
    assert "add --group; `forebay local` shows its tasks' lines" in no_logs.err
    assert no_exec.status == 1
    assert "ECS Exec is off" in no_exec.err
