"""`forebay doctor --settings`: each setting with its value and source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import run

from forebay.cli.resolve import SETTINGS

pytestmark = pytest.mark.processes

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
