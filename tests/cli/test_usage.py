"""What the command line says to a mistake, and with which status: real processes throughout."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from tests.cli.command import forebay, run

from forebay.cli.main import VERBS

pytestmark = pytest.mark.processes

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails"

BROKEN = """\
def connect():
    raise ConnectionError("the database of this module is not there")

connect()
"""

JOBS = """\
from forebay import Worker

worker = Worker("thumbnails")

@worker.job
async def thumbnail(key: str) -> None: ...
"""

TWO = JOBS + "\nother = Worker('other')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "two.py").write_text(TWO)
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "syntax.py").write_text("def (:\n")
    (tmp_path / "empty.py").write_text("nothing = 1\n")
    (tmp_path / "needs.py").write_text("import a_module_that_is_not_there\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run"], "no queue is named: pass --queue URL, or set FOREBAY_QUEUE_URL"),
        (["run", "--queue", URL, "--slots", "0"], "slots=0 is outside 1 to 100,000 (slots from --slots)"),
        (["run", "--queue", URL, "--visibility", "1.5"], "visibility='1.5' must be whole seconds"),
        (["run", "--queue", URL, "--protect", "always"], "protect=always (--protect) needs ECS"),
        (["run", "--queue", URL, "--log", "xml"], "log='xml' is none of text, json"),
        (["run", "--queue", URL, "--health", "nowhere"], "must be HOST:PORT"),
        (["run", "nosuch:worker"], "there is no module 'nosuch'"),
        (["run", "jobs:nosuch"], "'jobs' has no 'nosuch'; it has worker"),
        (["run", "jobs:thumbnail"], "jobs:thumbnail is a Job, not a Worker; it has worker"),
        (["run", "jobs.py"], "TARGET 'jobs.py' is not module:attribute: did you mean 'jobs'?"),
        (["run", "two"], "holds several Workers; say which one: two:worker, two:other"),
        (["run", "empty"], "'empty' holds no Worker"),
        (["run", "leaves"], "importing 'leaves' failed: SystemExit"),
        (["health", "nowhere"], "'nowhere' must be HOST:PORT"),
        (["send", "1"], "no queue is named: pass --queue URL, or set FOREBAY_QUEUE_URL"),
        (["send", "1", "--queue", URL, "--rate", "0"], "--rate 0 must be above 0"),
        (["local", "nosuch"], "there is no module 'nosuch'"),
        (["doctor", "nosuch"], "there is no module 'nosuch'"),
        (["rum"], "there is no 'rum': did you mean 'run'? `forebay --help` lists what there is"),
        (["zzzz"], "there is no 'zzzz'. `forebay --help` lists what there is"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_told_in_a_sentence_on_standard_error_and_exits_2(
    folder: Path, arguments: list[str], complaint: str
) -> None:
    ran = run(*arguments, cwd=folder)

    assert complaint in ran.err
    assert ran.err.count("\n") == 1 or "SystemExit" in complaint
    assert ran.out == ""
    assert ran.status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--nosuch"],
        ["run", "--slots"],
        ["send", "1", "--count", "0"],
        ["local", "--jobs", "-1"],
        ["run", "a", "b"],
    ],
    ids=" ".join,
)
def test_a_bad_option_exits_2_without_a_traceback(folder: Path, arguments: list[str]) -> None:
    ran = run(*arguments, cwd=folder)

    assert re.match(r"Usage: forebay|Error: Option '--slots' requires an argument", ran.err)
    assert "Traceback" not in ran.err
    assert (ran.out, ran.status) == ("", 2)


def test_no_verb_shows_what_there_is_and_exits_2(folder: Path) -> None:
    ran = run(cwd=folder)

    assert (ran.out, ran.status) == ("", 2)
    assert all(verb in ran.err for verb in VERBS)


def test_a_target_that_cannot_be_imported_shows_its_own_traceback_and_no_frame_of_ours(folder: Path) -> None:
    ran = run("run", "broken:worker", "--queue", URL, cwd=folder)

    assert ran.status == 2
    assert ran.out == ""
    assert "ConnectionError: the database of this module is not there" in ran.err
    files = re.findall(r'File "([^"]+)"', ran.err)
    assert files == [str(folder / "broken.py")] * 2
    assert ran.err.endswith("forebay: TARGET: importing 'broken' failed: ConnectionError\n")


def test_what_cannot_be_declared_is_told_with_the_line_of_the_user_and_no_frame_of_ours(tmp_path: Path) -> None:
    declared = 'from forebay import Worker\nworker = Worker("w")\n\n\n@worker.job(memory="1GB")\ndef x() -> None: ...\n'
    (tmp_path / "jobs.py").write_text(declared)

    ran = run("run", "jobs", "--queue", URL, cwd=tmp_path)

    assert (ran.status, ran.out) == (2, "")
    assert re.findall(r'File "([^"]+)", line (\d+)', ran.err) == [(str(tmp_path / "jobs.py"), "5")]
    assert "memory=… on job 'x' needs isolate=True: only a process of its own can be held to it" in ran.err
    assert ran.err.endswith("forebay: TARGET: importing 'jobs' failed: SettingsError\n")


@pytest.mark.parametrize(
    ("module", "shown"), [("syntax", "SyntaxError"), ("needs", "No module named 'a_module_that_is_not_there'")]
)
def test_a_module_with_a_mistake_is_told_apart_from_one_that_is_not_there(
    folder: Path, module: str, shown: str
) -> None:
    ran = run("run", module, "--queue", URL, cwd=folder)

    assert ran.status == 2
    assert "Traceback" in ran.err or "SyntaxError" in ran.err
    assert shown in ran.err
    assert f"importing {module!r} failed" in ran.err


def test_an_address_for_health_that_is_taken_exits_2(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("run", "jobs", "--queue", URL, "--health", f"127.0.0.1:{port}", cwd=folder)

    assert ran.status == 2
    assert f"--health 127.0.0.1:{port} cannot be listened on" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(folder: Path, verb: str) -> None:
    ran = run(verb, "--help", cwd=folder)

    assert ran.status == 0
    assert ran.err == ""
    assert re.search(r"Examples?:\n\s+.*forebay " + verb, ran.out)


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_verb(folder: Path, flag: str) -> None:
    ran = run(flag, cwd=folder)

    assert ran.status == 0
    assert re.findall(r"^  (\w+)  +\w", ran.out, flags=re.M) == list(VERBS)


def test_the_version_is_that_of_the_package(folder: Path) -> None:
    assert run("version", cwd=folder).out.startswith("forebay 0.")
    assert run("--version", cwd=folder).out == run("version", cwd=folder).out


def test_a_bug_of_ours_exits_70_without_a_traceback_and_says_where_to_report_it(folder: Path) -> None:
    """A class of exception that nothing of ours expects, out of the middle of a verb."""
    (folder / "odd.py").write_text(
        "from forebay import Worker\n"
        "class Odd(Worker):\n"
        "    @property\n"
        "    def registry(self):\n"
        "        raise LookupError('canary-7f3a')\n"
        "worker = Odd('odd')\n"
    )

    ran = run("run", "odd", cwd=folder)
    in_full = run("run", "odd", cwd=folder, env={"FOREBAY_TRACEBACK": "1"})

    assert ran.status == 70
    assert ran.err.startswith("forebay: this is a bug in Forebay: LookupError at odd.py:5 registry. Please report it")
    assert "canary" not in ran.err
    assert "Traceback" not in ran.err
    assert in_full.status == 70
    assert "LookupError: canary-7f3a" in in_full.err


def test_the_working_directory_is_first_on_the_path(folder: Path) -> None:
    """Even before the standard library, where a module of the same name exists."""
    (folder / "colorsys.py").write_text(JOBS)

    ran = run("doctor", "colorsys:worker", cwd=folder)

    assert ran.status == 0


def test_an_answer_that_nobody_reads_is_no_success_and_no_traceback(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        done = subprocess.run(
            [*forebay(), "doctor", "jobs"], cwd=folder, stdout=nobody, stderr=subprocess.PIPE, check=False
        )

    # Python itself exits with 120 and a complaint when it finds the broken pipe while it shuts down.
    assert (done.returncode, done.stderr) == (1, b"")
