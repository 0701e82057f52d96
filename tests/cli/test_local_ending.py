"""How `forebay local` ends when the end comes at a bad moment: no traceback, and nothing is waited for in vain."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_S, forebay, run, surroundings
from tests.cli.test_local import Started, is_gone

pytestmark = pytest.mark.processes

BEGINS_A_DAEMON = """\
import subprocess
from forebay import Worker

worker = Worker("shop")

@worker.default
async def work(body: str) -> None:
    print("daemon", subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
"""

SECOND_TASK_FAILS = """\
import os
from pathlib import Path
from forebay import Worker

seen = Path("seen")
if "ECS_AGENT_URI" in os.environ:
    if seen.exists():
        raise SystemExit(2)
    seen.touch()

worker = Worker("shop")

@worker.default
async def work(body: str) -> None: ...
"""


def test_a_signal_while_the_spike_is_being_sent_does_not_wait_for_the_rest_of_it(tmp_path: Path) -> None:
    started = Started(tmp_path, "--stay", "--tasks", "1", "--spike", "1000000:1", "--cold-start", "600")
    started.read_until("export AWS_ENDPOINT_URL_SQS=")

    started.process.send_signal(signal.SIGINT)
    status = started.end()

    sent = int(started.lines[-1].split(" messages sent")[0])
    assert sent < 1_000_000
    assert status == 0


@pytest.mark.parametrize("lines", [1, 3, 6])
def test_output_that_nobody_reads_any_more_ends_it_without_a_word(tmp_path: Path, lines: int) -> None:
    process = subprocess.Popen(
        [*forebay(), "local", "--port", "0", "--tasks", "2", "--spike", "30:200"],
        cwd=tmp_path,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()

    process.stdout.close()
    _, err = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, err) == (1, "")


def test_letters_that_the_terminal_has_not_are_shown_as_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        'from forebay import Worker\nworker = Worker("shop")\n@worker.default\n'
        'async def work(body: str) -> None:\n    print("caf\\u00e9")\n'
    )

    ran = run("local", "shop", "--port", "0", "--spike", "1:1", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})

    assert "caf\\xe9" in ran.out
    assert (ran.status, ran.err) == (0, "")


def test_a_task_that_refuses_to_start_after_others_have_worked_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SECOND_TASK_FAILS)

    ran = run("local", "shop", "--port", "0", "--tasks", "2-2", "--spike", "5:1", cwd=tmp_path)

    assert "5 messages sent, 5 deleted" in ran.out.splitlines()[-1]
    assert ran.status != 2


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc to know a daemon by its variables")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_daemon_that_a_handler_has_begun_does_not_outlive_it(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "shop.py").write_text(BEGINS_A_DAEMON)
    started = Started(tmp_path, "shop", "--stay", "--tasks", "1", "--spike", "1:1")
    daemon = int(started.read_until("daemon ").split()[1])

    started.process.send_signal(number)
    started.process.communicate(timeout=PATIENCE_S)

    assert is_gone(daemon)


def test_a_task_that_is_stopped_before_its_worker_has_begun_is_no_failure(tmp_path: Path) -> None:
    """The interpreter dies of a SIGTERM that comes before anybody handles it; here the import does as it does."""
    (tmp_path / "shop.py").write_text(
        "import os, signal, time\nfrom forebay import Worker\n"
        'if "ECS_AGENT_URI" in os.environ:\n'
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        '    print("importing", flush=True)\n    time.sleep(600)\n'
        'worker = Worker("shop")\n'
    )
    started = Started(tmp_path, "shop", "--stay", "--tasks", "1")
    started.read_until("importing")

    started.process.send_signal(signal.SIGINT)

    assert started.end() == 0
