"""The README and the pages behind it are executed: their Python as it stands, their commands as a reader types them.

Rules kept here and nowhere else:

1. Code and commands are taken from the documents themselves; nothing is copied into this file.
2. A command that no test tries fails. `TRIED` says which test tries which.
3. Everything runs against the local SQS, in a folder of its own, with made-up credentials.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from forebay.cloud.sqs_server import SqsServer

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
README = ROOT / "README.md"
GETTING_STARTED = ROOT / "docs" / "getting-started.md"
WIRE_FORMAT = ROOT / "docs" / "wire-format.md"

TRIED: dict[str, str] = {
    "make run": "test_make_run_shows_the_lines_of_the_article_and_ends_by_itself",
    "make test": "test_make_test_makes_every_check_and_runs_the_tests",
    'forebay run thumbnails --queue "$QUEUE_URL"': "test_the_handler_of_the_readme_does_a_job_written_by_hand",
}
"""Command of the README or of Getting started → the test here that runs it."""

PATIENCE_S = 60.0
"""A process that has not done what it should by then is killed, and the test fails."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a document."""

    language: str
    text: str
    before: str
    """The line of prose above it, which may name a file."""


def _blocks(document: Path, language: str) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"([^\n]*)\n+```(\w*)\n(.*?)```", text, re.DOTALL)
    return [Block(kind, body, before) for before, kind, body in found if kind == language]


def _commands(document: Path) -> list[str]:
    """What a reader would type: the lines of the shell blocks, without their remarks."""
    lines = [line for block in _blocks(document, "sh") for line in block.text.splitlines()]
    return [re.sub(r"\s+#.*$", "", line) for line in lines if line.strip()]


@dataclass(slots=True)
class Place:
    """A folder with a queue behind it: what the reader's terminal would be."""

    folder: Path
    environment: Mapping[str, str]
    sqs: Any
    queue_url: str

    def run(self, *command: str, **variables: str) -> str:
        """Run a command to its end and return what it printed; a failure is told with all it said."""
        answer = subprocess.run(
            command, cwd=self.folder, env={**self.environment, **variables}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def counts(self) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])["Attributes"]
        visible, in_flight, delayed = (int(found[name]) for name in names)
        return visible, in_flight, delayed


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with SqsServer.in_thread() as cloud:
        endpoint = cloud.service.url
        credentials = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        sqs = boto3.client(
            "sqs",
            endpoint_url=endpoint,
            region_name="eu-central-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        queue_url = sqs.create_queue(QueueName="thumbnails")["QueueUrl"]
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("AWS_", "ECS_", "FOREBAY_", "MAKE"))
            },
            **credentials,
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_SQS": endpoint,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "QUEUE_URL": queue_url,
        }
        yield Place(tmp_path, environment, sqs, queue_url)
        sqs.close()


def _write_named_blocks(document: Path, folder: Path) -> None:
    """Save each Python block under the file name that the line above it gives."""
    for block in _blocks(document, "python"):
        if (name := re.match(r"`(\w+\.py)`", block.before)) is not None:
            (folder / name[1]).write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("document", [README, GETTING_STARTED], ids=lambda path: path.name)
def test_every_command_of_the_first_pages_is_tried_by_a_test(document: Path) -> None:
    untried = [command for command in _commands(document) if TRIED.get(command) not in globals()]

    assert untried == []


def test_the_handler_of_the_readme_takes_no_more_than_it_promises() -> None:
    """ "In ten lines": blank ones aside, the part that is the user's, without imports and the last two lines."""
    (block,) = [block for block in _blocks(README, "python") if "@worker.job" in block.text]
    lines = [line for line in block.text.splitlines() if line.strip()]

    assert len([line for line in lines if not line.startswith(("from", "if __name__", "    worker.run"))]) <= 10


def test_the_readme_has_one_place_for_the_figures_that_the_benchmark_writes() -> None:
    text = README.read_text(encoding="utf-8")

    assert len(re.findall(r"<!-- bench:begin -->\n.*?\n<!-- bench:end -->", text, re.DOTALL)) == 1
    assert text.count("bench:") == 2


@pytest.mark.processes
@pytest.mark.parametrize("document", [README, GETTING_STARTED], ids=lambda path: path.name)
def test_the_handler_of_the_readme_does_a_job_written_by_hand(place: Place, document: Path) -> None:
    """The handler as it stands in the page, the command as it stands there, the job as the wire format writes it."""
    _write_named_blocks(document, place.folder)
    (command,) = [line for line in _commands(document) if line.startswith("forebay run")]
    (by_hand,) = _blocks(WIRE_FORMAT, "python")
    message_id = place.run(sys.executable, "-c", by_hand.text).strip()

    said = place.run("/bin/sh", "-c", command, FOREBAY_EXIT_WHEN_EMPTY="1")

    assert "made a thumbnail 640 pixels wide" in said
    assert message_id in said
    assert place.counts() == (0, 0, 0)


@pytest.mark.processes
def test_getting_started_sends_a_job_now_and_one_for_later(place: Place) -> None:
    _write_named_blocks(GETTING_STARTED, place.folder)
    (program,) = [block.text for block in _blocks(GETTING_STARTED, "python") if "aenqueue" in block.text]

    place.run(sys.executable, "-c", program, FOREBAY_QUEUE_URL=place.queue_url)

    assert place.counts() == (1, 0, 1)


@pytest.mark.processes
def test_make_run_shows_the_lines_of_the_article_and_ends_by_itself(place: Place) -> None:
    """In this tree and its own environment; `--old-file` keeps a test from ever setting anything up."""
    answer = subprocess.run(
        ["make", "run", "--old-file=.venv/.installed"],
        cwd=ROOT, env=dict(place.environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout + answer.stderr
    for line in ("Acquiring task protection", "Long polling for messages", " - Received", " - Working for ", " - Done"):
        assert line in answer.stdout
    for line in ("Releasing task protection", "Task protection released"):
        assert line in answer.stdout


@pytest.mark.processes
def test_the_examples_send_and_work_a_queue(place: Place) -> None:
    """Blocking and asynchronous jobs, a delayed one and a message without a job, all done by one worker."""
    place.folder = ROOT / "examples"
    queue = {"FOREBAY_QUEUE_URL": place.queue_url, "PYTHONDONTWRITEBYTECODE": "1"}
    place.sqs.send_message(QueueUrl=place.queue_url, MessageBody="from elsewhere")
    place.run(sys.executable, "send_orders.py", **queue)

    said = place.run("forebay", "run", "orders", "--exit-when-empty", **queue)

    assert said.count("charged order ") == 21
    assert "wrote the invoice of order 1: 2 lines" in said
    assert "a message of 14 bytes from elsewhere" in said
    assert place.counts() == (0, 0, 0)


def test_make_test_makes_every_check_and_runs_the_tests() -> None:
    """Only what it would do: a test run cannot hold itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    answer = subprocess.run(
        ["make", "test", "--dry-run", "--old-file=.venv/.installed"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip

    steps = [line.strip() for line in answer.stdout.splitlines()]
    for tool in ("ruff format --check", "ruff check", "mypy", "pyright", "lint-imports"):
        assert any(tool in step for step in steps), tool
    assert steps[-1].endswith("python -m tests.suite")
