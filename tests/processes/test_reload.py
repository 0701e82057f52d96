"""`forebay run --reload`: real files, real signals, a real worker that is replaced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes.harness import KEYS, PATIENCE_S, Sqs, clean_environment, wait_for

from forebay.cli.reload import is_code

SHOP = """
import os, time
from forebay import Worker
worker = Worker("shop")
@worker.job
def work(name: str) -> None:
    print("begun", name, "VERSION", os.getpid(), flush=True)
    while name == "long" and not os.path.exists("go-on"):
        time.sleep(0.01)
    print("done", name, "VERSION", flush=True)
"""


class Developing:
    """A folder with a worker in it that is being run and changed."""

    def __init__(self, sqs: Sqs, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self._sqs = sqs
        self.queue = sqs.queue()
        self.write("one")
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "forebay.cli.main", "run", "shop", "--queue", self.queue, *arguments],
                cwd=folder,
                env={**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def write(self, version: str) -> None:
        (self.folder / "shop.py").write_text(SHOP.replace("VERSION", version), encoding="utf-8")

    def send(self, name: str) -> None:
        self._sqs.send(self.queue, {"name": name}, job="work")

    def wait_for(self, pattern: str, count: int = 1) -> Any:
        """Wait until so many lines match; return the last of them."""

        def look() -> Any:
            found = re.findall(pattern, self._log.read_text(encoding="utf-8"))
            return found[-1] if len(found) >= count else None

        return wait_for(look, f"{count} × {pattern}")

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")


@pytest.fixture
def developing(sqs: Sqs, tmp_path: Path) -> Iterator[Developing]:
    running = Developing(sqs, tmp_path, "--reload")
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait(PATIENCE_S)


@pytest.mark.processes
def test_a_change_of_code_lets_the_running_job_end_and_then_new_code_runs(developing: Developing) -> None:
    developing.send("long")
    developing.wait_for("begun long one")

    developing.write("number two")
    developing.wait_for("Stopping")
    developing.send("short")
    (developing.folder / "go-on").touch()
    developing.wait_for("done short number two")

    assert re.search("done long one(.|\n)*Worker stopped(.|\n)*begun short number two", developing.log())
    assert developing.log().count("begun long") == 1


@pytest.mark.processes
def test_code_that_cannot_be_read_is_shown_and_the_next_change_is_tried(developing: Developing) -> None:
    developing.wait_for("Worker shop started")

    (developing.folder / "shop.py").write_text("def broken(:\n", encoding="utf-8")
    developing.wait_for("exit status 2; the next change begins another")
    developing.write("mended")
    developing.send("short")
    developing.wait_for("done short mended")

    assert "SyntaxError" in developing.log()
    assert "shop.py" in developing.log()


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_both_with_the_runs_exit_status(developing: Developing, number: int) -> None:
    developing.send("short")
    worker = int(developing.wait_for(r"begun short one (\d+)"))

    developing.process.send_signal(number)
    status = developing.process.wait(PATIENCE_S)

    assert status == 0
    assert developing.log().count("Worker stopped") == 1
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.processes
def test_ctrl_c_on_a_terminal_is_one_request_to_stop_so_the_running_job_may_end(developing: Developing) -> None:
    """The terminal signals every process of its foreground group. Two requests would mean: leave at once."""
    developing.send("long")
    developing.wait_for("begun long one")

    os.killpg(developing.process.pid, signal.SIGINT)
    developing.wait_for("Stopping")
    (developing.folder / "go-on").touch()

    assert developing.process.wait(PATIENCE_S) == 0
    assert "done long one" in developing.log()


@pytest.mark.processes
def test_a_signal_ends_it_while_no_run_is_there(developing: Developing) -> None:
    developing.wait_for("Worker shop started")
    (developing.folder / "shop.py").write_text("raise LookupError\n", encoding="utf-8")
    developing.wait_for("exit status 2; the next change")

    developing.process.send_signal(signal.SIGINT)

    assert developing.process.wait(PATIENCE_S) == 2


@pytest.mark.processes
def test_a_run_that_has_done_what_it_was_asked_is_not_repeated(sqs: Sqs, tmp_path: Path) -> None:
    running = Developing(sqs, tmp_path, "--reload", "--exit-when-empty")

    assert running.process.wait(PATIENCE_S) == 0


@pytest.mark.processes
def test_without_watchfiles_it_says_what_to_install(sqs: Sqs, tmp_path: Path) -> None:
    missing = tmp_path / "without"
    missing.mkdir()
    (missing / "watchfiles.py").write_text('raise ModuleNotFoundError("none", name="watchfiles")\n', encoding="utf-8")

    running = Developing(sqs, tmp_path, "--reload", PYTHONPATH=str(missing))

    assert running.process.wait(PATIENCE_S) == 2
    assert "pip install 'forebay[reload]'" in running.log()


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("shop.py", True),
        ("shop/jobs/mail.py", True),
        ("forebay.yml", True),
        ("db.sqlite3", False),
        ("notes.md", False),
        (".venv/lib/python3.11/site-packages/x.py", False),
        (".git/hooks/x.py", False),
        ("venv/lib/x.py", False),
        ("shop/__pycache__/x.py", False),
        ("node_modules/x/y.py", False),
    ],
)
def test_only_the_projects_own_code_counts(path: str, is_one: bool) -> None:
    root = Path("/srv/.hidden/build/project")

    assert is_code(root / path, root) is is_one
