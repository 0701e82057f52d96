"""`forebay doctor` as a command: what it examines, its exit statuses, and the settings alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.command import run

from forebay.cli.resolve import SETTINGS

pytestmark = pytest.mark.processes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"
JOBS = """\
from forebay import Worker

worker = Worker("thumbnails", slots=5, drain=40, visibility="2m")

@worker.job
async def thumbnail(key: str) -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "forebay.yml").write_text("run:\n  drain: 50\n  log: json\n")
    return tmp_path


def test_each_setting_is_shown_with_its_value_and_source(folder: Path) -> None:
    ran = run("doctor", "--settings", "--json", "jobs", cwd=folder, env={"FOREBAY_LOG": "text"})

    shown = json.loads(ran.out)
    assert set(shown) == {"queue", *SETTINGS, "region", "endpoint"}
    assert shown["queue"] == {"value": ["thumbnails"], "source": "code"}
    assert shown["slots"] == {"value": 5, "source": "code"}
    assert shown["visibility"] == {"value": 120, "source": "code"}
    assert shown["drain"] == {"value": 50.0, "source": "forebay.yml line 2"}
    assert shown["log"] == {"value": "text", "source": "FOREBAY_LOG"}
    assert shown["margin"] == {"value": 5.0, "source": "default"}
    assert shown["protect"] == {"value": "auto", "source": "default"}


def test_people_get_a_line_for_each_setting(folder: Path) -> None:
    ran = run("doctor", "--settings", "jobs", cwd=folder)

    rows = [line.split() for line in ran.out.splitlines()]
    assert ["slots", "5", "code"] in rows
    assert ["drain", "50", "forebay.yml", "line", "2"] in rows
    assert ["health", "-", "default"] in rows


def test_settings_that_run_would_refuse_are_refused_here_too(folder: Path) -> None:
    ran = run("doctor", "--settings", "jobs", cwd=folder, env={"FOREBAY_DRAIN": "soon"})

    assert (ran.status, ran.out) == (2, "")
    assert "FOREBAY_DRAIN: drain='soon' must be a number of seconds" in ran.err


MANIFEST = """\
name: thumbnails
handler: jobs:worker
run:
  drain: 50
"""
WRONG = (
    MANIFEST
    + """\
queue:
  retention: 10d
  dead_letter_retention: 2d
"""
)


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "forebay.yml").write_text(MANIFEST)
    return folder


def test_what_is_right_exits_0_and_says_what_was_examined(project: Path) -> None:
    ran = run("doctor", cwd=project)

    assert ran.status == 0, ran.err
    assert ran.out.endswith("checks of forebay.yml\n")
    assert "no errors, no warnings" in ran.out


def test_an_error_exits_1_with_place_remedy_and_page(project: Path) -> None:
    (project / "forebay.yml").write_text(WRONG)

    ran = run("doctor", cwd=project)

    assert ran.status == 1
    shown = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert ran.out.startswith(shown[0])
    assert "forebay.yml:7:3 queue.dead_letter_retention" in shown[0]


def test_a_warning_exits_1_only_when_that_is_asked_for(project: Path) -> None:
    (project / "forebay.yml").write_text(MANIFEST + "queue:\n  keep: false\n")

    lenient = run("doctor", "--json", cwd=project)
    strict = run("doctor", "--strict", "--json", cwd=project)

    assert (lenient.status, strict.status) == (0, 1)
    assert lenient.out == strict.out
    assert json.loads(strict.out)["warnings"] == 2  # both queues


def test_the_jobs_of_the_handler_are_examined(project: Path) -> None:
    (project / "jobs.py").write_text(JOBS.replace("@worker.job", '@worker.job(timeout="5h", attempts=9)'))

    found = {one["check"]: one["value"] for one in json.loads(run("doctor", "--json", cwd=project).out)["findings"]}

    assert found["protection-deployment"] == "job thumbnail up to 5 h"
    assert found["receive-count"] == "maxReceiveCount 15, attempts 9 of job thumbnail"


def test_settings_in_code_count_where_the_template_says_nothing(project: Path) -> None:
    """`Worker(…, visibility="2m")`: the container's variables name no visibility, so the worker's own holds."""
    found = {one["check"]: one["value"] for one in json.loads(run("doctor", "--json", cwd=project).out)["findings"]}

    assert found["visibility-queue"] == "VisibilityTimeout 1 min, workers ask for 2 min"


def test_a_template_alone_is_enough(project: Path) -> None:
    written = run("package", cwd=project).out
    edited = written.replace("StopTimeout: 120", "StopTimeout: 30")
    (project / "stack.yml").write_text(edited)
    (project / "forebay.yml").unlink()

    ran = run("doctor", "--template", "stack.yml", cwd=project)

    assert ran.status == 1
    assert ran.out.startswith(
        "error: drain 50 s (FOREBAY_DRAIN), StopTimeout 30 s\n  at:     TaskDefinition.worker.StopTimeout"
    )
    assert ran.out.endswith("checks of stack.yml\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Resources: [", "stack.yml: the template is no YAML"),
        ("text", "stack.yml: the template is no mapping"),
        ("Resources: []\n", "template: Resources must be a mapping"),
        (None, "stack.yml: cannot be read"),
    ],
)
def test_what_is_no_template_is_refused_in_a_sentence(project: Path, text: str | None, complaint: str) -> None:
    if text is not None:
        (project / "stack.yml").write_text(text)

    ran = run("doctor", "--template", "stack.yml", cwd=project)

    assert (ran.status, ran.out) == (2, "")
    assert complaint in ran.err
    assert "Traceback" not in ran.err


def test_a_target_that_cannot_be_imported_exits_2_and_a_handler_of_the_manifest_is_a_note(project: Path) -> None:
    (project / "jobs.py").write_text("import nowhere\n")

    asked = run("doctor", "jobs:worker", cwd=project)
    told = run("doctor", "--json", cwd=project)

    assert asked.status == 2
    assert "TARGET: importing 'jobs' failed: ModuleNotFoundError" in asked.err
    assert told.status == 0, told.err
    notes = {one["check"]: one["value"] for one in json.loads(told.out)["findings"]}
    assert notes["handler-unread"] == "TARGET: importing 'jobs' failed: ModuleNotFoundError"


def test_without_a_manifest_the_settings_are_shown_and_it_is_said(tmp_path: Path) -> None:
    ran = run("doctor", cwd=tmp_path)

    assert ran.status == 0, ran.err
    assert (
        ran.err == "forebay: there is no forebay.yml here, so only the settings are shown; `forebay init` writes one\n"
    )
    assert "drain                25" in ran.out


def test_a_manifest_that_was_named_must_be_there(tmp_path: Path) -> None:
    ran = run("doctor", "--manifest", "other.yml", cwd=tmp_path)

    assert ran.status == 2
    assert "other.yml: there is no manifest here" in ran.err


def test_deploy_does_not_begin_with_what_would_not_work(project: Path) -> None:
    (project / "forebay.yml").write_text(WRONG)

    ran = run("deploy", "--image", "x", cwd=project)

    assert (ran.status, ran.out) == (2, "")
    assert "this would not work, says `forebay doctor`" in ran.err
    assert "error: retention 2 d, of the queue 10 d" in ran.err
