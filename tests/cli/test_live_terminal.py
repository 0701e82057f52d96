"""A live service on a terminal: colours that add to words, a bar in one line, screens that are drawn anew, Ctrl-C."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import PATIENCE_S, forebay
from tests.cli.live_shop import TASK_ID, a_live_shop
from tests.cli.test_terminal import Terminal
from tests.deploy.scripted_endpoint import ScriptedAws

pytestmark = pytest.mark.processes

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[ScriptedAws]:
    (tmp_path / "forebay.yml").write_text("name: shop\n")
    with a_live_shop() as aws:
        yield aws


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def opened(terminals: list[Terminal], aws: ScriptedAws, folder: Path, *arguments: str, **env: str) -> Terminal:
    terminal = Terminal([*forebay(), *arguments], folder, {**aws.env, "TERM": "xterm-256color", **env})
    terminals.append(terminal)
    return terminal


def test_status_is_coloured_and_says_the_same_words(
    aws: ScriptedAws, terminals: list[Terminal], tmp_path: Path
) -> None:
    terminal = opened(terminals, aws, tmp_path, "status")
    terminal.read_until("a million jobs")

    assert "\x1b[32mRUNNING\x1b[0m" in terminal.shown
    assert f"  {TASK_ID[:8]}  RUNNING     7 " in CONTROL.sub("", terminal.shown)


def test_no_color_is_heeded(aws: ScriptedAws, terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = opened(terminals, aws, tmp_path, "status", NO_COLOR="1")
    terminal.read_until("a million jobs")

    assert "\x1b[32m" not in terminal.shown


def test_watching_draws_anew_until_ctrl_c(aws: ScriptedAws, terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = opened(terminals, aws, tmp_path, "status", "--watch", LINES="60", COLUMNS="140")
    terminal.read_until("Ctrl-C leaves")

    terminal.process.send_signal(signal.SIGINT)

    assert terminal.process.wait(PATIENCE_S) == 130
    assert "Traceback" not in terminal.shown


def test_scale_draws_its_bar_in_one_line(aws: ScriptedAws, terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = opened(terminals, aws, tmp_path, "scale", "3")
    terminal.read_until("3/3 desired tasks are running\r\n")

    assert terminal.process.wait(PATIENCE_S) == 0
    assert "\r\x1b[K  Running   ██████████  3/3" in terminal.shown


def test_lines_of_two_tasks_have_their_names_in_two_colours_and_ctrl_c_ends_following(
    aws: ScriptedAws, terminals: list[Terminal], tmp_path: Path
) -> None:
    [event] = aws.answers["FilterLogEvents"]({})["events"]
    other: dict[str, Any] = {
        **event,
        "eventId": "2",
        "logStreamName": "forebay/worker/1ba654fc",
        "message": "\x1b[2Jhello",
    }
    aws.on("FilterLogEvents", {"events": [event, other]})

    terminal = opened(terminals, aws, tmp_path, "logs", "--follow")
    terminal.read_until("hello")

    names = re.findall(r"\x1b\[(\d+)m(0506b170|1ba654fc)\x1b\[0m", terminal.shown)
    assert {name: colour for colour, name in names} == {"0506b170": "36", "1ba654fc": "35"}
    assert "\\x1b[2Jhello" in terminal.shown
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.process.wait(PATIENCE_S) == 130
    assert "Traceback" not in terminal.shown
