"""`forebay local --data DIR`: what is in its queues outlives it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from tests.cli.command import run
from tests.cli.test_local import Started, is_gone

pytestmark = pytest.mark.processes

JOBS = 24
DONE = re.compile(r"([0-9a-f-]{36}) - Done")


def _done(lines: list[str]) -> set[str]:
    return {found[1] for line in lines if (found := DONE.search(line)) is not None}


def test_a_run_that_was_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    options = ("--data", "kept", "--tasks", "1", "--cold-start", "0", "--no-page")
    first = Started(tmp_path, *options, "--spike", f"{JOBS}:100", "--", "--slots", "2", "--visibility", "2")
    first.read_until(" - Done")
    workers = first.worker_pids()
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    assert all(is_gone(pid) for pid in workers), "its workers die with it"

    second = run(
        "local", "--port", "0", *options, "--spike", "0", "--", "--slots", "10", "--visibility", "2", cwd=tmp_path
    )

    done_first, done_then = _done(first.lines), _done(second.out.splitlines())
    assert second.status == 0, second.err
    assert len(done_first | done_then) == JOBS
    assert 0 < len(done_then) < JOBS
    assert second.out.splitlines()[-1].startswith(f"0 messages sent, {len(done_then)} deleted, 0 left in the queue")
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_another_run_has_is_refused_with_the_remedy(tmp_path: Path) -> None:
    first = Started(tmp_path, "--data", "kept", "--spike", "0", "--no-page", "--stay")
    first.read_until("export AWS_ENDPOINT_URL_SQS=")

    second = run("local", "--port", "0", "--data", "kept", cwd=tmp_path)
    first.process.send_signal(signal.SIGTERM)

    assert second.status == 2
    assert "--data: another process keeps its queues in kept: stop it, or name another folder" in second.err
    assert "Traceback" not in second.err
    assert first.end() == 0
