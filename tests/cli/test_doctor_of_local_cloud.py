"""`forebay doctor --live` against a real `forebay local`, whose exported variables are all that it needs."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.cli.command import run
from tests.cli.test_local import Started

pytestmark = pytest.mark.processes


def test_the_service_and_the_queue_of_the_local_cloud_are_examined(tmp_path: Path) -> None:
    started = Started(tmp_path, "--tasks", "1-3", "--stay", "--no-page", "--cold-start", "0")
    exports = started.read_until("export AWS_ENDPOINT_URL_SQS=")
    env = dict(pair.split("=", 1) for pair in exports.replace("export", "").split())

    ran = run("doctor", "--live", "--json", cwd=tmp_path, env=env)
    started.insist(signal.SIGTERM)
    started.end()

    assert ran.status == 0, ran.err
    found = {one["check"]: one for one in json.loads(ran.out)["findings"]}
    assert found["visibility-queue"]["value"] == "VisibilityTimeout 30 s, workers ask for 1 min"
    assert found["dead-letter-allow"]["place"] == "live queue jobs-dead.RedriveAllowPolicy"
    assert found["image-tag"]["value"] == "image worker:latest"
    assert found["live-unread"]["why"] == "not examined: ECS is on this machine, and the rest is not asked for"
    assert "dead-letter-missing" not in found
