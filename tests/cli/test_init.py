"""`forebay init` as a user runs it: with options, at a terminal, and where it must not write."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_S, forebay, run
from tests.cli.test_terminal import Terminal

from forebay.deploy.manifest.loading import load

pytestmark = pytest.mark.processes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "walkthrough.md"
WORKER = "from forebay import Worker\n\nworker = Worker('jobs')\n"
QUESTIONS = (
    ("What do you want to name this service?", "thumbnails"),
    ("Which one?", ""),
    ("Which one?", ""),
    ("How much CPU does a task need?", "512"),
    ("And how much memory, in MiB?", ""),
    ("How many jobs does a task do at once?", "4"),
    ("How many tasks at least?", "0"),
    ("And at most?", "20"),
    ("How long may a job wait in the queue?", "5m"),
    ("How long does a job take, on average?", "2s"),
)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "jobs.py").write_text(WORKER)
    terminal = Terminal([*forebay(), "init"], tmp_path, {"COLUMNS": "200"})
    yield terminal
    terminal.close()


def answer(terminal: Terminal, question: str, text: str) -> str:
    """Wait for the question, and answer it. Return what was shown up to it."""
    terminal.read_until(question)
    before, _, terminal.shown = terminal.shown.partition(question)
    terminal.type(f"{text}\n")
    return before + question


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"jobs.py"}


def test_the_answers_stand_in_the_manifest_and_nothing_is_deployed_unasked(terminal: Terminal, tmp_path: Path) -> None:
    for question, text in QUESTIONS:
        answer(terminal, question, text)
    answer(terminal, "Would you like to deploy a test environment?", "")

    assert terminal.process.wait(PATIENCE_S) == 0
    assert written(tmp_path) == {"forebay.yml", "Dockerfile", ".dockerignore", "forebay.schema.json"}
    manifest = load(tmp_path / "forebay.yml").manifest
    assert (manifest.name, manifest.handler, manifest.cpu, manifest.memory) == ("thumbnails", "jobs:worker", 512, 1024)
    assert manifest.scaling is not None
    assert (manifest.scaling.min, manifest.scaling.max) == (0, 20)
    assert (manifest.scaling.latency, manifest.scaling.job, manifest.run.slots) == (300.0, 2.0, 4)


def test_the_questions_are_those_of_the_page_with_its_answers(terminal: Terminal) -> None:
    (conversation,) = re.findall(r"```console\n(What do you want.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    shown = "".join(answer(terminal, question, text) for question, text in QUESTIONS)
    shown += answer(terminal, "Would you like to deploy a test environment?", "")

    # The suggested name is made of the folder's, and the answers are echoed wherever the terminal stands.
    lines = [re.sub(r" \[.*", "", line) for line in conversation.splitlines()]
    assert [line for line in lines if line not in shown] == []
    answers = [re.sub(r".*\] ?", "", line) for line in conversation.splitlines() if "] " in line or line.endswith("]")]
    assert answers == [text for _, text in QUESTIONS]


def test_a_workspace_of_copilots_is_pointed_at(tmp_path: Path) -> None:
    manifest = tmp_path / "copilot" / "queue-consumer" / "manifest.yml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("name: queue-consumer\ntype: Worker Service\n")

    ran = run("init", "--yes", "--handler", "sample", cwd=tmp_path)

    assert "`forebay import copilot/queue-consumer/manifest.yml` takes it over" in ran.err


@pytest.mark.parametrize("options", [(), ("--min", "0"), ("--max", "1"), ("--handler", "sample")])
def test_what_init_writes_has_nothing_that_doctor_calls_an_error(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "jobs.py").write_text(WORKER + "\n\n@worker.job\nasync def job(key: str) -> None: ...\n")
    run("init", "--yes", *options, cwd=tmp_path)

    ran = run("doctor", cwd=tmp_path)

    assert ran.status == 0, ran.out
    assert "no errors" in ran.out
    assert ("no warnings" in ran.out) == (options != ("--handler", "sample"))  # Its jobs may take eleven hours.


def test_an_answer_that_will_not_do_is_asked_for_again_with_the_reason(terminal: Terminal) -> None:
    answer(terminal, "What do you want to name this service?", "Thumb Nails")
    terminal.read_until("write 2 to 40 lower-case letters")
    answer(terminal, "What do you want to name this service?", "thumbnails")
    answer(terminal, "Which one?", "9")
    terminal.read_until("answer with a number from 1 to 2")
    answer(terminal, "Which one?", "jobs.py")
    terminal.read_until("write module:attribute")


def interrupted(terminal: Terminal) -> int:
    """Ctrl-C, and once more as a person would: Python does not see one that comes as it begins to read an answer."""
    for patience_s in (5.0, PATIENCE_S):
        terminal.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return terminal.process.wait(patience_s)
    raise AssertionError(f"still there: {terminal.shown[-300:]}")


@pytest.mark.parametrize("answered", [0, 1, 5, len(QUESTIONS) - 1])
def test_an_interrupted_conversation_writes_nothing(terminal: Terminal, tmp_path: Path, answered: int) -> None:
    for question, text in QUESTIONS[:answered]:
        answer(terminal, question, text)
    terminal.read_until(QUESTIONS[answered][0])

    assert interrupted(terminal) == 130
    terminal.read_until("Nothing was written.")
    assert written(tmp_path) == set()


def test_an_interruption_at_the_last_question_leaves_what_was_written_and_deploys_nothing(
    terminal: Terminal, tmp_path: Path
) -> None:
    for question, text in QUESTIONS:
        answer(terminal, question, text)
    terminal.read_until("Would you like to deploy a test environment?")

    assert interrupted(terminal) == 130
    terminal.read_until("Nothing was deployed.")
    assert written(tmp_path) == {"forebay.yml", "Dockerfile", ".dockerignore", "forebay.schema.json"}


def test_the_end_of_input_writes_nothing(terminal: Terminal, tmp_path: Path) -> None:
    terminal.read_until("What do you want to name this service?")

    terminal.type("\x04")

    assert terminal.process.wait(PATIENCE_S) == 130
    assert written(tmp_path) == set()


@pytest.fixture
def terminal_with_manifest(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "forebay.yml").write_text("name: mine\n")
    terminal = Terminal([*forebay(), "init"], tmp_path)
    yield terminal
    terminal.close()


def test_a_manifest_that_is_there_can_stay_and_the_test_environment_is_offered_all_the_same(
    terminal_with_manifest: Terminal, tmp_path: Path
) -> None:
    answer(terminal_with_manifest, "forebay.yml is there already. Replace it?", "n")
    answer(terminal_with_manifest, "Would you like to deploy a test environment?", "n")

    assert terminal_with_manifest.process.wait(PATIENCE_S) == 0
    assert written(tmp_path) == {"forebay.yml"}
    assert (tmp_path / "forebay.yml").read_text() == "name: mine\n"


def test_a_manifest_that_stays_and_could_not_be_deployed_is_told_of(
    terminal_with_manifest: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "forebay.yml").write_text("run:\n  slots: 3\n")

    answer(terminal_with_manifest, "forebay.yml is there already. Replace it?", "n")

    terminal_with_manifest.read_until("name")
    assert terminal_with_manifest.process.wait(PATIENCE_S) == 2
    assert (tmp_path / "forebay.yml").read_text() == "run:\n  slots: 3\n"


def test_without_a_terminal_options_say_everything(tmp_path: Path) -> None:
    ran = run(
        "init", "--name", "thumbnails", "--handler", "shop.jobs:worker", "--generate", "--cpu", "1024", "--memory",
        "4096", "--slots", "7", "--min", "2", "--max", "2", "--no-deploy", cwd=tmp_path,
    )  # fmt: skip

    manifest = load(tmp_path / "forebay.yml").manifest
    assert ran.status == 0, ran.err
    assert ran.out.split() == ["forebay.yml", "Dockerfile", ".dockerignore", "forebay.schema.json"]
    assert (manifest.handler, manifest.cpu, manifest.memory, manifest.count) == ("shop.jobs:worker", 1024, 4096, 2)
    assert manifest.scaling is None
    assert manifest.run.slots == 7


def test_what_is_left_open_without_a_terminal_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    ran = run("init", "--name", "thumbnails", cwd=tmp_path, stdin="\n\n\n")

    assert (ran.status, written(tmp_path)) == (2, set())
    assert "there is no terminal to ask at: give --handler, or --yes" in ran.err


def test_yes_takes_the_suggestions_and_the_only_worker_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "My Shop").mkdir()
    (tmp_path / "My Shop" / "jobs.py").write_text(WORKER)

    ran = run("init", "--yes", cwd=tmp_path / "My Shop")

    manifest = load(tmp_path / "My Shop" / "forebay.yml").manifest
    assert ran.status == 0
    assert (manifest.name, manifest.handler, manifest.tasks_at_first) == ("my-shop", "jobs:worker", 1)


def test_the_sample_worker_gets_the_settings_of_the_article(tmp_path: Path) -> None:
    ran = run("init", "--yes", "--handler", "sample", cwd=tmp_path)

    manifest = load(tmp_path / "forebay.yml").manifest
    assert ran.status == 0
    assert (manifest.handler, manifest.run.log, manifest.run.protect) == (None, "text", "always")


@pytest.mark.parametrize("there", ["forebay.yml", "Dockerfile"])
def test_no_file_is_replaced_unless_forced_and_then_all_are_written(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine\n")

    refused = run("init", "--yes", "--handler", "sample", "--generate", cwd=tmp_path)
    left = {name: (tmp_path / name).read_text() for name in written(tmp_path)}
    forced = run("init", "--yes", "--handler", "sample", "--generate", "--force", cwd=tmp_path)

    assert (refused.status, left) == (2, {there: "mine\n"})
    assert f"{there} is there already: --force replaces it" in refused.err
    assert forced.status == 0
    assert (tmp_path / there).read_text() != "mine\n"


def test_a_dockerignore_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("mine\n")

    ran = run("init", "--yes", "--handler", "sample", cwd=tmp_path)

    assert ran.out.split() == ["forebay.yml", "Dockerfile", "forebay.schema.json"]
    assert (tmp_path / ".dockerignore").read_text() == "mine\n"


def test_requirements_without_forebay_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("forebay-tools\nrequests\n")

    ran = run("init", "--yes", "--handler", "sample", cwd=tmp_path)

    assert "requirements.txt does not name forebay: add it" in ran.err


def test_a_dockerfile_without_forebay_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")

    ran = run("init", "--yes", "--handler", "sample", cwd=tmp_path)

    assert ran.status == 0
    assert 'Dockerfile says nothing of forebay: it must install it, and end in ENTRYPOINT ["forebay"]' in ran.err


def test_when_one_file_cannot_be_written_the_others_are_as_before(tmp_path: Path) -> None:
    (tmp_path / "forebay.yml").write_text("mine\n")
    (tmp_path / "Dockerfile").mkdir()

    ran = run("init", "--yes", "--handler", "sample", "--generate", "--force", cwd=tmp_path)

    assert (ran.status, written(tmp_path)) == (2, {"forebay.yml", "Dockerfile"})
    assert "Dockerfile cannot be written: Is a directory. Nothing was written" in ran.err
    assert (tmp_path / "forebay.yml").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--name", "Shouting"], "--name Shouting: "),
        (["--cpu", "300"], "--cpu 300: "),
        (["--cpu", "4096", "--memory", "512"], "--memory 512: "),
        (["--memory", "lots"], "--memory lots: write a whole number"),
        (["--slots", "0"], "--slots 0: "),
        (["--min", "5", "--max", "4"], "--max 4: write 5 or more"),
        (["--latency", "soon"], "--latency soon: "),
        (["--job", "0s"], "--job 0s: "),
        (["--handler", "jobs.py"], "--handler jobs.py: "),
        (["--dockerfile", "Nowhere"], "--dockerfile Nowhere: there is no such file"),
        (["--dockerfile", "D", "--generate"], "exclude each other"),
        (["--image", ""], "--image : name it"),
        (["--manifest", "nowhere/forebay.yml"], "there is no folder nowhere"),
    ],
)
def test_an_option_that_will_not_do_is_refused_by_its_name(tmp_path: Path, options: list[str], said: str) -> None:
    ran = run("init", "--yes", *(() if "--handler" in options else ("--handler", "sample")), *options, cwd=tmp_path)

    assert (ran.status, written(tmp_path)) == (2, set())
    assert said in ran.err
