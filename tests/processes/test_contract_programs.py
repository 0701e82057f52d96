"""Workers that are started by a program of the user's own, and what they owe it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes.harness import KEYS, PATIENCE_S, Sqs, clean_environment

pytestmark = pytest.mark.processes

HEAD = """
import asyncio, concurrent.futures, threading
from forebay import Worker

worker = Worker("shop")

@worker.job
def job() -> None: ...

"""


def ran(sqs: Sqs, folder: Path, code: str, *, has_output: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program to its end over an empty queue."""
    (folder / "program.py").write_text(HEAD + code)
    command = [sys.executable, "program.py"]
    if not has_output:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    wishes = {"FOREBAY_QUEUE_URL": sqs.queue(), "FOREBAY_EXIT_WHEN_EMPTY": "1"}
    return subprocess.run(
        command,
        cwd=folder,
        env={**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, **wishes},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_programs_own_file_gets_no_line_of_ours_when_standard_output_is_closed(sqs: Sqs, tmp_path: Path) -> None:
    """The first file that is opened then has the number of standard output."""
    code = 'file = open("own.txt", "w")\nassert file.fileno() == 1\nworker.run()\n'

    done = ran(sqs, tmp_path, code, has_output=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "own.txt").read_text() == ""


def test_run_leaves_by_an_exception_so_that_a_program_can_clean_up(sqs: Sqs, tmp_path: Path) -> None:
    done = ran(sqs, tmp_path, 'try:\n    worker.run()\nfinally:\n    print("cleaned up")\n')

    assert done.returncode == 0
    assert done.stdout.endswith("cleaned up\n")


@pytest.mark.parametrize(
    "leftover",
    [
        "threading.Thread(target=threading.Event().wait).start()",
        "concurrent.futures.ThreadPoolExecutor().submit(threading.Event().wait)",
    ],
    ids=["thread", "executor"],
)
def test_a_thread_that_a_program_leaves_behind_does_not_keep_it_from_ending(
    sqs: Sqs, tmp_path: Path, leftover: str
) -> None:
    done = ran(sqs, tmp_path, f"{leftover}\nworker.run()\n")

    assert done.returncode == 0
    assert "Worker stopped (empty), exit status 0" in done.stdout


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("thread = threading.Thread(target=worker.run); thread.start(); thread.join()", "only the main thread gets"),
        ("async def main(): worker.run()\nasyncio.run(main())", "one is running here already"),
    ],
    ids=["in a thread", "in a coroutine"],
)
def test_run_says_where_it_cannot_work_and_what_to_use_instead(
    sqs: Sqs, tmp_path: Path, code: str, complaint: str
) -> None:
    done = ran(sqs, tmp_path, code)

    assert complaint in done.stderr
    assert "`await worker.serve()` of worker 'shop' does the same" in done.stderr
    assert done.stdout == ""


def test_a_mistake_in_the_settings_of_a_program_is_a_sentence_and_status_2(sqs: Sqs, tmp_path: Path) -> None:
    done = ran(sqs, tmp_path, "import os\nos.environ['FOREBAY_SLOTS'] = 'many'\nworker.run()\n")

    assert done.returncode == 2
    assert done.stderr == "forebay: FOREBAY_SLOTS: slots='many' must be a whole number\n"
    assert done.stdout == ""
