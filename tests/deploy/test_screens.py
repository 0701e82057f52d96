"""What people and programs see of a deployment, held against files that somebody has looked at."""

from __future__ import annotations

import json
import re

import pytest
from tests.deploy.screens import FOLDER, SCREENS, drawn_at, failed, first, on_terminal

from forebay.cli.progress_lines import Line, resource_line
from forebay.cli.shapes import clean, columns
from forebay.deploy.progress import Row

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_as_it_was_looked_at(name: str) -> None:
    """`python -m tests.deploy.screens --write` writes them anew."""
    assert SCREENS[name]() == (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in SCREENS if "plain" in name or name.endswith("jsonl")])
def test_where_there_is_no_terminal_nothing_but_text_goes_out(name: str) -> None:
    assert CONTROL.findall(SCREENS[name]()) == []


def test_every_line_for_programs_is_an_object_with_an_event() -> None:
    events = [json.loads(line) for line in SCREENS["failed.jsonl"]().splitlines()]

    assert {event["event"] for event in events} == {
        "resource",
        "rollout",
        "tasks.stopped",
        "tasks.wrote",
        "service.complained",
    }
    (failure,) = [event for event in events if event.get("status") == "CREATE_FAILED" and event["hint"]]
    assert failure["logical_id"] == "Service"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("height", [8, 12, 50])
def test_a_picture_is_never_larger_than_the_terminal(width: int, height: int) -> None:
    for seconds in (0.0, 90.0, 200.0, 250.0):
        lines = drawn_at(failed(), seconds, width=width, height=height).splitlines()

        assert len(lines) <= height
        assert max(map(len, lines)) <= width


def test_a_narrow_terminal_shows_states_and_seconds_in_full() -> None:
    lines = drawn_at(first(), 90.0, width=40, height=50).splitlines()

    shown = [line for line in lines if line.lstrip().startswith("- ")]
    assert shown
    assert [line for line in shown if not re.search(r"\[[a-z ]+\](?: +\[\d+\.\ds\])?$", line)] == []


def test_what_is_wrong_stays_above_the_picture_on_a_terminal() -> None:
    shown = on_terminal(failed(), width=100, height=30)

    assert shown.count("2 tasks stopped (a1000000, b2000000)") == 1
    assert shown.count("1 task stopped (c3000000)") == 1
    assert shown.count("importing 'jobs' failed") == 1
    assert shown.rstrip().count("Ctrl-C leaves") > 10
    # The last picture has no line about leaving: there is nothing to leave.
    assert "Ctrl-C" not in shown.rsplit("rollback complete", 1)[-1]


def test_colours_are_left_out_when_somebody_does_not_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = on_terminal(first(), width=100, height=30)
    monkeypatch.setenv("NO_COLOR", "1")

    plain = on_terminal(first(), width=100, height=30)

    assert "\x1b[32m" in coloured
    assert "\x1b[32m" not in plain


def test_words_of_aws_cannot_move_the_cursor() -> None:
    assert clean("a\x1b[2Jb\nc\td\x07") == "a [2Jb c d"


def test_a_resource_that_has_not_started_has_no_seconds() -> None:
    row = Row("Queue", "AWS::SQS::Queue", "The queue")

    line = resource_line(row, depth=1, now_utc=first()[0].at_utc)

    assert line == Line(f"{'  - The queue':<76}  [not started]", "faint")


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert columns([("ID", "Status"), ("0506b170", "RUNNING"), ("x", "PENDING")], indent="") == [
        "ID        Status",
        "0506b170  RUNNING",
        "x         PENDING",
    ]
